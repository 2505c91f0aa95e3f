package demo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"quell/correlate"
	"quell/pipeline"
)

// Figures are what a picture shows of one moment. Counts are of the whole run.
type Figures struct {
	Since   time.Duration // the demo began
	Story   int           // 1, 2, 3 ...
	Seed    uint64        // of the story
	OfStory time.Duration // how much of it is told
	Ending  bool          // no more events will be sent

	Sent       int64 // events that the broker has
	Events     int64 // of them, those that intake read
	Duplicates int64 // of those
	Rejected   int64
	Alerts     int64 // distinct
	Incidents  int64
	Pages      int64

	Open, Owned, Resolved int   // incidents by state: nobody's yet, acknowledged, over
	Archived              int64 // events and rejected records in ClickHouse
	Acknowledged, Closed  int64 // answers of the responder

	Rates Rates
}

// Rates are per second, over about the last second.
type Rates struct{ Events, Duplicates, Alerts, Incidents, Pages, Archived float64 }

// Behind is how many events were read and are not in ClickHouse yet.
func (f *Figures) Behind() int64 { return max(f.Events-f.Archived, 0) }

// figures reads the service's status.
func figures(st pipeline.Status) Figures {
	f := Figures{Pages: st.Pages, Archived: archivedRows(st)}
	for v, n := range st.Verdicts {
		f.Events += n
		switch v {
		case correlate.VerdictDuplicate, correlate.VerdictRedelivered:
			f.Duplicates += n
		case correlate.VerdictRejected:
			f.Rejected += n
		}
	}
	for _, e := range st.Engines {
		f.Alerts += int64(e.LiveAlerts)
		f.Incidents += int64(e.Pending + e.Open + e.Acknowledged + e.Resolved)
		f.Open += e.Pending + e.Open
		f.Owned += e.Acknowledged
		f.Resolved += e.Resolved
	}
	return f
}

func archivedRows(st pipeline.Status) int64 { return st.Rows["events"] + st.Rows["rejected"] }

// trend keeps the figures of the last second or so.
type trend struct{ past []Figures }

const span = 1500 * time.Millisecond

// rates adds f and returns the change since about a second ago.
func (t *trend) rates(f Figures) Rates {
	t.past = append(t.past, f)
	for len(t.past) > 2 && f.Since-t.past[1].Since >= span {
		t.past = t.past[1:]
	}
	from := t.past[0]
	s := (f.Since - from.Since).Seconds()
	if s <= 0 {
		return Rates{}
	}
	per := func(now, then int64) float64 { return max(float64(now-then)/s, 0) }
	return Rates{Events: per(f.Events, from.Events), Duplicates: per(f.Duplicates, from.Duplicates),
		Alerts: per(f.Alerts, from.Alerts), Incidents: per(f.Incidents, from.Incidents),
		Pages: per(f.Pages, from.Pages), Archived: per(f.Archived, from.Archived)}
}

// watch looks at the run several times a second, shows it, and remembers what only somebody who
// looks all the time can know: when the last event was archived.
type watch struct {
	screen Screen
	began  time.Time
	ending atomic.Bool

	mu       sync.Mutex
	number   int
	seed     uint64
	archived int64
	last     time.Time // when ClickHouse took the newest of them
}

// lookEvery is how often: 8 pictures a second.
const lookEvery = 125 * time.Millisecond

func newWatch(screen Screen, began time.Time) *watch { return &watch{screen: screen, began: began} }

// story says that the next story begins.
func (w *watch) story(seed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number++
	w.seed = seed
}

// Run looks until ctx ends.
func (w *watch) Run(ctx context.Context, look func() Figures) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var t trend
	for {
		f := look()
		f.Since, f.Ending = time.Since(w.began), w.ending.Load()
		w.mu.Lock()
		f.Story, f.Seed = w.number, w.seed
		w.mu.Unlock()
		f.Rates = t.rates(f)
		w.screen.Show(&f)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// note remembers when the newest event was archived.
func (w *watch) note(st pipeline.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := archivedRows(st); n > w.archived {
		w.archived, w.last = n, st.LastRow
	}
}

func (w *watch) lastArchived() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
