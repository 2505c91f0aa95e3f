package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/bench/workload"
	"quell/correlate"
)

const (
	wantedRate = 100_000         // background, events a second
	share      = 0.6             // of what whole has drained, at most
	warmUp     = 2 * time.Second // in which the background's alerts become known
	measured   = 8 * time.Second // in which probes are sent
	probeEvery = 50 * time.Millisecond
	patience   = 20 * time.Second // for the last pages
	burstEvery = 2 * time.Millisecond
)

const probeName = "probe-"

// live measures page latency under load, and what the load costs.
func (b *run) live(ctx context.Context) error {
	set := b.setting("live")
	set.raw = b.s.prefix + ".live"
	if err := b.s.create(ctx, set); err != nil {
		return err
	}
	p := Part{Do: partLive, Config: set.yaml(), Kafka: b.s.kafka, ClickHouse: b.s.engineURL,
		Unchecked: !b.o.Checkpoints}
	c, err := begin(ctx, p)
	if err != nil {
		return err
	}
	if _, err := c.next(ctx); err != nil {
		return err
	}
	b.r.Live = Live{Wanted: wantedRate, Offered: b.rate()}
	b.o.Note(fmt.Sprintf("page latency at %.0f events/s", b.r.Live.Offered))
	g := &generator{run: b, topic: set.raw, service: c.pid(), due: map[int]time.Time{}}
	err = g.send(ctx)
	var pages map[int]time.Time
	if err == nil {
		pages, err = b.awaitPages(ctx, set, g.probes)
	}
	gaveUp := time.Now()
	if err = errors.Join(err, c.stop()); err != nil {
		return fmt.Errorf("page latency: %w", err)
	}
	appends, err := b.appends(ctx, set.raw)
	if err != nil {
		return err
	}
	b.latency(g, appends, pages, gaveUp)
	return nil
}

// rate is what is offered: as much as was asked for, else as much as the machine can do.
func (b *run) rate() float64 {
	if b.o.Rate > 0 {
		return float64(b.o.Rate)
	}
	can := share * b.r.Row(rowWhole).EventsPerSecond
	return min(wantedRate, max(1000, float64(int(can/1000)*1000)))
}

// generator sends background and probes at moments that depend on nothing but the clock.
type generator struct {
	*run
	topic   string
	service int // process
	due     map[int]time.Time
	probes  int
	sent    int64
	mem     arena
	failed  failure
}

func (g *generator) send(ctx context.Context) error {
	cl, err := g.s.producing(kgo.ProducerLinger(2*time.Millisecond), kgo.MaxBufferedRecords(8<<20))
	if err != nil {
		return err
	}
	defer cl.Close()
	rate := g.r.Live.Offered
	events := int(rate * (warmUp + measured).Seconds())
	l, err := workload.NewLoad(workload.LoadOptions{Name: g.o.Workload, Seed: g.o.Seed + 1, Events: max(events, 1),
		Fingerprints: max(1, min(events, int(g.r.Fingerprints*int64(events)/g.r.Events))),
		Start:        correlate.TimeOf(time.Now()), PerSecond: max(1, int(rate))})
	if err != nil {
		return err
	}
	burst := time.NewTicker(burstEvery)
	defer burst.Stop()
	began := time.Now()
	var first usage
	m := meter{broker: g.s.brokerPID, engine: g.s.engine.pid()}
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-burst.C:
		}
		since := min(time.Since(began), warmUp+measured)
		ended = since == warmUp+measured
		for g.sent < int64(since.Seconds()*rate) {
			value, key, ok := l.Next()
			if !ok {
				break
			}
			g.sent++
			cl.Produce(ctx, &kgo.Record{Topic: g.topic, Key: g.mem.keep(key), Value: g.mem.keep(value)}, g.failed.note)
		}
		if since < warmUp {
			continue
		}
		if first.at.IsZero() {
			first = m.read()
			first.cpu, _ = processorTime(g.service)
		}
		for ; warmUp+time.Duration(g.probes)*probeEvery <= since; g.probes++ {
			g.probe(ctx, cl, began.Add(warmUp+time.Duration(g.probes)*probeEvery))
		}
	}
	last := m.read()
	last.cpu, _ = processorTime(g.service)
	g.account(first, last)
	g.r.Live.Achieved = float64(g.sent) / time.Since(began).Seconds()
	return errors.Join(cl.Flush(ctx), g.failed.first())
}

// probe sends one event that pages alone.
func (g *generator) probe(ctx context.Context, cl *kgo.Client, due time.Time) {
	name := probeName + strconv.Itoa(g.probes)
	g.due[g.probes] = due
	value := fmt.Appendf(nil, `{"time":%q,"source":"prober","scope":"production","service":"probe","entity":%q,`+
		`"check":"probe","severity":"critical","status":"firing","summary":"a probe"}`,
		correlate.TimeOf(due).String(), name)
	cl.Produce(ctx, &kgo.Record{Topic: g.topic, Key: []byte(name), Value: value}, g.failed.note)
}

// account turns two readings into cores.
func (g *generator) account(first, last usage) {
	live, took := &g.r.Live, last.at.Sub(first.at).Seconds()
	live.Seconds, live.Cores = took, (last.cpu-first.cpu).Seconds()/took
	engine := (last.engine - first.engine).Seconds() / took
	live.Engine = &engine
	if g.s.brokerPID > 0 {
		broker := (last.broker - first.broker).Seconds() / took
		live.Broker = &broker
	}
}

// awaitPages reads the pages topic until every probe was paged, or patience ends, and returns when each
// page became visible.
func (b *run) awaitPages(ctx context.Context, set setting, probes int) (map[int]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.s.kafka), kgo.DisableClientMetrics(), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(set.prefix+".pages"),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	seen, open := map[int]time.Time{}, map[int32][]*kgo.Record{}
	for len(seen) < probes {
		fetches := cl.PollFetches(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return seen, nil // the report tells how many have none
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				open[r.Partition] = append(open[r.Partition], r)
				return
			}
			for _, page := range open[r.Partition] {
				if n, ok := probeOf(page.Value); ok {
					if _, twice := seen[n]; !twice {
						seen[n] = later(page.Timestamp, r.Timestamp)
					}
				}
			}
			open[r.Partition] = open[r.Partition][:0]
		})
	}
	return seen, nil
}

// later guards against a marker without a time of its own.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// probeOf returns the number of the probe that a page is about.
func probeOf(page []byte) (int, bool) {
	var p struct{ Group []struct{ Value string } }
	if !bytes.Contains(page, []byte(probeName)) || json.Unmarshal(page, &p) != nil || len(p.Group) != 1 {
		return 0, false
	}
	rest, ok := bytes.CutPrefix([]byte(p.Group[0].Value), []byte(probeName))
	n, err := strconv.Atoi(string(rest))
	return n, ok && err == nil
}

// appends reads the raw topic and returns when each probe was appended.
func (b *run) appends(ctx context.Context, topic string) (map[int]time.Time, error) {
	ends, err := endsOf(ctx, kadm.NewClient(b.s.cl), topic)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]kgo.Offset{}
	for id := range ends[topic] {
		offsets[id] = kgo.NewOffset().AtStart()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.s.kafka), kgo.DisableClientMetrics(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	out := map[int]time.Time{}
	for left := total(ends[topic]); left > 0; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			if rest, ok := bytes.CutPrefix(r.Key, []byte(probeName)); ok {
				if n, err := strconv.Atoi(string(rest)); err == nil {
					out[n] = r.Timestamp
				}
			}
		})
	}
	return out, nil
}

// latency joins appends and pages.
func (b *run) latency(g *generator, appends, pages map[int]time.Time, gaveUp time.Time) {
	var took, late []float64
	live := &b.r.Live
	for n := range g.probes {
		late = append(late, milliseconds(appends[n].Sub(g.due[n])))
		if page, ok := pages[n]; ok {
			took = append(took, milliseconds(page.Sub(appends[n])))
		} else {
			live.Unpaged++
			took = append(took, milliseconds(gaveUp.Sub(appends[n])))
		}
	}
	live.Probes, live.Late = g.probes, percentile(late, 99)
	b.r.PageLatency = Latency{P50: percentile(took, 50), P99: percentile(took, 99), Max: percentile(took, 100)}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// percentile returns the smallest value that p percent of the values do not exceed (nearest rank), 0
// without any.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
