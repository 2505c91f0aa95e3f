package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/bench/workload"
	"quell/correlate"
)

// ahead is how much of the story is sent at once: sleeping for less costs more than it shows.
const ahead = 5 * correlate.Millisecond

// player sends the events of stories to the raw topic, each at its moment.
type player struct {
	cl    *kgo.Client
	topic string

	sent  atomic.Int64 // acknowledged by the broker
	begun atomic.Int64 // when the present story began, ms

	first  time.Time // when the first event was given to the client
	truths []*workload.Truth

	mu     sync.Mutex
	failed error
}

func newPlayer(cl *kgo.Client, topic string) *player { return &player{cl: cl, topic: topic} }

// told returns how far the present story is.
func (p *player) told() time.Duration {
	begun := p.begun.Load()
	if begun == 0 {
		return 0
	}
	return min(time.Since(time.UnixMilli(begun)), StoryLength.Std())
}

// play tells one story and returns when the broker has all of it, or telling ended and the broker
// has what was sent until then. What is on its way goes on until sending ends.
func (p *player) play(telling, sending context.Context, seed uint64, events int) error {
	start := correlate.TimeOf(time.Now())
	p.begun.Store(int64(start))
	if p.first.IsZero() {
		p.first = start.Std()
	}
	storm := workload.NewStorm(workload.Options{Seed: seed, Events: events, Length: StoryLength,
		Start: start})
	now := start
	for telling.Err() == nil {
		item, more := storm.Next()
		if !more {
			break
		}
		if item.At > now {
			now = await(telling, item.At)
		}
		p.cl.Produce(sending, &kgo.Record{Topic: p.topic, Key: item.Key, Value: item.Value}, p.promise)
	}
	p.truths = append(p.truths, storm.Truth())
	if err := p.cl.Flush(sending); err != nil {
		return fmt.Errorf("send the story: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// await waits until the story has come to at, and returns up to when it may be told now.
func await(ctx context.Context, at correlate.Time) correlate.Time {
	wait := time.NewTimer(time.Until(at.Std()))
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	}
	return max(at, correlate.TimeOf(time.Now())).Add(ahead)
}

func (p *player) promise(_ *kgo.Record, err error) {
	if err == nil {
		p.sent.Add(1)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = fmt.Errorf("send an event to %s: %w", p.topic, err)
	}
}
