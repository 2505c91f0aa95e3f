package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cluster is a test's own view of the brokers, beside the processes under test.
type cluster struct {
	t    *testing.T
	opts []kgo.Opt
	cl   *kgo.Client
	adm  *kadm.Client
}

func dial(t *testing.T, addr string, opts ...kgo.Opt) *cluster {
	t.Helper()
	c := &cluster{t: t, opts: append(opts, kgo.SeedBrokers(addr))}
	c.cl = c.client(kgo.ProducerLinger(0), kgo.ProducerBatchMaxBytes(16<<20),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	c.adm = kadm.NewClient(c.cl)
	return c
}

func (c *cluster) client(more ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append(append([]kgo.Opt{kgo.DisableClientMetrics()}, c.opts...), more...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// produce sends values, and waits until the broker has them; nil is a tombstone.
func (c *cluster) produce(topic string, values ...[]byte) []*kgo.Record {
	c.t.Helper()
	out := make([]*kgo.Record, len(values))
	for i, v := range values {
		out[i] = &kgo.Record{Topic: topic, Value: v}
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if err := c.cl.ProduceSync(ctx, out...).FirstErr(); err != nil {
		c.t.Fatalf("produce to %s: %v", topic, err)
	}
	return out
}

// ends returns how many records each partition of a topic had in its life.
func (c *cluster) ends(topic string) map[int32]int64 {
	c.t.Helper()
	return c.offsets(topic, c.adm.ListEndOffsets)
}

func (c *cluster) starts(topic string) map[int32]int64 {
	c.t.Helper()
	return c.offsets(topic, c.adm.ListStartOffsets)
}

func (c *cluster) offsets(topic string,
	list func(context.Context, ...string) (kadm.ListedOffsets, error)) map[int32]int64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	listed, err := list(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		c.t.Fatalf("offsets of %s: %v", topic, err)
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out
}

func total(offsets map[int32]int64) (n int64) {
	for _, o := range offsets {
		n += o
	}
	return n
}

// records returns everything that a read_committed consumer sees of a topic up to now.
func (c *cluster) records(topic string) []*kgo.Record {
	c.t.Helper()
	left, from := c.ends(topic), map[int32]kgo.Offset{}
	starts := c.starts(topic)
	for p, end := range left {
		if from[p] = kgo.NewOffset().AtStart(); end == starts[p] {
			delete(left, p)
			delete(from, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	cl := c.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			c.t.Fatalf("%s cannot be read to its end: %v partitions are left, ends %v", topic, len(left), left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return out
}

// load produces events at a steady rate until stop is called.
type load struct {
	sent  atomic.Int64 // acknowledged
	stop  func()       // returns when everything that was sent is acknowledged
	raw   string
	value func(n int64) (key, value string)
}

// load starts one; events of one key go to one partition.
func (c *cluster) load(topic string, perSecond int, value func(n int64) (key, value string)) *load {
	l := &load{raw: topic, value: value}
	cl := c.client(kgo.ProducerLinger(2 * time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for n := int64(0); ctx.Err() == nil; <-tick.C {
			for due := int64(time.Since(began).Seconds() * float64(perSecond)); n < due; n++ {
				key, value := l.value(n)
				cl.Produce(context.Background(), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)},
					func(_ *kgo.Record, err error) {
						if err != nil {
							c.t.Errorf("the load: %v", err)
							return
						}
						l.sent.Add(1)
					})
			}
		}
	})
	l.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := cl.Flush(context.Background()); err != nil {
			c.t.Errorf("the load: %v", err)
		}
	})
	c.t.Cleanup(l.stop)
	return l
}

// incident is what a reader of incidents and pages relies on.
type incident struct {
	ID       string `json:"id"`
	Revision int    `json:"revision"`
	Service  string `json:"service"`
	State    string `json:"state"`
	Severity string `json:"severity"`
	Reason   string `json:"reason"` // of a page
	Cause    string `json:"cause"`
	By       string `json:"by"`
	Events   int64  `json:"events"`
	Alerts   int64  `json:"alerts"`
	Paged    string `json:"paged"`
}

func (i *incident) name() string { return fmt.Sprintf("%s revision %d", i.ID, i.Revision) }

// incidents reads the incidents or the pages topic.
func (c *cluster) incidents(topic string) []incident {
	c.t.Helper()
	var out []incident
	for _, r := range c.records(topic) {
		var in incident
		if err := json.Unmarshal(r.Value, &in); err != nil {
			c.t.Fatalf("%s offset %d: %v: %s", topic, r.Offset, err, r.Value)
		}
		out = append(out, in)
	}
	return out
}
