package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// build makes the state: as many open alerts as asked for, below page_at, and for the other
// fingerprints events that say that something is over. Intake remembers those like any other; the
// engine, which never heard that it began, forgets after alert_memory.
func (m *measuring) build(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.broker.Addr()), kgo.DisableClientMetrics(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(200_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	scopes := make([]string, m.topics.AlertsPartitions)
	for a := range scopes {
		scopes[a] = scopeOf(int32(a), m.topics.AlertsPartitions)
	}
	var failed error
	for n := range m.o.Fingerprints {
		status := "resolved"
		if n < m.o.Alerts {
			status = "firing"
		}
		cl.Produce(ctx, &kgo.Record{Topic: m.load.topic, Partition: int32(n % rawPartitions),
			Value: fmt.Appendf(nil, `{"id":"state-%d","scope":%q,"service":"service-%d","entity":"host-%d",`+
				`"check":"state","severity":"warning","status":%q,"summary":"part of a large state"}`, n,
				scopes[n/rawPartitions%len(scopes)], n%200, n, status)}, func(_ *kgo.Record, err error) {
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("append the state: %w", failed)
	}
	return m.built(ctx)
}

// built waits until the state is everywhere: in the archive, in the engines, in the checkpoints.
func (m *measuring) built(ctx context.Context) error {
	err := until(ctx, 5*time.Minute, "the state is built", func() (bool, error) {
		pauseFor(ctx, time.Second)
		n, err := m.archived(ctx)
		if err != nil || n < int64(m.o.Fingerprints) {
			return false, fmt.Errorf("%d events are archived: %w", n, err)
		}
		if m.rec.Alerts, err = m.metric(ctx, "quell_alerts_live"); err != nil {
			return false, err
		}
		lag, err := m.metric(ctx, "quell_consumer_lag_records")
		want := int64(m.o.Alerts)
		if err != nil || lag > 100 || m.rec.Alerts < want || m.rec.Alerts > want*11/10 {
			return false, fmt.Errorf("%d alerts are live, %d records not worked off: %w", m.rec.Alerts, lag, err)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	m.rec.Fingerprints, err = m.store.number(ctx,
		"SELECT uniqExact(fingerprint) FROM "+m.database()+".events")
	if err != nil {
		return err
	}
	m.book.note("built: %d fingerprints, %d alerts", m.rec.Fingerprints, m.rec.Alerts)
	return until(ctx, 2*time.Minute, "the checkpoints hold the state", func() (bool, error) {
		pauseFor(ctx, 2*time.Second)
		all, err := m.checkpointsOf(ctx)
		if err != nil {
			return false, err
		}
		for p := range rawPartitions {
			positions := all[fmt.Sprintf("intake/%s/%d", m.load.topic, p)]
			if len(positions) == 0 || positions[len(positions)-1] < int64(m.o.Fingerprints/rawPartitions) {
				return false, fmt.Errorf("raw partition %d has checkpoints at %v", p, positions)
			}
		}
		return true, nil
	})
}

// metric adds up the series of a name over all processes.
func (w *world) metric(ctx context.Context, name string) (sum int64, err error) {
	for _, n := range w.running() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.listen+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(body)) {
			series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
			if !ok || !strings.HasPrefix(series, name+"{") {
				continue
			}
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("metric %s of %s: %w", name, n.name, err)
			}
			sum += int64(v)
		}
	}
	return sum, nil
}
