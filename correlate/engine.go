package correlate

import "fmt"

// Engine correlates the alerts of one partition of the alerts topic. It is a fold: its state
// after a record depends on the records up to it and on nothing else. An Engine is not safe for
// concurrent use.
type Engine struct {
	partition int32
	mode      ClockMode
	limits    Limits
	rules     RuleSet
	replaced  []RuleHash // rule sets that were in force, newest last
	options   Options

	position int64 // next offset expected
	now      Time  // the engine's clock
	hash     chain
	timers   timerQueue
	raws     raws
	flushes  flushes
	merge    merge   // event clock only
	backlog  backlog // append clock only

	alerts    alertTable
	blocks    alertBlocks          // where they live
	incidents map[string]*incident // by id
	known     incidentList         // the same
	groups    map[string]*group    // by group key
	open      occupancy[string]    // by scope: incidents that are not resolved
	ruled     occupancy[ruleOf]    // by scope and rule: see occupies
	occupied  int                  // see occupies
	states    [ResolvedDone + 1]int
	members   int // of all incidents

	closed     []*incident // whose windows take late evidence, in the order of closing
	closedHead int         // index of the first

	// Counters for Stats. They are no part of the state: they decide nothing.
	evicted, forced, divided uint64

	over    Over
	largest *incident // has the most members of those that grew since its predecessor went

	fx       *Effects   // of the Step that is running
	begun    int        // size of fx before the record that is being applied
	received Time       // record time of the alert that is being applied; 0 while timers fire
	made     *liveAlert // by the record that is being applied
	key      []byte     // scratch
	touched  uint64     // see touch
}

// New returns an engine that has seen nothing. The error says which option is impossible.
func New(o Options) (*Engine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	e := &Engine{partition: o.Partition, mode: o.Clock, limits: o.Limits.withDefaults(),
		rules: o.RuleSet, options: o,
		alerts:    newAlertTable(),
		incidents: make(map[string]*incident),
		groups:    make(map[string]*group),
		open:      newOccupancy[string](),
		ruled:     newOccupancy[ruleOf](),
	}
	return e, nil
}

// Step applies the records of batch, in order, and appends what they bring about to fx. How the
// records are cut into batches changes nothing. Records below Position are skipped: they have
// been applied. Nothing of batch is kept, except that under the event clock effects may point to
// copies of alerts of earlier batches. With [Effects.Most] Step may return before the end of the
// batch: as long as Position is not behind that, it is to be called again.
//
// An error says that the engine cannot go on from the record at Position, which it has not
// applied: a rule set came into force that Options.RuleSets does not know. After loading it Step
// may be called again with the same records.
func (e *Engine) Step(batch []Record, fx *Effects) error {
	e.fx = fx
	defer func() { e.fx = nil }()
	for i := range batch {
		if i%ahead == 0 && e.mode == ClockAppend {
			e.warm(batch[i:min(i+ahead, len(batch))])
		}
		r := &batch[i]
		if r.Offset < e.position {
			continue
		}
		before := markEffects(fx)
		e.begun = fx.size
		if err := e.apply(r); err != nil {
			return fmt.Errorf("correlate: at offset %d of alerts partition %d: %w", r.Offset,
				e.partition, err)
		}
		e.position = r.Offset + 1
		e.hash.add(r, fx, before, e.backlog.owing.n)
		if e.full() {
			e.divided++
		}
		if fx.enough() {
			break
		}
	}
	return nil
}

func (e *Engine) apply(r *Record) error {
	var (
		outcome RuleOutcome
		next    RuleSet
		err     error
	)
	if r.Kind == KindRuleChange { // nothing may have been applied when this fails
		if outcome, next, err = e.judge(r.RuleChange); err != nil {
			return err
		}
	}
	if e.mode == ClockAppend {
		e.lag(r.Time)
		e.advance(r.Time)
	} else if e.merge.more {
		e.letPass()
	}
	switch {
	case r.Kind == KindRuleChange:
		e.changeRules(r, outcome, next)
	case e.mode == ClockAppend:
		e.accept(r)
	default:
		e.receive(r)
	}
	return nil
}

// accept takes a record under the append clock.
func (e *Engine) accept(r *Record) {
	switch r.Kind {
	case KindAlert:
		e.arrive(r)
	case KindResponse:
		if e.raws.find(r.Response.Raw.RawPartition).receive(r.Response.Raw.Offset) {
			e.respond(r.Offset, r.Response)
		}
	case KindTick:
		e.tick(r)
	case KindWatermark:
		e.restsAt(r.Watermark)
	}
}

// arrive takes an alert record under the append clock. One that says that its raw partition has
// caught up is applied before that counts: it may be the one that clears what would page.
func (e *Engine) arrive(r *Record) {
	raw := e.raws.find(r.Alert.Raw.RawPartition)
	fresh := e.receiveAlert(raw, r.Alert)
	if fresh && !r.Alert.Flush && r.Alert.Behind > 0 {
		e.behind(raw)
	}
	e.alert(arrival{offset: r.Offset, raw: raw, alert: r.Alert, fresh: fresh})
	if fresh && !r.Alert.Flush && r.Alert.Behind <= 0 {
		e.caughtUp(raw)
	}
}

// advance fires all timers that are due by t, each with the clock at its own deadline, and then
// sets the clock to t, unless it is already later. It stops, and says so, when that brings about as
// much as one record may: the clock stays where it came to, and goes on with the next record.
func (e *Engine) advance(t Time) (whole bool) {
	for !e.full() {
		due, at := e.timers.due(t)
		if due == nil {
			e.now = max(e.now, t)
			e.expireClosed()
			return true
		}
		e.now = max(e.now, at)
		e.fire(due)
	}
	return false
}

// full tells whether the record that is being applied has brought about as much as one may. What
// comes of a record lies in one transaction and one block of rows, at one position. So what a record
// lets loose, timers, held pages and merged alerts, goes out in portions; each of these is small.
func (e *Engine) full() bool { return e.fx.size-e.begun >= e.limits.StepBytes }

// fire does what the timer t stands for.
func (e *Engine) fire(t *timer) {
	switch in := t.incident; t.kind {
	case timerPage:
		e.turn(in)
	case timerQuiet:
		if in.owed != 0 {
			// Nobody said that it is over, and nobody was told of it: quiet counts anew.
			e.timers.set(&in.quiet, e.now.Add(in.terms.quiet))
			return
		}
		e.resolve(in, CauseQuiet)
	case timerAck:
		e.unacknowledge(in)
	case timerClose:
		if !in.overflow || in.resolved() {
			e.closeWindow(in)
		}
	case timerForget:
		if in != nil {
			e.forgetIncident(in)
		} else {
			e.untrack(t.alert)
		}
	}
}
