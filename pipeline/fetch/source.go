package fetch

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// source asks one broker for the partitions that it leads.
type source struct {
	f       *Fetcher
	broker  int32
	changed chan struct{}

	asked map[place]*cursor // by the request under way
	names map[uuid]string   // of the topics in it
}

// loop asks until ctx ends.
func (s *source) loop(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		req := s.request()
		if req == nil {
			select {
			case <-s.changed:
			case <-ctx.Done():
			}
			continue
		}
		parts, err := s.ask(ctx, req)
		if len(parts) > 0 {
			failures = 0
			select {
			case s.f.answers <- parts:
			case <-ctx.Done():
			}
		}
		if err == nil {
			failures = 0
		} else if pause(ctx, backoff(failures)) {
			failures++
		}
	}
}

// request returns what to ask, nil for nothing.
func (s *source) request() *kmsg.FetchRequest {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(s.asked)
	clear(s.names)
	topics := map[string]int{}
	req := kmsg.NewPtrFetchRequest()
	for at, c := range f.cursors {
		if c.leader != s.broker || c.paused || c.stopped {
			continue
		}
		n, ok := topics[at.topic]
		if !ok {
			n = len(req.Topics)
			topics[at.topic] = n
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = at.topic, f.ids[at.topic]
			req.Topics = append(req.Topics, t)
			s.names[t.TopicID] = at.topic
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = at.partition, c.offset, f.o.PartitionBytes
		p.CurrentLeaderEpoch, p.LastFetchedEpoch = c.term, c.epoch
		req.Topics[n].Partitions = append(req.Topics[n].Partitions, p)
		s.asked[at] = c
	}
	if len(req.Topics) == 0 {
		return nil
	}
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(f.o.Wait.Milliseconds()), 1, f.o.Bytes
	req.SessionEpoch = -1 // no session: it saves little for few partitions
	if f.o.Committed {
		req.IsolationLevel = 1
	}
	return req
}

// ask returns what the broker had. There is an error when it is better to wait before it is asked again.
func (s *source) ask(ctx context.Context, req *kmsg.FetchRequest) ([]*Part, error) {
	answer, err := s.f.o.Client.Broker(int(s.broker)).Request(ctx, req)
	if err == nil {
		if resp, ok := answer.(*kmsg.FetchResponse); !ok {
			err = fmt.Errorf("an answer of type %T to a fetch", answer)
		} else if err = kerr.ErrorForCode(resp.ErrorCode); err == nil {
			return s.parts(resp)
		}
	}
	// Whoever leads now may be another one.
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	for _, c := range s.asked {
		c.leader = -1
	}
	s.f.seek()
	return nil, err
}

// parts takes an answer apart and moves the cursors on.
func (s *source) parts(resp *kmsg.FetchResponse) (parts []*Part, err error) {
	f := s.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range resp.Topics {
		t := &resp.Topics[i]
		topic := t.Topic
		if topic == "" { // brokers name topics by id since version 13
			topic = s.names[t.TopicID]
		}
		for j := range t.Partitions {
			rp := &t.Partitions[j]
			c := s.asked[place{topic, rp.Partition}]
			if c == nil || !f.current(c) {
				continue
			}
			p, failed := s.part(c, rp)
			if failed != nil {
				c.leader = -1
				f.seek()
				err = failed
			} else if p != nil {
				parts = append(parts, p)
			}
		}
	}
	return parts, err
}

// part returns what came of one partition, nil if that is nothing, or an error that passes by
// itself.
func (s *source) part(c *cursor, rp *kmsg.FetchResponseTopicPartition) (*Part, error) {
	p := &Part{Topic: c.topic, Partition: c.partition, High: rp.HighWatermark, memory: s.f.o.Memory,
		of: c, from: c.offset, end: c.offset, src: rp.RecordBatches}
	if s.f.o.Committed && rp.LastStableOffset >= 0 {
		p.High = min(p.High, rp.LastStableOffset)
	}
	p.unread = p.High
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
		if passes(err) {
			return nil, err
		}
		p.Err, c.stopped = err, true
		return p, nil
	}
	if d := &rp.DivergingEpoch; d.Epoch >= 0 || d.EndOffset >= 0 {
		p.Err, c.stopped = fmt.Errorf("%w: what was read up to %d is there only up to %d", ErrTruncated,
			c.offset, d.EndOffset), true
		return p, nil
	}
	if len(rp.RecordBatches) == 0 {
		if p.High == c.high {
			return nil, nil
		}
		c.high = p.High
		return p, nil
	}
	p.aborted = abortedOf(rp.AbortedTransactions)
	epoch := p.survey()
	if p.end == p.from && p.sound() {
		return nil, errPiece
	}
	c.offset, c.high = p.end, p.High
	if epoch >= 0 {
		c.epoch = epoch
	}
	return p, nil
}

// ErrTruncated is the error of a partition whose log lacks records that were read from it: a broker
// that did not have them was elected leader (unclean.leader.election.enable).
var ErrTruncated = errors.New("the log was cut back")

// errPiece is for an answer without one whole batch. Brokers since 0.10.1 send the first whole, however
// large it is; asking again at once would be a loop.
var errPiece = errors.New("the broker sent a piece of a batch")

// passes reports whether an error of a partition goes away by itself: its leader changes, or is not
// ready yet.
func passes(err error) bool {
	for _, e := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.ReplicaNotAvailable, // it leads no more, or not yet
		kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, // one of us has not heard of an election
		kerr.OffsetNotAvailable,                         // a new leader does not know its high watermark yet
		kerr.KafkaStorageError, kerr.UnknownServerError, // a disk failed: another broker will lead
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, // it was just made, or deleted: lead finds out
		kerr.InconsistentTopicID, kerr.RequestTimedOut, // likewise; an overloaded broker
		kerr.BrokerNotAvailable, kerr.ThrottlingQuotaExceeded, // it starts or stops; it asks for patience
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
