package workload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"quell/correlate"
)

// native is the event as its reader decodes it.
type native struct {
	ID                                    string
	Time                                  correlate.Time
	Source, Scope, Service, Entity, Check string
	Severity                              correlate.Severity
	Status                                correlate.Status
	Summary, URL, Value                   string
	Labels                                map[string]string
}

func all(o Options) (*Storm, []Item) {
	s := NewStorm(o)
	var items []Item
	for {
		item, ok := s.Next()
		if !ok {
			return s, items
		}
		items = append(items, item)
	}
}

func hash(items []Item) uint64 {
	h := fnv.New64a()
	for _, i := range items {
		fmt.Fprintf(h, "%s %s %d %d %d\n", i.Value, i.Key, i.At, i.Time, i.Fault)
	}
	return h.Sum64()
}

func TestSameSeedSameBytes(t *testing.T) {
	_, a := all(Options{Seed: 7, Events: 5000})
	_, b := all(Options{Seed: 7, Events: 5000})
	_, c := all(Options{Seed: 8, Events: 5000})
	if hash(a) != hash(b) {
		t.Error("one seed gave two storms")
	}
	if hash(a) == hash(c) {
		t.Error("two seeds gave one storm")
	}
	_, d := all(Options{Seed: 7, Events: 5000, Start: defaultStart + 86_400_000})
	for i := range a {
		if a[i].Fault != d[i].Fault || d[i].At-a[i].At != 86_400_000 ||
			len(a[i].Value) != len(d[i].Value) {
			t.Fatalf("event %d: another start is another story", i)
		}
	}
	const pinned = 0xf2e5581aebee29f // changes only on purpose: published figures name seeds
	if got := hash(a); got != pinned {
		t.Errorf("the storm of seed 7 has changed: %#x", got)
	}
}

// TestEveryEventIsWhatItsItemSays decodes what the templates rendered.
func TestEveryEventIsWhatItsItemSays(t *testing.T) {
	s, items := all(Options{Seed: 3, Events: 10_000})
	truth := s.Truth()
	bytesTotal := 0
	var at correlate.Time
	for i, item := range items {
		var e native
		d := json.NewDecoder(bytes.NewReader(item.Value))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil || d.More() {
			t.Fatalf("event %d: %v\n%s", i, err, item.Value)
		}
		bytesTotal += len(item.Value)
		fault, ok := truth.FaultOf(e.ID)
		key := strings.Join([]string{e.Scope, e.Service, e.Entity, e.Check}, "/")
		switch {
		case !ok || fault != item.Fault:
			t.Fatalf("event %d: id %s says fault %d, the item %d", i, e.ID, fault, item.Fault)
		case e.Time != item.Time || key != string(item.Key):
			t.Fatalf("event %d: %s %s is not %s %s", i, e.Time, key, item.Time, item.Key)
		case item.At < at:
			t.Fatalf("event %d is sent before the one before it", i)
		case item.Time > item.At || item.At-item.Time > 3500:
			t.Fatalf("event %d is sent at %s but speaks of %s", i, item.At, item.Time)
		case e.Summary == "" || strings.HasPrefix(e.Summary, " ") || e.URL == "" || e.Value == "" ||
			e.Source == "" || len(e.Labels) < 4:
			t.Fatalf("event %d lacks something: %s", i, item.Value)
		}
		at = item.At
	}
	if mean := bytesTotal / len(items); mean < 360 || mean > 440 {
		t.Errorf("an event has %d bytes on average, want 400 +- 10 %%", mean)
	}
}

// TestProportions: what the package comment promises is in every storm.
func TestProportions(t *testing.T) {
	for _, events := range []int{2000, 20_000} {
		for seed := range uint64(3) {
			s, items := all(Options{Seed: seed, Events: events})
			c := census(s, items)
			if len(items) != events {
				t.Errorf("%d events instead of %d", len(items), events)
			}
			for _, p := range []struct {
				what   string
				n      int
				lo, hi float64 // shares of all events
			}{
				{"background", c.background, 0.30, 0.47},
				{"redelivered", c.redelivered, 0.01, 0.04},
				{"duplicates from another monitor", c.otherSource, 0.2, 0.6},
				{"late by a second", c.late, 0.01, 0.03},
				{"resolved", c.resolved, 0.005, 0.2},
				{"severity rises", c.rises, 1 / float64(events), 0.1},
				{"info", c.severities[correlate.Info], 0.1, 0.35},
				{"warning", c.severities[correlate.Warning], 0.05, 0.35},
			} {
				if share := float64(p.n) / float64(events); share < p.lo || share > p.hi {
					t.Errorf("%d events, seed %d: %s: %.4f, want %v to %v", events, seed, p.what, share,
						p.lo, p.hi)
				}
			}
		}
	}
}

type counts struct {
	background, redelivered, otherSource, late, resolved, rises int
	severities                                                  [5]int
}

func census(s *Storm, items []Item) counts {
	var c counts
	type last struct {
		source   string
		severity correlate.Severity
	}
	seen, ids := map[string]last{}, map[string]bool{}
	for _, item := range items {
		var e native
		if json.Unmarshal(item.Value, &e) != nil {
			continue // TestEveryEventIsWhatItsItemSays tells
		}
		before, known := seen[string(item.Key)]
		count := func(n *int, yes bool) {
			if yes {
				*n++
			}
		}
		count(&c.background, item.Fault == Noise)
		count(&c.redelivered, ids[e.ID])
		count(&c.otherSource, known && before.source != e.Source && !ids[e.ID])
		count(&c.late, item.At-item.Time >= 1000)
		count(&c.resolved, e.Status == correlate.Resolved)
		count(&c.rises, known && item.Fault != Noise && e.Severity > before.severity)
		c.severities[e.Severity]++
		seen[string(item.Key)] = last{e.Source, e.Severity}
		ids[e.ID] = true
	}
	return c
}

// TestFates: alerts of faults resolve at once, late, or never, and some flap.
func TestFates(t *testing.T) {
	s := NewStorm(Options{Seed: 5, Events: 200_000})
	resolves := map[int]int{}
	for _, v := range s.plan.statements {
		if v.resolved {
			resolves[v.emitter] = v.at
		}
	}
	var all, prompt, late, never, flapping, unlabelled int
	for i := range s.plan.emitters {
		e := &s.plan.emitters[i]
		if e.fault == Noise {
			continue
		}
		all++
		if e.flap > 0 {
			flapping++
		}
		if e.cluster == "" {
			unlabelled++
		}
		switch at, ok := resolves[i]; {
		case !ok:
			never++
		case at-e.end < 1000:
			prompt++
		default:
			late++
		}
	}
	share := func(n int) int { return n * 100 / all }
	if share(prompt) < 50 || share(late) < 12 || share(never) < 8 || share(flapping) < 2 ||
		unlabelled == 0 {
		t.Errorf("of %d alerts %d resolve at once, %d late, %d never; %d flap, %d have no cluster", all,
			prompt, late, never, flapping, unlabelled)
	}
}

// TestFaults: unequal, overlapping in their scope, close in their cluster but Quiet apart.
func TestFaults(t *testing.T) {
	kinds := map[kind]int{}
	for seed := range uint64(12) {
		s, _ := all(Options{Seed: seed, Events: 20_000})
		overlaps, successors, small, large := 0, 0, int64(1<<60), int64(0)
		faults := s.plan.faults
		for i := range faults {
			a := &faults[i]
			kinds[a.kind]++
			small, large = min(small, s.counts[a.id]), max(large, s.counts[a.id])
			for j := range faults {
				b := &faults[j]
				if i == j || a.scope != b.scope || a.start > b.start {
					continue
				}
				if b.start < a.end {
					overlaps++
				}
				if !shares(a.clusters, b.clusters) {
					continue
				}
				apart := b.start - a.end - latest
				if apart < int(Quiet) {
					t.Errorf("seed %d: faults %d and %d of one cluster are %d ms apart", seed, a.id, b.id, apart)
				}
				if apart < int(Quiet)+4000 {
					successors++
				}
			}
		}
		if small == 0 || large < 4*small || overlaps < 3 || successors < 1 {
			t.Errorf("seed %d: %d faults of %d to %d events, %d overlaps, %d successors", seed, len(faults),
				small, large, overlaps, successors)
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds of faults: %v", kinds)
	}
}

func shares(a, b []int) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// TestAnySize: however small, large, short or long, a storm has exactly its events and ends.
func TestAnySize(t *testing.T) {
	for _, o := range []Options{
		{Events: 1}, {Events: 2}, {Events: 7}, {Events: 50}, {Events: 400}, {Events: 999},
		{Events: 3000, Length: 1}, {Events: 3000, Length: correlate.Second},
		{Events: 3000, Length: 24 * correlate.Hour}, {Events: 3000, Scopes: 1, Clusters: 1, Faults: 1},
		{Events: 3000, Scopes: 99, Services: 99, Hosts: 1, Faults: 500}, {Events: 3000, Background: 900},
		{Events: 50_000, Faults: 200, Clusters: 40},
	} {
		s, items := all(o)
		if len(items) != o.Events {
			t.Errorf("%+v: %d events", o, len(items))
		}
		if len(s.plan.faults) == 0 {
			t.Errorf("%+v: no fault", o)
		}
		for _, f := range s.Truth().Faults {
			if o.Events >= 2000 && (f.Events == 0 || f.Alerts == 0) {
				t.Errorf("%+v: fault %d never shows", o, f.ID)
			}
		}
	}
}

func BenchmarkStorm(b *testing.B) {
	b.ReportAllocs()
	total := int64(0)
	s := NewStorm(Options{Seed: 1, Events: 1_000_000})
	for b.Loop() {
		item, ok := s.Next()
		if !ok {
			s = NewStorm(Options{Seed: 1, Events: 1_000_000})
			item, _ = s.Next()
		}
		total += int64(len(item.Value))
	}
	b.SetBytes(total / int64(b.N))
}

func BenchmarkPlan(b *testing.B) {
	for b.Loop() {
		NewStorm(Options{Seed: 1, Events: 1_000_000})
	}
}
