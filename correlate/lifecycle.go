package correlate

import "strings"

// openIncident opens an incident for the group whose key is in e.key.
func (e *Engine) openIncident(s *sighting, res Resolution, of extent) {
	a := s.alert
	e.timers.seq++
	in := &incident{terms: termsOf(res), born: e.timers.seq, overflow: of != wholeGroup,
		shared: of == overflowOfAll, window: openWindow(res.Rule.Window, a.Last, e.now)}
	in.Incident = Incident{Scope: cloned(a.Scope), Rule: res.Rule.Name,
		Group: groupLabels(a, res.Rule, in.overflow), Route: res.Route, Owner: res.Owner,
		Runbook: res.Runbook, Priority: res.Priority, Service: cloned(a.Service), Services: []string{},
		FirstEvent: s.first, LastEvent: a.Last, Detected: a.Received, Opened: e.now}
	if in.shared {
		in.Scope = "" // it is of no scope in particular
	}
	in.ID = incidentID(e.partition, in, a)
	in.bindTimers()
	e.register(in)

	firing := s.live == nil || s.live.firing()
	e.attach(in, s, true)
	e.observe(in, s)
	e.widen(in, a.Last)
	e.seen(in)
	in.fired = true
	if firing && in.terms.wait <= 0 {
		e.waitOver(in, CauseOpened)
	} else {
		e.timers.set(&in.page, e.now.Add(in.terms.wait))
		e.revise(in, CauseOpened)
	}
	if !firing { // a resolution is known that is newer than this record
		e.resolve(in, CauseAllResolved)
		e.dispose(s, Transient, in)
		return
	}
	e.disposeMember(in, s, s.live != nil)
}

// register makes the engine know in, as pending, in the group whose key is in e.key.
func (e *Engine) register(in *incident) {
	e.enlist(in)
	e.incidents[in.ID] = in
	e.known.push(in)
	in.State = Pending
	e.states[Pending]++
	e.open.enter(in.Scope)
	e.occupy(in)
}

func termsOf(res Resolution) terms {
	r := res.Rule
	return terms{wait: r.GroupWait, interval: r.GroupInterval, repeat: r.Repeat,
		quiet: r.ResolveAfter, reopen: r.ReopenWindow, ack: r.AckTimeout, pageAt: res.PageAt}
}

func groupLabels(a *Alert, rule *Rule, overflow bool) []Label {
	group := make([]Label, 0, len(rule.GroupBy))
	if overflow {
		return group
	}
	for _, name := range rule.GroupBy {
		group = append(group, Label{Name: name, Value: cloned(a.Field(name))})
	}
	return group
}

// cloned returns a copy of s, which may be a view into the batch.
func cloned(s string) string { return strings.Clone(s) }

// move changes the incident's state and what is counted by it.
func (e *Engine) move(in *incident, to State) {
	from := in.State
	in.State = to
	e.states[from]--
	e.states[to]++
	switch {
	case from != ResolvedDone && to == ResolvedDone:
		e.open.leave(in.Scope)
	case from == ResolvedDone && to != ResolvedDone:
		e.open.enter(in.Scope)
	}
	e.occupy(in)
}

// waitOver follows the end of group_wait. An incident whose first page a backlog holds stays
// pending: what clears it before the hold ends makes it transient, what joins it is told with it.
func (e *Engine) waitOver(in *incident, cause Cause) {
	if in.State != Pending || !in.ranks() || e.mayPage(in) {
		e.endWait(in, cause)
		return
	}
	e.owe(in, ReasonFirst)
	if cause == CauseOpened {
		e.revise(in, cause)
	}
}

// endWait ends group_wait: the incident is open, ticks run from now on, and if it is bad enough
// the first page goes out. One that a person acknowledged meanwhile pages nobody.
func (e *Engine) endWait(in *incident, cause Cause) {
	in.waited, in.base = true, e.now
	if in.State == Pending {
		e.move(in, Open)
		e.tell(in, ReasonFirst, cause)
	}
	e.plan(in)
}

// worsen follows a rise in severity, which waits for no tick, only for group_wait. Whoever
// acknowledged did so on other terms: the incident is nobody's again.
func (e *Engine) worsen(in *incident) {
	cause := CauseSeverityRise
	if in.State == Acknowledged {
		cause = CauseSeverityOnWake
		e.release(in)
	}
	if in.State == Pending {
		e.revise(in, cause)
		return
	}
	e.tell(in, ReasonSeverityRise, cause)
}

// release takes an acknowledgement back.
func (e *Engine) release(in *incident) {
	in.ack.cancel()
	if in.waited {
		e.move(in, Open)
	} else {
		e.move(in, Pending)
	}
}

// unacknowledge follows an acknowledgement that timed out.
func (e *Engine) unacknowledge(in *incident) {
	e.release(in)
	if in.State == Pending {
		e.revise(in, CauseAckTimeout)
		return
	}
	e.tell(in, ReasonEscalation, CauseAckTimeout)
	e.plan(in)
}

// resolve ends the incident. That is told at the next tick, if anybody was paged.
func (e *Engine) resolve(in *incident, cause Cause) {
	e.move(in, ResolvedDone)
	in.ResolvedAt = e.now
	in.Transient = !in.waited || in.owed != 0 && in.Pages == 0
	in.ReturnedToNormal = cause == CauseAllResolved && in.Acknowledged == 0
	in.byPerson = cause == CauseResolvedBy
	in.told = false
	in.quiet.cancel()
	in.ack.cancel()
	in.page.cancel()
	if in.Pages == 0 {
		e.settle(in)
	}
	e.revise(in, cause)
	e.plan(in)
	e.timers.set(&in.forget, e.now.Add(e.limits.AlertMemory))
	if in.overflow && in.window.state == windowOpen && !in.close.set() {
		e.closeWindow(in)
	}
}

// reopens tells whether an alert that fires now reopens the resolved incident.
func (in *incident) reopens(now Time) bool {
	return now < in.ResolvedAt.Add(in.terms.reopen)
}

// reopen opens a resolved incident again for an alert that its window takes. One that was resolved
// before group_wait ended starts that again.
func (e *Engine) reopen(in *incident, s *sighting) {
	tracked, _ := e.attach(in, s, true)
	worse := e.observe(in, s)
	to := Pending
	if in.waited {
		to = Open
	}
	e.revive(in, to)
	e.widen(in, s.alert.Last)
	e.seen(in)
	in.fired = true
	switch {
	case to == Pending:
		e.timers.set(&in.page, e.now.Add(in.terms.wait))
		e.revise(in, CauseReopened)
	case worse:
		e.tell(in, ReasonSeverityRise, CauseReopened)
	default:
		e.revise(in, CauseReopened)
	}
	e.plan(in)
	e.disposeMember(in, s, tracked)
}

// openLate opens an incident that nobody was paged for because of late evidence, and pages.
func (e *Engine) openLate(in *incident) {
	in.ack.cancel()
	if in.resolved() {
		e.revive(in, Open)
		e.seen(in)
	} else {
		e.move(in, Open)
	}
	if !in.waited {
		in.waited, in.base = true, e.now
		in.page.cancel()
	}
	e.tell(in, ReasonFirst, CauseLateEvidence)
	e.plan(in)
}

// revive takes a resolved incident back to the state to.
func (e *Engine) revive(in *incident, to State) {
	e.move(in, to)
	in.Reopened++
	in.Transient, in.ReturnedToNormal, in.byPerson = false, false, false
	in.cleared, in.told = false, false
	in.forget.cancel()
}

// forgetIncident drops a resolved incident and the alerts that are members of nothing else, once
// its window takes no more late evidence, its last page is out and its alerts have been silent for
// AlertMemory.
func (e *Engine) forgetIncident(in *incident) {
	e.expireClosed()
	due := in.seen.Add(e.limits.AlertMemory)
	switch in.window.state {
	case windowOpen:
		due = max(due, in.close.at.Add(e.limits.Lateness))
	case windowClosed:
		due = max(due, in.window.closed.Add(e.limits.Lateness))
	}
	if in.page.set() {
		due = max(due, in.page.at+1)
	}
	if in.owed != 0 {
		due = max(due, e.now.Add(Minute))
	}
	if due > e.now {
		e.timers.set(&in.forget, due)
		return
	}
	delete(e.incidents, in.ID)
	if e.largest == in {
		e.largest = nil
	}
	e.known.remove(in)
	e.states[ResolvedDone]--
	e.members -= len(in.members)
	for _, m := range in.members {
		e.leave(m)
	}
}

// leave ends a membership, and the engine's knowledge of the alert with its last one.
func (e *Engine) leave(m *member) {
	l := m.alert
	l.dropMember(m)
	if !l.belongs() {
		e.untrack(l)
	}
}
