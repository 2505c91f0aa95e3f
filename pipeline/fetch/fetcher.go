package fetch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options say how a Fetcher asks.
type Options struct {
	Client *kgo.Client // it must not consume

	PartitionBytes int32         // of one partition in an answer; a single batch may be larger
	Bytes          int32         // of an answer
	Wait           time.Duration // that a broker may wait until something comes
	// Committed reads no record of a transaction before that has been committed, and nothing behind it: a
	// partition can be read up to its last stable offset then, otherwise to its high watermark.
	Committed bool

	Memory Memory
}

// Fetcher reads partitions. Its methods may be called by any goroutine, but a Part that Poll returned
// belongs to whoever got it.
type Fetcher struct {
	o Options

	mu      sync.Mutex
	cursors map[place]*cursor
	ids     map[string]uuid // of topics
	missing map[string]time.Time
	sources map[int32]*source
	stale   chan struct{} // has a token when some partition's leader is to be found out
	run     context.Context
	running sync.WaitGroup

	answers chan []*Part
}

type place struct {
	topic     string
	partition int32
}

type uuid [16]byte

// cursor is one partition's time with a Fetcher.
type cursor struct {
	place
	offset  int64 // to ask for next
	high    int64 // that was told, or -1
	epoch   int32 // of the leader of the last batch that was read, or -1
	leader  int32 // broker, or -1 while it is not known
	term    int32 // the leader's epoch, or -1
	paused  bool
	stopped bool // it brought an error
}

// New returns a Fetcher that does nothing until Run.
func New(o Options) *Fetcher {
	return &Fetcher{o: o, cursors: map[place]*cursor{}, ids: map[string]uuid{}, missing: map[string]time.Time{},
		sources: map[int32]*source{}, stale: make(chan struct{}, 1), answers: make(chan []*Part)}
}

// Run asks until ctx ends, and returns when nothing that it started is left.
func (f *Fetcher) Run(ctx context.Context) {
	f.mu.Lock()
	f.run = ctx
	f.mu.Unlock()
	f.lead(ctx)
	f.running.Wait()
}

// Add begins to read a partition at offset. One that is read already begins anew there.
func (f *Fetcher) Add(topic string, partition int32, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := place{topic, partition}
	f.cursors[at] = &cursor{place: at, offset: offset, high: -1, epoch: -1, leader: -1, term: -1}
	f.seek()
}

// Remove ends the reading of a partition: Poll returns nothing of it any more.
func (f *Fetcher) Remove(topic string, partition int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.cursors, place{topic, partition})
}

// Pause stops asking for a partition, or asks again. What was asked for before still comes.
func (f *Fetcher) Pause(topic string, partition int32, paused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.cursors[place{topic, partition}]; c != nil {
		c.paused = paused
		f.wake(c.leader)
	}
}

// Poll waits for the next answer, or the end of ctx: then it returns nothing. While what it returns is
// read, the next answer is under way. The parts must be closed.
func (f *Fetcher) Poll(ctx context.Context) []*Part {
	select {
	case parts := <-f.answers:
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.DeleteFunc(parts, func(p *Part) bool { return f.cursors[place{p.Topic, p.Partition}] != p.of })
	case <-ctx.Done():
		return nil
	}
}

// seek asks for a look at who leads what.
func (f *Fetcher) seek() {
	select {
	case f.stale <- struct{}{}:
	default:
	}
}

// wake tells the source of a broker that it has something else to ask.
func (f *Fetcher) wake(broker int32) {
	if s := f.sources[broker]; s != nil {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// current reports whether c is still being read.
func (f *Fetcher) current(c *cursor) bool { return f.cursors[c.place] == c }

// backoff is the wait before the n-th try of whatever is tried again: 50 ms, doubled, at most 2 s.
func backoff(n int) time.Duration { return min(50*time.Millisecond<<min(n, 6), 2*time.Second) }

// pause waits for d or the end of ctx, and reports whether that goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
