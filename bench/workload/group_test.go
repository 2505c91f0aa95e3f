package workload

import (
	"fmt"
	"slices"
	"testing"

	"quell/correlate"
)

// seen is an event as a correlator sees it, with the label that it does not see.
type seen struct {
	e        *emitter
	time     int // story ms
	severity correlate.Severity
	fault    int32
}

// rule is what a correlator decides about one event: the group key, and the session gap in ms (0
// for a group that never ends).
type rule func(v *seen) (key string, gap int)

// group is the obviously correct session grouper: an event joins the group of its key that has an
// event less than the gap away, whatever order they come in; a group is as wide as its events.
type group struct {
	id          string
	first, last int
}

type grouper struct {
	groups map[string][]group
	rows   map[Row]int64
	made   int
}

func newGrouper() *grouper {
	return &grouper{groups: map[string][]group{}, rows: map[Row]int64{}}
}

func (g *grouper) take(v *seen, r rule) {
	key, gap := r(v)
	g.rows[Row{Incident: g.find(key, gap, v.time), Fault: v.fault}]++
}

func (g *grouper) find(key string, gap, at int) string {
	of := g.groups[key]
	for i := len(of) - 1; i >= 0; i-- {
		if x := &of[i]; gap == 0 || at > x.first-gap && at < x.last+gap {
			x.first, x.last = min(x.first, at), max(x.last, at)
			return x.id
		}
	}
	g.made++
	g.groups[key] = append(of, group{id: fmt.Sprintf("%s#%d", key, g.made), first: at, last: at})
	return g.groups[key][len(of)].id
}

func scoreOf(t *testing.T, rows map[Row]int64, faults int) Quality {
	t.Helper()
	q, err := Score(faults, func(yield func(Row) bool) {
		for r, n := range rows {
			r.Events = n
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// The correlators. recommended is the rule set that the demo ships with; the others are what must
// not work.
func recommended(v *seen) (string, int) {
	e := v.e
	switch {
	case v.severity == correlate.Info:
		return e.scope + " chatter", 10_000
	case slices.Contains(housekeepingChecks[:], e.check):
		return e.scope + " housekeeping", 10_000
	case v.severity == correlate.Warning:
		return e.scope + " warnings", 10_000
	case e.cluster != "":
		return e.scope + " domain " + e.cluster, 3000
	}
	return e.scope + " rest " + e.service, 3000
}

func perScope(v *seen) (string, int)        { return v.e.scope, 0 }
func sessionPerScope(v *seen) (string, int) { return v.e.scope, 3000 }
func perFingerprint(v *seen) (string, int)  { return string(v.e.key), 0 }
func perService(v *seen) (string, int)      { return v.e.scope + v.e.service, 3000 }
func perHost(v *seen) (string, int)         { return v.e.scope + v.e.host, 3000 }
func perZone(v *seen) (string, int)         { return v.e.scope + v.e.zone, 3000 }
func perCluster(v *seen) (string, int)      { return v.e.scope + v.e.cluster, 3000 }
func perClusterEver(v *seen) (string, int) {
	key, _ := recommended(v)
	return key, 0
}

// simulate runs one storm through each correlator.
func simulate(t *testing.T, o Options, rules map[string]rule) map[string]Quality {
	t.Helper()
	s := NewStorm(o)
	groupers := map[string]*grouper{}
	for name := range rules {
		groupers[name] = newGrouper()
	}
	for {
		if _, ok := s.Next(); !ok {
			break
		}
		v := seen{e: s.current, time: s.said.time, severity: s.current.severityAt(s.said.time),
			fault: s.current.fault}
		for name, r := range rules {
			groupers[name].take(&v, r)
		}
	}
	out := map[string]Quality{}
	for name, g := range groupers {
		out[name] = scoreOf(t, g.rows, len(s.plan.faults))
	}
	return out
}
