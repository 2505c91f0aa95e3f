package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"quell/correlate"
)

// LoadKind is a load's name and what there is to say about it.
type LoadKind struct {
	Name, About string
	Events      int // made by default

	fresh    int // of a thousand events so many are about an alert that was not there before
	together int // records that a producer sends together; 0: as many as it has
	flaps    bool
	huge     bool
	hostile  bool
}

// LoadKinds returns the loads there are. Their names, and what a seed makes of them, are stable:
// figures of two releases can be compared.
func LoadKinds() []LoadKind {
	return []LoadKind{
		{Name: "storm", Events: 1_000_000, fresh: 100,
			About: "nine of ten events repeat an alert that is known, drawn evenly from all of them"},
		{Name: "distinct", Events: 400_000, fresh: 1000, About: "every event is an alert of its own"},
		{Name: "trickle", Events: 40_000, fresh: 50, together: 10,
			About: "what costs by the batch: records come ten at a time"},
		{Name: "flapping", Events: 300_000, fresh: 10, flaps: true,
			About: "every alert fires and clears in turns, so every event passes on"},
		{Name: "huge", Events: 60_000, fresh: 100, huge: true,
			About: "60 labels an event, 10 kB"},
		{Name: "adversarial", Events: 200_000, fresh: 100, hostile: true,
			About: "dedup keys with one xxHash64, entities that regular expressions dread, deep JSON, " +
				"a quarter of that too deep"},
	}
}

// LoadOptions say what load to make. Zero values stand for the defaults in brackets.
type LoadOptions struct {
	Name         string // [storm]
	Seed         uint64
	Events       int            // [the kind's]
	Fingerprints int            // distinct alerts [the kind's part of the events]
	Start        correlate.Time // of the first event's own time [2026-01-01T00:00:00Z]
	PerSecond    int            // events in a second of their own time [100,000]
}

// Load is a stream of events whose proportions are exact: what a benchmark sends, where a Storm is
// what a demonstration tells. It belongs to one goroutine.
//
// Alerts are numbered in the order of their first events, and everything about an alert follows
// from its number. One in a hundred is critical; 200 services share them evenly.
type Load struct {
	o        LoadOptions
	kind     LoadKind
	random   *rand.PCG
	stamp    stamp
	emitted  int
	alerts   int    // that there have been
	turned   []bool // flapping alerts that are cleared now
	colliers []string
	labels   []string // of huge events: an alert has one of these
	key      []byte
	value    []byte
}

// NewLoad prepares a load.
func NewLoad(o LoadOptions) (*Load, error) {
	if o.Name == "" {
		o.Name = "storm"
	}
	kinds := LoadKinds()
	i := slices.IndexFunc(kinds, func(k LoadKind) bool { return k.Name == o.Name })
	if i < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, k.Name)
		}
		return nil, fmt.Errorf("workload %q does not exist: there are %s", o.Name, strings.Join(names, ", "))
	}
	k := kinds[i]
	fill(&o.Events, k.Events)
	fill(&o.Fingerprints, max(1, o.Events*k.fresh/1000))
	fill(&o.PerSecond, 100_000)
	if o.Start == 0 {
		o.Start = defaultStart
	}
	if o.Fingerprints > o.Events {
		return nil, fmt.Errorf("%d fingerprints need as many events, and there are %d", o.Fingerprints, o.Events)
	}
	l := &Load{o: o, kind: k, random: rand.NewPCG(o.Seed, 3)}
	switch {
	case k.flaps:
		l.turned = make([]bool, o.Fingerprints)
	case k.huge:
		d := newDice(o.Seed, 4)
		for range 64 {
			l.labels = append(l.labels, manyLabels(d))
		}
	case k.hostile:
		l.colliers = colliding(newDice(o.Seed, 5), loadScope, colliders)
	}
	return l, nil
}

// Options returns the options with their defaults filled in.
func (l *Load) Options() LoadOptions { return l.o }

// Together returns how many records a producer should send at once, 0 for as many as it has.
func (l *Load) Together() int { return l.kind.together }

// Next returns the next event and the key of its Kafka record, which is one for one alert; false
// after the last. Both are valid until the next call.
func (l *Load) Next() (value, key []byte, ok bool) {
	if l.emitted == l.o.Events {
		return nil, nil, false
	}
	r := l.random.Uint64()
	// Of what is left, the part that is left of the fingerprints is new: exact in the end.
	alert := l.alerts
	if r>>32%uint64(l.o.Events-l.emitted) < uint64(l.o.Fingerprints-l.alerts) || l.alerts == 0 {
		l.alerts++
	} else {
		alert = int(l.random.Uint64() % uint64(l.alerts))
	}
	at := l.o.Start.Add(correlate.Duration(int64(l.emitted) * 1000 / int64(l.o.PerSecond)))
	l.value, l.key = l.render(l.value[:0], l.key[:0], alert, at, uint32(r))
	l.emitted++
	return l.value, l.key, true
}
