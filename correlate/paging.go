package correlate

import "bytes"

// mayPage is the one place that decides whether an incident may page at this moment: it is bad
// enough, and no backlog holds it. What else holds pages back belongs here.
func (e *Engine) mayPage(in *incident) bool { return in.ranks() && !e.held(in) }

// turn is the page timer: the end of group_wait, or a tick after it.
func (e *Engine) turn(in *incident) {
	if !in.waited {
		e.waitOver(in, CauseGroupWait)
		return
	}
	if reason := e.news(in); reason != 0 {
		e.tell(in, reason, CausePage)
	}
	e.plan(in)
}

// news returns why a page is due at a tick, or 0.
func (e *Engine) news(in *incident) PageReason {
	paged := in.Pages > 0
	switch {
	case in.resolved():
		if paged && !in.told {
			return ReasonAllResolved
		}
	case in.fired:
		return ReasonNewAlerts
	case in.cleared && paged:
		return ReasonNewResolved
	case in.repeats() && in.lastPage.Add(in.terms.repeat) <= e.now:
		return ReasonRepeat
	}
	return 0
}

// repeats tells whether the incident's last page is repeated in time.
func (in *incident) repeats() bool {
	return in.terms.repeat > 0 && in.Pages > 0 && in.State == Open
}

// plan sets the page timer to the next tick at which there will be something to say. An incident
// with no news costs nothing but its repetition; one whose page is held has said what it can, the
// end of the hold plans again.
func (e *Engine) plan(in *incident) {
	if !in.waited {
		return // the timer is group_wait's
	}
	at := Time(0)
	switch {
	case !in.ranks() || in.owed != 0:
	case e.news(in) != 0:
		at = in.tick(e.now)
	case in.repeats():
		at = in.tick(max(e.now, in.lastPage.Add(in.terms.repeat)-1))
	}
	switch {
	case at == 0:
		in.page.cancel()
	case at != in.page.at:
		e.timers.set(&in.page, at)
	}
}

// tick returns the first tick after t: ticks come every group_interval from the end of group_wait
// on. The bound keeps a rule that nobody validated from turning a leap of the clock into millions
// of ticks.
func (in *incident) tick(t Time) Time {
	interval := max(in.terms.interval, Second)
	n := t.Sub(in.base)/interval + 1
	return in.base.Add(n * interval)
}

// tell makes a revision and, if the incident may page, a page of it. A page that is held is owed.
func (e *Engine) tell(in *incident, reason PageReason, cause Cause) {
	if !e.mayPage(in) {
		if in.ranks() {
			e.owe(in, reason)
		}
		if cause != CausePage {
			e.revise(in, cause)
		}
		return
	}
	e.settle(in)
	in.Pages++
	if in.Paged == 0 {
		in.Paged = e.now
	}
	if reason != ReasonAcknowledged { // that one is for the other paging services
		in.lastPage = e.now
		in.fired, in.cleared = false, false
	}
	if reason == ReasonAllResolved {
		in.told = true
	}
	e.revise(in, cause)
	e.fx.page(Page{Reason: reason, Top: in.top(),
		Incident: e.fx.Incidents[len(e.fx.Incidents)-1], Received: e.received})
}

// revise states the incident as it is now: its next revision.
func (e *Engine) revise(in *incident, cause Cause) {
	in.Revision++
	in.At, in.Cause = e.now, cause
	e.fx.revision(&in.Incident)
	in.By, in.Note = "", ""
}

// top returns the alerts that a page names.
func (in *incident) top() []PageAlert {
	best := make([]*member, 0, TopAlerts)
	for _, m := range in.members {
		i := len(best)
		for i > 0 && m.above(best[i-1]) {
			i--
		}
		if i == TopAlerts {
			continue
		}
		if len(best) < TopAlerts {
			best = append(best, nil)
		}
		copy(best[i+1:], best[i:])
		best[i] = m
	}
	top := make([]PageAlert, len(best))
	for i, m := range best {
		top[i] = m.page()
	}
	return top
}

// above orders the members for people: the worst first, firing before resolved, then by events;
// the fingerprint makes the order total.
func (m *member) above(o *member) bool {
	switch {
	case m.severity != o.severity:
		return m.severity > o.severity
	case m.firing != o.firing:
		return m.firing
	case m.events != o.events:
		return m.events > o.events
	}
	return bytes.Compare(m.alert.fingerprint[:], o.alert.fingerprint[:]) < 0
}

func (m *member) page() PageAlert {
	status := Resolved
	if m.firing {
		status = Firing
	}
	t := m.alert.texts.strings(textParts)
	return PageAlert{Fingerprint: m.alert.fingerprint, Service: t[0], Entity: t[1], Check: t[2],
		Severity: m.severity, Status: status, Summary: t[3], URL: t[4], Value: t[5],
		First: m.first, Last: m.last, Events: m.events}
}
