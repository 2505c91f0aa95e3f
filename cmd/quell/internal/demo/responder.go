package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/pipeline"
)

// Page is what the pages topic carries, as somebody outside of quell reads it.
type Page struct {
	Title string `json:"title"`
	correlate.Page
}

// responder is the paging service and the people behind it: it reads the pages topic and answers
// on the responses topic. What is answered, and when, is the desk's.
type responder struct {
	cl     *kgo.Client
	topics pipeline.Topics
	desk   *desk
	show   func(*Page)

	seen         atomic.Int64 // pages read
	busy         atomic.Int64 // answers planned and not sent yet
	acknowledged atomic.Int64
	resolved     atomic.Int64
	retired      atomic.Bool // says nothing any more

	mu   sync.Mutex
	ends map[correlate.RawPartition]int64 // of what it sent
}

func newResponder(seed uint64, cl *kgo.Client, topics pipeline.Topics, show func(*Page)) *responder {
	return &responder{cl: cl, topics: topics, desk: newDesk(seed), show: show,
		ends: map[correlate.RawPartition]int64{}}
}

// patience bounds a poll, and so how late an answer can be.
const patience = 100 * time.Millisecond

// Run reads and answers until ctx ends.
func (r *responder) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, patience)
		fetches := r.cl.PollFetches(poll)
		cancel()
		if err := r.read(fetches); err != nil {
			return err
		}
		if r.retired.Load() {
			continue
		}
		for _, response := range r.desk.due(time.Now()) {
			if err := r.send(ctx, &response); err != nil && ctx.Err() == nil {
				return err
			}
		}
		r.busy.Store(int64(r.desk.planned()))
	}
	return nil
}

func (r *responder) read(fetches kgo.Fetches) (failed error) {
	now, n := time.Now(), int64(0)
	fetches.EachRecord(func(rec *kgo.Record) {
		p := new(Page)
		if err := json.Unmarshal(rec.Value, p); err != nil {
			failed = fmt.Errorf("page at %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			return
		}
		r.desk.take(now, p)
		r.show(p)
		n++
	})
	r.busy.Store(int64(r.desk.planned())) // before seen: who sees all pages sees all plans
	r.seen.Add(n)
	return failed
}

// send puts one answer on the responses topic, under its incident's id.
func (r *responder) send(ctx context.Context, response *correlate.Response) error {
	value, err := json.Marshal(response)
	if err != nil {
		return err
	}
	rec, err := r.cl.ProduceSync(ctx, &kgo.Record{Topic: r.topics.Responses,
		Key: []byte(response.Incident), Value: value}).First()
	if err != nil {
		return fmt.Errorf("answer to %s: %w", r.topics.Responses, err)
	}
	if response.Action == correlate.ActionAcknowledge {
		r.acknowledged.Add(1)
	} else {
		r.resolved.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[correlate.RawPartition{Topic: rec.Topic, Partition: rec.Partition}] = rec.Offset + 1
	return nil
}

// idle reports whether so many pages were read and all that there is to say about them was said.
func (r *responder) idle(pages int64) bool { return r.seen.Load() >= pages && r.busy.Load() == 0 }

// said returns how many acknowledgements and resolutions were sent.
func (r *responder) said() (acknowledged, resolved int64) {
	return r.acknowledged.Load(), r.resolved.Load()
}

// addEnds adds where its answers end to the ends of what is to be read.
func (r *responder) addEnds(ends map[correlate.RawPartition]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, end := range r.ends {
		ends[p] = end
	}
}
