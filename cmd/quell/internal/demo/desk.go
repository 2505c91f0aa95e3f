package demo

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// desk is the people on call: pages come in, answers go out later. It reads no clock and draws from
// the seed and the incident's id alone, so equal pages get equal answers.
//
// A page that finds an incident open is acknowledged after one to five seconds, unless the incident
// is over by then. Of those who acknowledged, some close the incident themselves when most of what
// was firing is clear, and a few lose patience and close it while it may still be burning; the rest
// leave it to the monitoring systems.
type desk struct {
	seed    uint64
	tickets map[string]*ticket
	plans   []plan // in the order of their time
}

// ticket is one incident as its assignee knows it.
type ticket struct {
	person       string
	habit        habit
	random       *rand.Rand
	acknowledged bool
	closing      bool // a resolution is planned or was sent
}

// habit is how somebody ends an incident.
type habit uint8

const (
	leavesIt  habit = iota // the monitoring systems will say so
	watches                // closes it when most is clear
	impatient              // closes it some time after the acknowledgement
)

// plan is an answer to be sent.
type plan struct {
	at       time.Time
	incident string
	action   correlate.Action
}

var people = [...]string{"ada", "grace", "edsger", "barbara", "ken", "radia"}

func newDesk(seed uint64) *desk { return &desk{seed: seed, tickets: map[string]*ticket{}} }

func (d *desk) open(id string) *ticket {
	random := rand.New(rand.NewPCG(d.seed, xxhash.Sum64String(id)))
	t := &ticket{random: random, person: people[random.IntN(len(people))]}
	switch n := random.IntN(100); {
	case n < 45:
		t.habit = watches
	case n < 55:
		t.habit = impatient
	}
	d.tickets[id] = t
	return t
}

// take reads a page that came at now.
func (d *desk) take(now time.Time, p *Page) {
	if p.State == correlate.ResolvedDone || p.Reason == correlate.ReasonAllResolved {
		d.cancel(p.ID)
		delete(d.tickets, p.ID)
		return
	}
	t := d.tickets[p.ID]
	if t == nil {
		t = d.open(p.ID)
	}
	switch {
	case p.State == correlate.Open && needsPerson(p.Reason):
		if t.acknowledged { // whoever had it has it no more
			t.acknowledged, t.closing = false, false
			d.cancel(p.ID)
		}
		if !d.answers(p.ID) {
			d.plan(now, between(t.random, 1000, 5000), p.ID, correlate.ActionAcknowledge)
		}
	case p.Reason == correlate.ReasonNewResolved && t.habit == watches && p.Firing*3 <= p.Alerts:
		d.close(now, between(t.random, 500, 2000), p.ID, t)
	}
}

// needsPerson tells pages that call somebody from those that tell what became of a call.
func needsPerson(r correlate.PageReason) bool {
	switch r {
	case correlate.ReasonAcknowledged, correlate.ReasonNewResolved, correlate.ReasonAllResolved:
		return false
	}
	return true
}

func (d *desk) close(now time.Time, after time.Duration, id string, t *ticket) {
	if t.acknowledged && !t.closing {
		t.closing = true
		d.plan(now, after, id, correlate.ActionResolve)
	}
}

// due takes the answers that are due at now.
func (d *desk) due(now time.Time) []correlate.Response {
	var out []correlate.Response
	for len(d.plans) > 0 && !d.plans[0].at.After(now) {
		p := d.plans[0]
		d.plans = d.plans[1:]
		t := d.tickets[p.incident]
		out = append(out, correlate.Response{Incident: p.incident, Action: p.action, By: t.person,
			At: correlate.TimeOf(now)})
		if p.action == correlate.ActionAcknowledge {
			t.acknowledged = true
			if t.habit == impatient {
				d.close(now, between(t.random, 8000, 16_000), p.incident, t)
			}
		}
	}
	return out
}

// planned is how many answers are to come.
func (d *desk) planned() int { return len(d.plans) }

func (d *desk) plan(now time.Time, after time.Duration, id string, a correlate.Action) {
	p := plan{at: now.Add(after), incident: id, action: a}
	i, _ := slices.BinarySearchFunc(d.plans, p, func(a, b plan) int { return a.at.Compare(b.at) })
	d.plans = slices.Insert(d.plans, i, p)
}

func (d *desk) answers(id string) bool {
	return slices.ContainsFunc(d.plans, func(p plan) bool { return p.incident == id })
}

func (d *desk) cancel(id string) {
	d.plans = slices.DeleteFunc(d.plans, func(p plan) bool { return p.incident == id })
}

func between(r *rand.Rand, lo, hi int) time.Duration {
	return time.Duration(lo+r.IntN(hi-lo+1)) * time.Millisecond
}
