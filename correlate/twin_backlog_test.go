package correlate_test

import (
	"slices"

	. "quell/correlate"
)

// twinBacklog is what the twin knows of backlogs. It keeps the number of the tick at which each
// hold began, and asks every incident after every record whether it may page now.
type twinBacklog struct {
	ticks   int
	named   Time // the latest clock that a tick named
	lagging bool
	lagged  int // tick at which that began

	behind  bool // the raw partition has not caught up
	since   int  // tick at which that began
	holds   int  // how often it began
	highest int64
}

func (w *twin) record(r *Record) {
	b := &w.backlog
	w.lag(max(w.now, r.Time))
	w.advance(r.Time)
	switch r.Kind {
	case KindTick:
		b.ticks++
		b.named = max(b.named, r.Tick.At)
		w.lag(w.now)
	case KindAlert:
		if a := r.Alert; a.Behind > 0 && !b.behind {
			b.behind, b.since = true, b.ticks
			b.holds++
		}
		b.highest = r.Alert.Raw.Offset
		w.alert(r.Alert)
		b.behind = b.behind && r.Alert.Behind > 0
	case KindRuleChange:
		w.say(w.now, "%s%s", saysChange(&r.RuleChange), w.rules.(*twinRules).change(&r.RuleChange))
	case KindWatermark:
		b.behind = b.behind && r.Watermark.Next <= b.highest
	}
	for _, in := range w.incidents {
		if len(in.owes) > 0 && !w.held(in) {
			w.pay(in)
		}
	}
}

func (w *twin) lag(clock Time) {
	b := &w.backlog
	if clock.Sub(b.named) <= 2*Second {
		b.lagging = false
	} else if !b.lagging {
		b.lagging, b.lagged = true, b.ticks
	}
}

func (w *twin) held(in *twinIncident) bool {
	b := &w.backlog
	return b.lagging && b.ticks < b.lagged+240 ||
		b.behind && in.heldWith == b.holds && b.ticks < b.since+240
}

// readLate notes that a record of the raw partition's backlog came to the incident.
func (w *twin) readLate(in *twinIncident, a *Alert) {
	if a.Behind > 0 {
		in.heldWith = w.backlog.holds
	}
}

// pay sends the one page that the held ones come to.
func (w *twin) pay(in *twinIncident) {
	owed := in.owes
	in.owes = nil
	switch {
	case in.state == Pending:
		w.endWait(in, CauseGroupWait)
	case in.state == ResolvedDone:
		w.tick(in)
	case !in.paged:
		w.revise(in, CausePage, ReasonFirst)
	case slices.Contains(owed, ReasonSeverityRise):
		w.revise(in, CausePage, ReasonSeverityRise)
	default:
		w.tick(in)
	}
}
