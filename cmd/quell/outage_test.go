package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/kafkatest"
)

// probe measures how long pages take: services that nobody has heard of fall ill, and each pages at
// once. It sees a page when a read_committed consumer does, and takes both ends of the way from the
// broker's clock and its own, which are the same machine's.
type probe struct {
	*cluster
	mu       sync.Mutex
	appended map[string]time.Time // by service: when the broker appended the event
	paged    map[string]time.Time // when it appended the page
	seen     map[string]time.Time // when the page was visible
	phases   []*phase
	stop     func()
}

// phase is a time under certain circumstances.
type phase struct {
	name     string
	services []string
}

func (w *world) probe() *probe {
	p := &probe{cluster: w.cluster, appended: map[string]time.Time{}, paged: map[string]time.Time{},
		seen: map[string]time.Time{}}
	cl := w.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"quell.pages": {0: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { p.see(r, time.Now()) })
		}
	})
	p.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	w.t.Cleanup(p.stop)
	return p
}

func (p *probe) see(r *kgo.Record, now time.Time) {
	var in incident
	if err := json.Unmarshal(r.Value, &in); err != nil || in.Reason != "first" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, again := p.seen[in.Service]; !again {
		p.seen[in.Service], p.paged[in.Service] = now, r.Timestamp
	}
}

// run sends n probes, one every 50 ms, and returns when their pages have come.
func (p *probe) run(name string, n int) *phase {
	p.t.Helper()
	ph := &phase{name: name}
	p.phases = append(p.phases, ph)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		service := fmt.Sprintf("probe-%s-%d", name, i)
		ph.services = append(ph.services, service)
		p.cl.Produce(context.Background(), &kgo.Record{Topic: "quell.events", Key: []byte(service),
			Value: []byte(event(service, service, "host", "critical", "firing"))},
			func(r *kgo.Record, err error) {
				if err != nil {
					p.t.Errorf("probe: %v", err)
					return
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				p.appended[service] = r.Timestamp
			})
		<-tick.C
	}
	eventually(p.t, "every probe "+name+" has its page", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !slices.ContainsFunc(ph.services, func(s string) bool { return p.seen[s].IsZero() })
	})
	return ph
}

// figures returns quantiles of the time to the page's append and to its being visible.
func (p *probe) figures(ph *phase) (appended, visible func(q float64) time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var a, v []time.Duration
	for _, s := range ph.services {
		a = append(a, p.paged[s].Sub(p.appended[s]))
		v = append(v, p.seen[s].Sub(p.appended[s]))
	}
	slices.Sort(a)
	slices.Sort(v)
	of := func(d []time.Duration) func(float64) time.Duration {
		return func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)] }
	}
	return of(a), of(v)
}

func (p *probe) report(ph *phase) {
	p.t.Helper()
	a, v := p.figures(ph)
	p.t.Logf("%-22s %3d pages: appended p50 %v p99 %v; visible p50 %v p99 %v max %v", ph.name,
		len(ph.services), a(0.5), a(0.99), v(0.5), v(0.99), v(1))
}

// TestRealClickHouseOutage: ClickHouse is killed under load, is away for ten seconds, and comes back.
// Pages do not notice, and the archive is complete afterwards. Then the service is started while
// ClickHouse is away.
func TestRealClickHouseOutage(t *testing.T) {
	w := newWorld(t, "")
	l := w.load("quell.events", loadRate/2, continuing)
	w.service.waitFor("the load is under way", func() bool {
		return w.service.metric("quell_archived_rows_total", "table=events") > loadRate
	})
	p := w.probe()
	p.run("warm-up", 20)
	before := p.run("before", 200)
	w.clickhouse.kill()
	during := p.run("without-clickhouse", 200)
	if code, _ := w.service.readiness(); code != http.StatusOK {
		t.Errorf("/readyz says %d: a service that pages was taken out of service by its archive", code)
	}
	w.clickhouse.again(t)
	after := p.run("after", 100)
	for _, ph := range []*phase{before, during, after} {
		p.report(ph)
	}
	_, was := p.figures(before)
	_, is := p.figures(during)
	if limit := 3*was(0.99) + 300*time.Millisecond; is(0.99) > limit {
		t.Errorf("pages noticed that ClickHouse was away: p99 %v, before %v", is(0.99), was(0.99))
	}
	w.checkExactUnder(t, l)
	w.startWithoutClickHouse(t, p)
}

// checkExactUnder ends the load and checks everything.
func (w *world) checkExactUnder(t *testing.T, l *load) {
	t.Helper()
	l.stop()
	w.checkExact(t)
	w.checkContinuing(t)
}

// startWithoutClickHouse: a service that is started while ClickHouse is away pages, says that it is
// not ready and why, and is ready when ClickHouse comes.
func (w *world) startWithoutClickHouse(t *testing.T, p *probe) {
	w.service.terminate(stopWithin)
	w.clickhouse.kill()
	s := &service{process: start(t, "run", "--config", w.config), config: w.config, listen: w.service.listen}
	w.service = s
	s.waitFor("kafka is connected", func() bool {
		_, deps := s.readiness()
		return deps["kafka"] == "ok"
	})
	p.report(p.run("started-without", 50))
	if code, deps := s.readiness(); code != http.StatusServiceUnavailable || deps["clickhouse"] == "ok" ||
		deps["clickhouse"] == "" {
		t.Errorf("/readyz says %d %v while ClickHouse was never there", code, deps)
	}
	if log := s.stderr.String(); !strings.Contains(log, w.clickhouse.http) || !strings.Contains(log, "ClickHouse") {
		t.Errorf("the log does not say which ClickHouse is away: %s", tail(log, 1000))
	}
	w.clickhouse.again(t)
	s.waitReady(s.listen)
	w.checkExact(t)
	s.terminate(stopWithin)
}

// beyondSession is longer than the session of the groups that place quell's work: their members
// have given up everything when Kafka comes back.
const beyondSession = 12 * time.Second

// TestRealKafkaOutage: Kafka is away when the service is started, comes, goes while it works, comes
// back, is killed, and is away when the service is stopped.
func TestRealKafkaOutage(t *testing.T) {
	broker := kafkatest.Start(t, kafkatest.Options{})
	w := &world{cluster: dial(t, broker.Addr()), clickhouse: startClickHouse(t, nil)}
	listen := freeAddr(t)
	w.config = settings{kafka: broker.Addr(), clickhouse: w.clickhouse.address(), listen: listen}.file(t)
	quell(t, exitOK, "topics", "create", "--config", w.config)

	broker.Stop()
	began := time.Now()
	_, errs := quellWith(t, nil, exitFailure, "topics", "create", "--config", w.config, "--wait", "2s")
	if !strings.Contains(errs, broker.Addr()) || time.Since(began) > 20*time.Second {
		t.Errorf("topics create without Kafka said after %v: %s", time.Since(began), errs)
	}
	s := &service{process: start(t, "run", "--config", w.config), config: w.config, listen: listen}
	w.service = s
	s.waitFor("it says clearly, and more than once, that Kafka is away", func() bool {
		log := s.stderr.String()
		return strings.Count(log, "kafka does not answer; trying again") > 1 && strings.Contains(log, broker.Addr())
	})
	if code, deps := s.readiness(); code != http.StatusServiceUnavailable || deps["kafka"] == "ok" || deps["kafka"] == "" {
		t.Errorf("/readyz says %d %v without Kafka", code, deps)
	}
	if code, _ := get("http://" + listen + "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz says %d without Kafka: a restart would not help", code)
	}
	broker.Restart()
	s.waitReady(listen)

	l := w.load("quell.events", loadRate/4, continuing)
	p := w.probe()
	p.run("before", 20)
	for _, away := range []struct {
		name string
		does func()
		long time.Duration
	}{{"stop", broker.Stop, 0}, {"kill", broker.Kill, 0}, {"long-stop", broker.Stop, beyondSession}} {
		away.does()
		<-time.After(away.long)
		broker.Restart()
		began := time.Now()
		p.run("after-"+away.name, 1)
		t.Logf("the first page came %v after Kafka was back from a %s", time.Since(began), away.name)
	}
	w.checkExactUnder(t, l)

	broker.Stop()
	t.Logf("stop without Kafka: %v", s.terminate(stopWithin))
	early := start(t, "run", "--config", w.config)
	early.waitFor("it waits for Kafka", func() bool {
		return strings.Contains(early.stderr.String(), "kafka does not answer")
	})
	t.Logf("stop before Kafka came: %v", early.terminate(stopWithin))
}
