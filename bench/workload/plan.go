package workload

import (
	"sort"

	"quell/correlate"
)

// emitter is one alert for as long as one cause raises it: it makes all events of its condition.
// Times are milliseconds since the start of the story.
type emitter struct {
	fault      int32
	start, end int // it fires in [start, end)
	weight     int // volume, relative to the other emitters of its fault or kind of background
	rate       int64

	scope, service, entity, check string
	cluster                       string // "" when the monitor does not know
	zone, region, host, team      string
	severity                      correlate.Severity // at the start
	rises                         [2]int             // when it becomes one worse; 0 for never
	flap                          int                // it fires and clears in turns so long; 0 for never
	sources                       [3]string
	replicas                      int

	key, tail []byte
}

func (e *emitter) severityAt(t int) correlate.Severity {
	s := e.severity
	for _, at := range e.rises {
		if at > 0 && t >= at {
			s = min(s+1, correlate.Critical)
		}
	}
	return s
}

func (e *emitter) statusAt(t int) correlate.Status {
	if e.flap > 0 && (t-e.start)/e.flap%2 == 1 {
		return correlate.Resolved
	}
	return correlate.Firing
}

// statement is one event that must be made at its moment: the first of an alert, or a resolve.
type statement struct {
	at       int
	emitter  int
	replica  int
	resolved bool
}

// interval is a stretch of story in a cluster with errors in it; hard for a fault's own. Its load
// is its volume, in the unit of fault.weight.
type interval struct {
	start, end int
	hard       bool
	load       int
}

type place struct{ scope, cluster int }

// plan is everything that is decided before the first event.
type plan struct {
	options    Options
	dice       *dice
	scopes     []scope
	faults     []fault
	emitters   []emitter
	statements []statement
	taken      map[string][]interval // when each identity is in use
	errors     map[place][]interval  // by cluster, in no order
}

func newPlan(o Options) *plan {
	d := newDice(o.Seed, 1)
	o = o.withDefaults(d)
	p := &plan{options: o, dice: d, scopes: newWorld(o, d), taken: map[string][]interval{},
		errors: map[place][]interval{}}
	p.scheduleFaults()
	for i := range p.faults {
		p.spread(&p.faults[i])
	}
	for i := range p.faults { // after all of them: a leak gives way to a fault, never the reverse
		p.leak(&p.faults[i])
	}
	p.addBackground()
	p.limitStatements()
	p.setRates()
	sort.SliceStable(p.statements, func(i, j int) bool {
		return p.statements[i].at < p.statements[j].at
	})
	return p
}

// ms converts a time of the 40 s story to this story's.
func (p *plan) ms(story int) int {
	return int(int64(story) * int64(p.options.Length) / int64(storyLength))
}

// add takes the emitter into the plan unless something else has that identity at the time: two
// causes behind one alert would make the truth of its events ambiguous. Successive faults of a
// cluster do share alerts.
func (p *plan) add(e emitter) bool {
	e.end = max(e.start+1, min(e.end, int(p.options.Length)))
	e.key = []byte(e.scope + "/" + e.service + "/" + e.entity + "/" + e.check)
	use := interval{start: e.start, end: e.end + p.ms(latest)}
	for _, v := range p.taken[string(e.key)] {
		if use.start < v.end && v.start < use.end {
			return false
		}
	}
	p.taken[string(e.key)] = append(p.taken[string(e.key)], use)
	e.tail = appendTail(nil, &e)
	p.emitters = append(p.emitters, e)
	return true
}

// bridges says whether errors in the interval would join two faults of the cluster for somebody
// who joins what is less than Quiet apart.
func (p *plan) bridges(at place, with interval) bool {
	all := append([]interval{with}, p.errors[at]...)
	sort.Slice(all, func(i, j int) bool { return all[i].start < all[j].start })
	hard, end := 0, 0
	for i, v := range all {
		if i == 0 || v.start-end >= p.ms(int(Quiet)) {
			hard, end = 0, v.end
		}
		if v.hard {
			hard++
		}
		if hard > 1 {
			return true
		}
		end = max(end, v.end)
	}
	return false
}

// drowns says whether a leak of that load would be more than a seventh of a fault it meets.
func (p *plan) drowns(at place, with interval) bool {
	for _, v := range p.errors[at] {
		near := with.start-v.end < p.ms(int(Quiet)) && v.start-with.end < p.ms(int(Quiet))
		if v.hard && near && with.load*7 > v.load {
			return true
		}
	}
	return false
}

// limitStatements keeps a very small storm from consisting of nothing but first events and
// resolves: at most a third of the events are.
func (p *plan) limitStatements() {
	most := p.options.Events / 3
	for len(p.statements) > most {
		last := len(p.statements) - 1
		p.statements[p.dice.IntN(last+1)] = p.statements[last]
		p.statements = p.statements[:last]
	}
}

// setRates gives every emitter its rate, in millionths of an event per tick. Faults and background
// share the events as Options.Background says, statements counted in.
func (p *plan) setRates() {
	background := int64(p.options.Events) * int64(p.options.Background) / 1000
	troubled := int64(p.options.Events) - background
	weights := make(map[int32]int64, len(p.faults))
	for i := range p.emitters {
		weights[p.emitters[i].fault] += int64(p.emitters[i].weight)
	}
	for _, s := range p.statements {
		if p.emitters[s.emitter].fault == Noise {
			background--
		} else {
			troubled--
		}
	}
	var loads int64
	for i := range p.faults {
		loads += int64(p.faults[i].weight)
	}
	tick := p.tick()
	for i := range p.emitters {
		e := &p.emitters[i]
		volume := max(0, background) * 1_000_000
		if e.fault != Noise {
			volume = max(0, troubled) * 1_000_000 / loads * int64(p.faults[e.fault-1].weight)
		}
		ticks := int64(max(1, e.end/tick-e.start/tick))
		e.rate = max(1, volume/weights[e.fault]*int64(e.weight)/ticks)
	}
}

// tick is the grain of time in which rates are constant: 10 ms of a 40 s story.
func (p *plan) tick() int { return max(1, int(p.options.Length)/4000) }
