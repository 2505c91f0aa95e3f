package dedup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quell/correlate"
)

// twin is the table written for reading: Go maps, real stream times, no storage to speak of, every
// question answered by looking at everything. Semantics that the two share by mistake would have to
// be misread twice.
type twin struct {
	config  Config
	stamps  []correlate.Time // of all records
	now     correlate.Time
	entries map[correlate.Fingerprint]*twinEntry
}

type twinEntry struct {
	last, passed          correlate.Time
	firstEvent            correlate.Time
	lastEvent             correlate.Time
	count                 uint64
	episode               int64
	pending               []twinEvent // counted since the last pass-on or flush that fell due
	statements            []string    // the last four that had an id
	labels                string
	severity              correlate.Severity
	status                correlate.Status
	home                  uint16
	fired, flushedAlready bool
}

type twinEvent struct {
	offset int64
	time   correlate.Time
}

func newTwin(t testing.TB, c Config) *twin {
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &twin{config: c, entries: map[correlate.Fingerprint]*twinEntry{}}
}

func (w *twin) advance(ts correlate.Time) (correlate.Time, correlate.Duration) {
	w.stamps = append(w.stamps, clampTime(ts))
	newest := slices.Max(w.stamps[max(0, len(w.stamps)-1024):])
	var moved correlate.Duration
	if newest > w.now {
		w.now = newest
	} else if w.now.Sub(newest) > w.config.MaxSkew {
		moved = newest.Sub(w.now)
		w.now = newest
		for _, n := range w.entries {
			n.last, n.passed = n.last.Add(moved), n.passed.Add(moved)
		}
	}
	return w.now, moved
}

func (w *twin) forget() {
	for fp, n := range w.entries {
		if w.now.Sub(n.last) >= w.config.Window {
			delete(w.entries, fp)
		}
	}
}

func (n *twinEntry) due(c Config) correlate.Time { return n.passed.Add(c.UpdateInterval) }

// flushes returns what is owed and due at limit.
func (w *twin) flushes(limit correlate.Time) (out []Owed) {
	for fp, n := range w.entries {
		if len(n.pending) == 0 || n.flushedAlready || n.due(w.config) > limit {
			continue
		}
		n.flushedAlready = true
		out = append(out, Owed{Fingerprint: fp, Home: n.home, Severity: n.severity, Status: n.status,
			Count: n.count, Episode: n.episode, FirstOffset: n.pending[0].offset,
			Offset: n.pending[len(n.pending)-1].offset, First: n.firstEvent, Since: n.since(),
			Last: n.lastEvent, Received: n.last, Due: n.due(w.config)})
	}
	slices.SortFunc(out, func(a, b Owed) int {
		if a.Due != b.Due {
			return int(a.Due - b.Due)
		}
		return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:])
	})
	return out
}

func (n *twinEntry) since() correlate.Time {
	at := n.pending[0].time
	for _, p := range n.pending {
		at = min(at, p.time)
	}
	return at
}

func (w *twin) labelsOf(e *correlate.Event) string {
	var b strings.Builder
	for _, name := range w.config.PassOn {
		value := ""
		for _, l := range e.Labels {
			if l.Name == name {
				value = l.Value
			}
		}
		fmt.Fprintf(&b, "%q", value)
	}
	return b.String()
}

func (w *twin) observe(s Sighting, e *correlate.Event) Seen {
	w.forget()
	n := w.entries[s.Fingerprint]
	if n == nil {
		if len(w.entries) >= w.config.MaxEntries {
			return Seen{correlate.VerdictOverLimit, e.Status == correlate.Firing, 1, s.Offset, s.Offset,
				e.Time, e.Time, e.Time}
		}
		n = &twinEntry{firstEvent: e.Time, lastEvent: e.Time, episode: s.Offset}
		w.entries[s.Fingerprint] = n
	}
	statement := fmt.Sprint(e.ID, e.Severity, e.Status)
	if e.ID != "" && slices.Contains(n.statements, statement) {
		return Seen{correlate.VerdictRedelivered, n.fired, n.count, n.episode, s.Offset, n.firstEvent,
			e.Time, n.lastEvent}
	}
	if n.count > 0 && w.now >= n.due(w.config) {
		n.pending = nil
	}
	n.pending = append(n.pending, twinEvent{s.Offset, e.Time})
	verdict := w.verdict(n, e)
	if e.ID != "" {
		n.statements = append(n.statements, statement)
		n.statements = n.statements[max(0, len(n.statements)-4):]
	}
	if verdict != correlate.VerdictDuplicate || w.now >= n.due(w.config) {
		n.passed = w.now
	}
	n.count++
	n.last, n.home, n.flushedAlready = w.now, s.Home, false
	n.firstEvent, n.lastEvent = min(n.firstEvent, e.Time), max(n.lastEvent, e.Time)
	n.severity, n.status, n.labels = e.Severity, e.Status, w.labelsOf(e)
	n.fired = n.fired || e.Status == correlate.Firing
	seen := Seen{verdict, n.fired, n.count, n.episode, n.pending[0].offset, n.firstEvent, n.since(),
		n.lastEvent}
	if verdict != correlate.VerdictDuplicate {
		n.pending = nil
	}
	return seen
}

func (w *twin) verdict(n *twinEntry, e *correlate.Event) correlate.Verdict {
	switch {
	case n.count == 0:
		return correlate.VerdictNew
	case n.severity != e.Severity, n.status != e.Status, n.labels != w.labelsOf(e):
		return correlate.VerdictChanged
	case e.Status == correlate.Resolved:
		return correlate.VerdictDuplicate
	case w.now >= n.due(w.config):
		return correlate.VerdictUpdate
	}
	return correlate.VerdictDuplicate
}

// record is one raw record of a random storm.
type record struct {
	stamp correlate.Time
	idle  correlate.Duration // how far a caller's timer runs ahead of the log before it comes
	event correlate.Event
	fp    correlate.Fingerprint
}

// storm makes n random records that visit the corners: equal stamps, exact window and interval
// boundaries, clocks that are wrong forwards and backwards, ids that come back, labels that flip.
func storm(rng *rand.Rand, c Config, n int) []record {
	fps := make([]correlate.Fingerprint, 1+rng.IntN(24))
	for i := range fps {
		for j := range fps[i] {
			fps[i][j] = byte(rng.Uint32())
		}
		if rng.IntN(4) == 0 { // neighbours in the index
			copy(fps[i][:4], "\xff\xff\xff\xff")
		}
	}
	steps := []correlate.Duration{0, 0, 0, 1, 1, 2, c.UpdateInterval - 1, c.UpdateInterval,
		c.UpdateInterval + 1, c.Window - 1, c.Window, c.Window + 1, -1, -c.UpdateInterval}
	out, ts := make([]record, n), correlate.Time(1_700_000_000_000)
	for i := range out {
		r := &out[i]
		step := steps[rng.IntN(len(steps))]
		if step >= c.Window-1 && rng.IntN(4) > 0 {
			step = 1
		}
		ts = ts.Add(step)
		r.stamp = ts
		switch rng.IntN(400) {
		case 0:
			r.stamp = ts.Add(1000 * c.Window)
		case 1:
			ts = ts.Add(-2 * c.MaxSkew)
		case 2:
			r.stamp = correlate.Time(rng.Uint64())
		case 3, 4, 5, 6, 7, 8:
			r.idle = correlate.Duration(rng.Int64N(int64(2 * c.Window)))
		}
		r.fp = fps[rng.IntN(len(fps))]
		r.event = correlate.Event{Time: r.stamp.Add(correlate.Duration(rng.IntN(200) - 100)),
			Severity: correlate.Warning, Status: correlate.Firing}
		if rng.IntN(6) == 0 {
			r.event.Status = correlate.Resolved
		}
		if rng.IntN(12) == 0 {
			r.event.Severity = correlate.Critical
		}
		if rng.IntN(3) == 0 {
			r.event.ID = string(rune('a' + rng.IntN(9)))
		}
		if rng.IntN(20) == 0 {
			r.event.Labels = []correlate.Label{{Name: "state", Value: "x"}, {Name: "user", Value: "y"}}
		}
	}
	return out
}

// stormConfig draws small bounds, so that they are hit.
func stormConfig(rng *rand.Rand) Config {
	c := Config{UpdateInterval: correlate.Duration(1 + rng.IntN(20)), PassOn: []string{"state"},
		MaxEntries: 1 + rng.IntN(24), MaxSkew: correlate.Duration(1 + rng.IntN(200))}
	c.Window = c.UpdateInterval + correlate.Duration(rng.IntN(100))
	return c
}

func table(t testing.TB, c Config) *Table {
	t.Helper()
	x, err := NewTable(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// step runs one record through the table as intake does.
func (r *record) step(x *Table, offset int64, emit func(Owed)) Seen {
	now, _ := x.Advance(r.stamp)
	x.Due(now, emit)
	return *x.Observe(&Sighting{now, offset, r.fp, uint16(r.fp[0]), nil}, &r.event)
}

func TestTableAgreesWithTwin(t *testing.T) {
	verdicts, rebases, flushes := [10]int{}, 0, 0
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := stormConfig(rng)
		x, w := table(t, c), newTwin(t, c)
		records := storm(rng, c, 3000)
		ahead := make([]Ahead, len(records))
		for i, r := range records {
			offset := int64(i * 3)
			if seed%2 == 0 && i%64 == 0 { // what was found out may be out of date when it is used
				warm(x, records[i:min(i+64, len(records))], ahead[i:])
			}
			if r.idle > 0 { // a timer ahead of the log changes flushes, never verdicts
				compareFlushes(t, seed, i, x, w, x.Now().Add(r.idle))
			}
			now, moved := x.Advance(r.stamp)
			if now2, moved2 := w.advance(r.stamp); now != now2 || moved != moved2 {
				t.Fatalf("seed %d, record %d: stream time %v moved by %v, twin %v, %v", seed, i, now,
					moved, now2, moved2)
			}
			flushes += compareFlushes(t, seed, i, x, w, now)
			s := Sighting{now, offset, r.fp, uint16(r.fp[0]), nil}
			if seed%2 == 0 {
				s.Ahead = &ahead[i]
			}
			got, want := *x.Observe(&s, &r.event), w.observe(s, &r.event)
			if got != want {
				t.Fatalf("seed %d, record %d %+v:\n table %+v\n twin  %+v", seed, i, r, got, want)
			}
			verdicts[got.Verdict]++
			if moved != 0 {
				rebases++
			}
		}
		for queued, i := map[uint32]bool{}, 0; i < len(x.queue); i++ {
			if slot := x.queue[i].slot; queued[slot] {
				t.Fatalf("seed %d: slot %d is queued twice", seed, slot)
			} else {
				queued[slot] = true
			}
		}
		compareFlushes(t, seed, -1, x, w, never)
	}
	for _, v := range []correlate.Verdict{correlate.VerdictNew, correlate.VerdictChanged,
		correlate.VerdictUpdate, correlate.VerdictDuplicate, correlate.VerdictRedelivered,
		correlate.VerdictOverLimit} {
		if verdicts[v] < 500 {
			t.Errorf("verdict %v was given %d times: the storms are too tame", v, verdicts[v])
		}
	}
	if rebases < 20 || flushes < 1000 {
		t.Errorf("%d rebases, %d flushes: the storms are too tame", rebases, flushes)
	}
}

// warm lets the table look at records that are observed later.
func warm(x *Table, records []record, to []Ahead) {
	var fps []correlate.Fingerprint
	var events []correlate.Event
	for _, r := range records {
		fps, events = append(fps, r.fp), append(events, r.event)
	}
	x.Warm(fps, events, to[:len(records)])
}

func compareFlushes(t *testing.T, seed uint64, i int, x *Table, w *twin,
	now correlate.Time) int {
	t.Helper()
	var got []Owed
	emit := func(o Owed) { got = append(got, o) }
	if now == never {
		x.Drain(emit)
	} else {
		x.Due(now, emit)
	}
	if want := w.flushes(now); !slices.Equal(got, want) {
		t.Fatalf("seed %d, record %d, flushes at %v:\n table %+v\n twin  %+v", seed, i, now, got, want)
	}
	next, ok := x.NextDue()
	if ok && next <= now {
		t.Fatalf("seed %d, record %d: next flush is at %v after those at %v", seed, i, next, now)
	}
	return len(got)
}
