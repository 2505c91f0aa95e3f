package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// prober sends a critical event every few milliseconds, each of a service that nobody has heard of,
// in turn for each pair of raw and alerts partition. How long its page takes is what somebody would
// have waited who was to be paged at that moment.
type prober struct {
	w    *world
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu   sync.Mutex
	sent []sample
}

// sample is one probe, and in the end how long its page took.
type sample struct {
	service     string
	raw, alerts int32
	at          time.Time
	took        time.Duration
}

// probing starts a prober.
func (w *world) probing(every time.Duration) *prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{w: w, stop: cancel}
	w.probes++
	name := w.probes
	p.wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			p.one(fmt.Sprintf("prober-%d-%d", name, n), n)
			<-tick.C
		}
	})
	return p
}

func (p *prober) one(service string, n int) {
	alerts := p.w.topics.AlertsPartitions
	s := sample{service: service, raw: int32(n % rawPartitions),
		alerts: int32(n/rawPartitions) % alerts, at: time.Now()}
	p.w.load.produce(&kgo.Record{Topic: p.w.load.topic, Partition: s.raw, Key: []byte(service),
		Value: critical(service, scopeOf(s.alerts, alerts))}, service)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, s)
}

// end stops the probes, waits until every one has paged, and returns them with what they took.
func (p *prober) end(ctx context.Context) ([]sample, error) {
	p.stop()
	p.wg.Wait()
	err := until(ctx, flowWithin, "every probe has its page", func() (bool, error) {
		p.w.pager.mu.Lock()
		defer p.w.pager.mu.Unlock()
		for i := range p.sent {
			seen, ok := p.w.pager.first[p.sent[i].service]
			if !ok {
				return false, fmt.Errorf("none yet of raw partition %d for alerts partition %d, sent %v ago",
					p.sent[i].raw, p.sent[i].alerts, time.Since(p.sent[i].at).Round(time.Millisecond))
			}
			p.sent[i].took = seen.Sub(p.sent[i].at)
		}
		return true, nil
	})
	return p.sent, err
}

// p99 is the 99th percentile of what the samples took that keep says yes to.
func p99(all []sample, keep func(*sample) bool) (time.Duration, int) {
	var took []time.Duration
	for i := range all {
		if keep(&all[i]) {
			took = append(took, all[i].took)
		}
	}
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[min(len(took)*99/100, len(took)-1)], len(took)
}
