package try

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

// produce appends the plan to the raw topic: keyed by fingerprint, which is also what places a
// record, so that all events of one alert meet in one partition; record time is event time.
func (t *trial) produce(ctx context.Context) error {
	n := t.pipeline.Topics.Raw[0].Partitions
	t.lines = make([][]int32, n)
	for p := range n {
		t.ends[correlate.RawPartition{Topic: t.o.Topic, Partition: p}] = 0
	}
	var mu sync.Mutex
	var failed error
	promise := func(r *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil && failed == nil {
			failed = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
		}
	}
	for i := range t.plan.Items {
		it := &t.plan.Items[i]
		p := int32(it.Index % uint64(n))
		t.lines[p] = append(t.lines[p], int32(i))
		t.cl.Produce(ctx, &kgo.Record{Topic: t.o.Topic, Partition: p, Value: it.Value,
			Key: hex.AppendEncode(nil, it.Key[:]), Timestamp: it.Time.Std()}, promise)
		if i%8192 == 0 {
			t.o.Progress("appending", int64(i), int64(len(t.plan.Items)))
		}
	}
	if err := t.cl.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	if failed != nil {
		return failed
	}
	return t.verify(ctx)
}

// verify makes sure that offsets are what lines assumes: the topic was new and nobody else wrote.
func (t *trial) verify(ctx context.Context) error {
	ends, err := t.adm.ListEndOffsets(ctx, t.o.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of %s: %w", t.o.Topic, err)
	}
	for p := range t.lines {
		end, _ := ends.Lookup(t.o.Topic, int32(p))
		if end.Offset != int64(len(t.lines[p])) {
			return fmt.Errorf("%s/%d ends at %d after %d lines were appended", t.o.Topic, p,
				end.Offset, len(t.lines[p]))
		}
		t.ends[correlate.RawPartition{Topic: t.o.Topic, Partition: int32(p)}] = end.Offset
	}
	return nil
}
