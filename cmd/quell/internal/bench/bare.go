package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bare reads the raw topic to its end with clients of franz-go's defaults and discards it.
func (p *Part) bare(ctx context.Context, say *json.Encoder) error {
	var clients []*kgo.Client
	defer func() {
		for _, cl := range clients {
			cl.Close()
		}
	}()
	for range p.Clients {
		cl, err := kgo.NewClient(kgo.SeedBrokers(p.Kafka), kgo.DisableClientMetrics())
		if err != nil {
			return err
		}
		clients = append(clients, cl)
	}
	ends, err := endsOf(ctx, kadm.NewClient(clients[0]), p.Raw)
	if err != nil {
		return err
	}
	var all int64
	shares := make([]map[int32]kgo.Offset, len(clients))
	for id, end := range ends[p.Raw] {
		which := int(id) % len(clients)
		if shares[which] == nil {
			shares[which] = map[int32]kgo.Offset{}
		}
		shares[which][id] = kgo.NewOffset().AtStart()
		all += end
	}
	r := &discarding{m: p.meter(), left: all}
	if err := r.m.begin(); err != nil {
		return err
	}
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for i, cl := range clients {
		cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{p.Raw: shares[i]})
		wg.Go(func() { errs[i] = r.read(ctx, cl, stop) })
	}
	wg.Wait()
	if r.left > 0 {
		return errors.Join(append(errs, fmt.Errorf("%d of %d records were not read", r.left, all))...)
	}
	row := r.m.row(rowBare, r.last, all-r.before)
	row.Clients = len(clients)
	return errors.Join(say.Encode(answer{Row: &row}), r.m.close())
}

// discarding counts what its clients read.
type discarding struct {
	mu     sync.Mutex
	m      *meter
	left   int64
	before int64 // records that had come when the window began
	begun  bool
	last   usage
}

func (r *discarding) read(ctx context.Context, cl *kgo.Client, stop func()) error {
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil && ctx.Err() == nil {
			return err
		}
		done, err := r.count(int64(fetches.NumRecords()))
		if err != nil {
			return err
		}
		if done {
			stop()
		}
	}
	return nil
}

func (r *discarding) count(n int64) (done bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left -= n
	if n > 0 && !r.begun && r.left > 0 { // were the first all, the window is the process's life
		r.begun, r.before = true, n
		if err := r.m.begin(); err != nil {
			return false, err
		}
	}
	if r.left <= 0 && r.last.at.IsZero() {
		r.last = r.m.read()
	}
	return r.left <= 0, nil
}

// endsOf returns how many records each partition of the topics has had.
func endsOf(ctx context.Context, adm *kadm.Client, topics ...string) (map[string]map[int32]int64, error) {
	listed, err := adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %v: %w", topics, err)
	}
	out := map[string]map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if out[o.Topic] == nil {
			out[o.Topic] = map[int32]int64{}
		}
		out[o.Topic][o.Partition] = o.Offset
	})
	return out, nil
}

func total(of map[int32]int64) (n int64) {
	for _, v := range of {
		n += v
	}
	return n
}
