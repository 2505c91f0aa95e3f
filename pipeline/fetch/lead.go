package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// missingFor is how long a topic may be missing, as one that was just made is to some brokers, until its
// partitions stop.
const missingFor = 15 * time.Second

// metadataWait bounds one look at who leads what.
const metadataWait = 10 * time.Second

// lead finds out, whenever it is not known, which broker leads a partition.
func (f *Fetcher) lead(ctx context.Context) {
	failures := 0
	for {
		select {
		case <-f.stale:
		case <-ctx.Done():
			return
		}
		for ctx.Err() == nil {
			topics := f.unled()
			if len(topics) == 0 {
				failures = 0
				break
			}
			parts, known := f.find(ctx, topics)
			if len(parts) > 0 {
				select {
				case f.answers <- parts:
				case <-ctx.Done():
				}
			}
			if known {
				failures = 0
			} else if pause(ctx, backoff(failures)) {
				failures++
			}
		}
	}
}

// waiting reports whether there is a partition of the topics whose leader is not known.
func (f *Fetcher) waiting(topics []string) bool {
	for at, c := range f.cursors {
		if c.leader < 0 && !c.stopped && slices.Contains(topics, at.topic) {
			return true
		}
	}
	return false
}

// unled returns the topics of partitions whose leader is not known.
func (f *Fetcher) unled() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var topics []string
	seen := map[string]bool{}
	for at, c := range f.cursors {
		if c.leader < 0 && !c.stopped && !seen[at.topic] {
			seen[at.topic] = true
			topics = append(topics, at.topic)
		}
	}
	return topics
}

// find asks any broker who leads the partitions of the topics. It returns partitions that have to stop,
// and whether there is no other of which the leader is still unknown.
func (f *Fetcher) find(ctx context.Context, topics []string) (stopped []*Part, known bool) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	wait, cancel := context.WithTimeout(ctx, metadataWait)
	defer cancel()
	resp, err := req.RequestWith(wait, f.o.Client)
	if err != nil {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil {
			continue
		}
		why := f.topic(*t.Topic, t)
		for at, c := range f.cursors {
			if at.topic != *t.Topic || c.leader >= 0 || c.stopped {
				continue
			}
			if why != nil {
				c.stopped = true
				stopped = append(stopped, &Part{Topic: at.topic, Partition: at.partition, of: c, Err: why,
					from: c.offset, end: c.offset})
			} else {
				f.led(c, t)
			}
		}
	}
	return stopped, !f.waiting(topics)
}

// topic notes what is known of a topic, and returns why its partitions must stop.
func (f *Fetcher) topic(name string, t *kmsg.MetadataResponseTopic) error {
	err := kerr.ErrorForCode(t.ErrorCode)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		delete(f.missing, name)
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		since, ok := f.missing[name]
		if !ok {
			f.missing[name] = time.Now()
		} else if time.Since(since) > missingFor {
			delete(f.missing, name)
			return err
		}
		return nil
	case err != nil && (passes(err) || kerr.IsRetriable(err)):
		return nil
	case err != nil:
		return err
	}
	id, was := uuid(t.TopicID), f.ids[name]
	if id != was && was != (uuid{}) {
		for at, c := range f.cursors {
			if at.topic == name && c.leader >= 0 {
				c.leader = -1 // it stops with the others
			}
		}
		delete(f.ids, name)
		return fmt.Errorf("topic %s was deleted and created again", name)
	}
	f.ids[name] = id
	return nil
}

// led notes the leader of a partition, if it has one now, and lets its source ask.
func (f *Fetcher) led(c *cursor, t *kmsg.MetadataResponseTopic) {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Partition != c.partition {
			continue
		}
		err := kerr.ErrorForCode(p.ErrorCode)
		if p.Leader < 0 || err != nil && !errors.Is(err, kerr.ReplicaNotAvailable) {
			return
		}
		c.leader, c.term = p.Leader, p.LeaderEpoch
		s := f.sources[c.leader]
		if s == nil {
			s = &source{f: f, broker: c.leader, changed: make(chan struct{}, 1), asked: map[place]*cursor{},
				names: map[uuid]string{}}
			f.sources[c.leader] = s
			f.running.Go(func() { s.loop(f.run) })
		}
		f.wake(c.leader)
		return
	}
}
