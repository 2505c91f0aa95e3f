package bench

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/bench/workload"
)

// producing returns the options of a producer as monitoring systems have them: Kafka's own hash of the
// key, lz4, a few milliseconds of linger.
func (s *stage) producing(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.kafka), kgo.DisableClientMetrics(),
		kgo.ClientID("bench-monitors"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(1 << 20)}, more...)...)
}

// arena keeps what a load yields until the producer has sent it.
type arena struct{ buf []byte }

func (a *arena) keep(b []byte) []byte {
	if cap(a.buf)-len(a.buf) < len(b) {
		a.buf = make([]byte, 0, max(1<<20, len(b)))
	}
	n := len(a.buf)
	a.buf = append(a.buf, b...)
	return a.buf[n:len(a.buf):len(a.buf)]
}

// failure remembers the first error of what was produced.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) note(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *failure) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// preload produces a whole load to a topic and returns the average size of an event.
func (s *stage) preload(ctx context.Context, topic string, l *workload.Load) (eventBytes float64, err error) {
	cl, err := s.producing()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var mem arena
	var failed failure
	sent, size := 0, 0
	for ; ; sent++ {
		value, key, ok := l.Next()
		if !ok {
			break
		}
		size += len(value)
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: mem.keep(key), Value: mem.keep(value)}, failed.note)
		if n := l.Together(); n > 0 && (sent+1)%n == 0 {
			if err := cl.Flush(ctx); err != nil {
				return 0, err
			}
		}
	}
	err = cl.Flush(ctx)
	if err == nil {
		err = failed.first()
	}
	if err != nil {
		return 0, fmt.Errorf("produce the workload: %w", err)
	}
	return float64(size) / float64(sent), nil
}
