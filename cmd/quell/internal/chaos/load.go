package chaos

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/bench/workload"
	"quell/correlate"
)

// load appends a storm to the raw topic, open-loop: at its rate, whatever becomes of it. Every
// record that a broker acknowledged is in the ledger, so that what the log holds is known from
// whoever wrote it and not only from the log.
type load struct {
	topic string
	event bool // records carry the story's time
	cl    *kgo.Client
	cut   func()
	wg    sync.WaitGroup
	jump  atomic.Bool

	sent, acked atomic.Int64

	mu     sync.Mutex
	ledger [rawPartitions]map[int64]string // by offset: the event's id, "" if it is none
	failed error
}

// leap is how far log time jumps while a stale archiver is away.
const leap = correlate.Hour

// garbageEvery is how many events come to one record that is no event.
const garbageEvery = 400

func newLoad(addr, topic string, event bool) (*load, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DisableClientMetrics(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond),
		kgo.MaxBufferedRecords(500_000), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	l := &load{topic: topic, event: event, cl: cl, cut: func() {}}
	for p := range l.ledger {
		l.ledger[p] = map[int64]string{}
	}
	return l, nil
}

// story is one storm after another, each beginning where the last one ended.
type story struct {
	seed   uint64
	rate   int
	storm  *workload.Storm
	last   correlate.Time
	length correlate.Duration
}

// next returns the next event, and takes up a new storm when one is over or time is to jump.
func (s *story) next(jump bool) workload.Item {
	if jump {
		s.storm, s.last = nil, s.last.Add(leap)
	}
	for {
		if s.storm == nil {
			s.seed++
			s.storm = workload.NewStorm(workload.Options{Seed: s.seed, Start: s.last,
				Events: s.rate * int(s.length/correlate.Second), Length: s.length})
		}
		if item, ok := s.storm.Next(); ok {
			s.last = max(s.last, item.At)
			return item
		}
		s.storm = nil
	}
}

// start begins to append, rate events a second, until stop. Alerts of one key go to one partition.
func (l *load) start(seed uint64, rate int, from correlate.Time) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cut = cancel
	s := &story{seed: seed, rate: rate, last: from, length: 20 * correlate.Second}
	l.wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for n := int64(0); ctx.Err() == nil; <-tick.C {
			for due := int64(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
				l.one(s.next(l.jump.Swap(false)), n)
			}
		}
	})
}

func (l *load) one(item workload.Item, n int64) {
	id := idOf(item.Value)
	if n%garbageEvery == garbageEvery-1 {
		item.Value, id = item.Value[:len(item.Value)/2], ""
	}
	r := &kgo.Record{Topic: l.topic, Key: item.Key, Value: item.Value,
		Partition: int32(xxhash.Sum64(item.Key) % rawPartitions)}
	if l.event {
		r.Timestamp = item.At.Std()
	}
	l.produce(r, id)
}

// idOf cuts the id out of an event of a storm, which begins with it.
func idOf(value []byte) string {
	rest := value[len(`{"id":"`):]
	return string(rest[:bytes.IndexByte(rest, '"')])
}

// produce appends one record and enters it when it is acknowledged.
func (l *load) produce(r *kgo.Record, id string) {
	l.sent.Add(1)
	l.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch have, again := l.ledger[r.Partition][r.Offset]; {
		case err != nil:
			l.failed = fmt.Errorf("the load could not be appended: %w", err)
		case again:
			l.failed = fmt.Errorf("the broker gave offset %d of partition %d to %q and to %q", r.Offset,
				r.Partition, have, id)
		default:
			l.ledger[r.Partition][r.Offset] = id
			l.acked.Add(1)
		}
	})
}

// stop ends the load and returns when everything was acknowledged; start may follow.
func (l *load) stop(ctx context.Context) error {
	l.cut()
	l.wg.Wait()
	if err := l.cl.Flush(ctx); err != nil {
		return fmt.Errorf("the load is not acknowledged: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func (l *load) close() {
	l.cut()
	l.wg.Wait()
	l.cl.Close()
}
