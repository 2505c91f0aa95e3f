package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// endsOf returns the end of each partition of a topic.
func endsOf(ctx context.Context, adm *kadm.Client, topic string) (map[int32]int64, error) {
	return offsetsOf(ctx, topic, adm.ListEndOffsets)
}

// offsetsOf asks until it is told: a broker that just came back has no leaders for a moment.
func offsetsOf(ctx context.Context, topic string,
	list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	out := map[int32]int64{}
	err := until(ctx, 30*time.Second, "the offsets of "+topic+" are known", func() (bool, error) {
		listed, err := list(ctx, topic)
		if err == nil {
			err = listed.Error()
		}
		listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
		return true, err
	})
	return out, err
}

// reach is a range of a partition, and who may see what of it.
type reach struct {
	addr      string
	topic     string
	partition int32
	to        int64 // exclusive
	committed bool  // as a read_committed consumer sees it
}

// each reads a partition from its beginning up to r.to.
func (r reach) each(ctx context.Context, f func(*kgo.Record) error) error {
	if r.to <= 0 {
		return nil
	}
	isolation := kgo.ReadUncommitted()
	if r.committed {
		isolation = kgo.ReadCommitted()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.DisableClientMetrics(),
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			r.topic: {r.partition: kgo.NewOffset().At(0)}}))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for next := int64(0); next < r.to; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("read %s/%d: stuck at %d of %d", r.topic, r.partition, next, r.to)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			rec := iter.Next()
			if next = rec.Offset + 1; rec.Offset >= r.to {
				return nil
			}
			if rec.Attrs.IsControl() {
				continue
			}
			if err := f(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// visible returns what a read_committed consumer sees of a partition.
func visible(ctx context.Context, addr string, adm *kadm.Client, topic string, partition int32,
) ([]*kgo.Record, error) {
	stable, err := offsetsOf(ctx, topic, adm.ListCommittedOffsets)
	if err != nil {
		return nil, err
	}
	var out []*kgo.Record
	err = reach{addr, topic, partition, stable[partition], true}.each(ctx, func(r *kgo.Record) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

// committed is what an engine's owner commits with its outputs. Position is the next offset to fold,
// Hash the engine's after what lies before it.
type committed struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// readCommitted returns the newest position that is committed for an alerts partition.
func readCommitted(ctx context.Context, addr, snapshots string, partition int32) (committed, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DisableClientMetrics())
	if err != nil {
		return committed{}, err
	}
	defer cl.Close()
	records, err := visible(ctx, addr, kadm.NewClient(cl), snapshots, partition)
	if err != nil {
		return committed{}, err
	}
	for i := len(records) - 1; i >= 0; i-- {
		if strings.HasSuffix(string(records[i].Key), "/position") {
			var c committed
			err := json.Unmarshal(records[i].Value, &c)
			return c, err
		}
	}
	return committed{}, nil
}

// checkpointed is what is kept of each checkpoint of one unit: how far it had read.
type checkpointed struct {
	Position *int64 `json:"position"`
}

// checkpointsOf returns the positions of all checkpoints that a read_committed consumer sees, by
// unit, in the order in which they count.
func (w *world) checkpointsOf(ctx context.Context) (map[string][]int64, error) {
	out := map[string][]int64{}
	for p := range w.topics.ArchivePartitions {
		records, err := visible(ctx, w.broker.Addr(), w.adm, w.topics.Checkpoints, p)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			unit, ok := strings.CutSuffix(string(r.Key), "/manifest")
			if !ok {
				continue
			}
			var c checkpointed
			if err := json.Unmarshal(r.Value, &c); err != nil {
				return nil, fmt.Errorf("checkpoint of %s at %d: %w", unit, r.Offset, err)
			}
			if c.Position != nil {
				out[unit] = append(out[unit], *c.Position)
			}
		}
	}
	return out, nil
}
