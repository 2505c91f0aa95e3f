package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/pipeline/dedup"
)

// flowWithin bounds how long it may take after a fault until everything flows again. Pages may be
// held for a minute while a backlog is worked off.
const flowWithin = 100 * time.Second

// flows waits until everything that is appended from now on goes all the way: under the append
// clock a critical event in each raw partition for each alerts partition must page; under the event
// clock, where a page waits for the story, the archive must reach the end of the log.
func (w *world) flows(ctx context.Context, what string) error {
	if w.Clock == correlate.ClockEvent {
		return w.archivedUpTo(ctx, what)
	}
	services := w.probe()
	return until(ctx, flowWithin, what+": critical events of every partition page", func() (bool, error) {
		return w.pager.seen(services), w.healthy()
	})
}

// probe appends one critical event for each pair of raw and alerts partition, each of a service that
// nobody has heard of, and returns the services.
func (w *world) probe() []string {
	var services []string
	w.probes++
	for p := range int32(rawPartitions) {
		for a := range w.topics.AlertsPartitions {
			service := fmt.Sprintf("probe-%d-%d-%d", w.probes, p, a)
			services = append(services, service)
			w.load.produce(&kgo.Record{Topic: w.load.topic, Partition: p, Key: []byte(service),
				Value: critical(service, scopeOf(a, w.topics.AlertsPartitions))}, service)
		}
	}
	return services
}

// critical is an event that pages at once, and whose id is its service.
func critical(service, scope string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"scope":%q,"service":%[1]q,"entity":"probe","check":"probe",`+
		`"severity":"critical","status":"firing","summary":"is anybody there"}`, service, scope)
}

// scopeOf returns a scope whose alerts go to the alerts partition a of n.
func scopeOf(a, n int32) string {
	for i := 0; ; i++ {
		if s := fmt.Sprint("probe-", i); dedup.AlertsPartition(s, int(n)) == a {
			return s
		}
	}
}

// archivedUpTo waits until as many raw records are archived as the log has now.
func (w *world) archivedUpTo(ctx context.Context, what string) error {
	want := w.load.acked.Load()
	return until(ctx, flowWithin, fmt.Sprintf("%s: %d raw records are archived", what, want),
		func() (bool, error) {
			if err := w.healthy(); err != nil {
				return false, err
			}
			n, err := w.archived(ctx)
			return n >= want, err
		})
}

// archived is how many raw records have rows.
func (w *world) archived(ctx context.Context) (int64, error) {
	return w.store.number(ctx, fmt.Sprintf("SELECT (SELECT count() FROM %[1]s.events) + "+
		"(SELECT count() FROM %[1]s.rejected WHERE topic = '%[2]s')", w.database(), w.load.topic))
}

// drained waits until everything that was appended is read, correlated, committed and archived:
// every raw record has its row, and the position that is committed has passed the end that the
// alerts topic had after that. The audit that follows waits for what the archive lacks then.
func (w *world) drained(ctx context.Context) error {
	if err := w.archivedUpTo(ctx, "after the load"); err != nil {
		return err
	}
	quiet := 2 * time.Second // of the alerts topic; under the append clock ticks go on
	if w.Clock == correlate.ClockEvent {
		// Silent partitions say that they rest after five seconds; what waited for them applies then.
		if err := w.still(ctx, w.adm, 3*quiet+time.Second); err != nil {
			return err
		}
	}
	ends, err := endsOf(ctx, w.adm, w.topics.Alerts)
	if err != nil {
		return err
	}
	return until(ctx, time.Minute, "the committed positions reach the ends of the alerts topic",
		func() (bool, error) { return w.committedTo(ctx, ends) })
}

func (w *world) committedTo(ctx context.Context, ends map[int32]int64) (bool, error) {
	if err := w.healthy(); err != nil {
		return false, err
	}
	for p, end := range ends {
		c, err := readCommitted(ctx, w.broker.Addr(), w.topics.Snapshots, p)
		if err != nil {
			return false, err
		}
		if c.Position < end {
			pauseFor(ctx, 250*time.Millisecond) // a look reads the whole partition
			return false, fmt.Errorf("partition %d is committed up to %d of %d", p, c.Position, end)
		}
	}
	return true, nil
}

// still waits until nothing was appended to the alerts topic for a while.
func (w *world) still(ctx context.Context, adm *kadm.Client, quiet time.Duration) error {
	last, since := "", time.Now()
	return until(ctx, time.Minute, "the alerts topic comes to rest", func() (bool, error) {
		ends, err := endsOf(ctx, adm, w.topics.Alerts)
		if err != nil {
			return false, err
		}
		if now := fmt.Sprint(ends); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) >= quiet, nil
	})
}
