package correlate

// arrival is an alert record as it came in.
type arrival struct {
	offset int64 // in the alerts partition
	raw    *rawPartition
	fresh  bool // nothing came from its raw position before, nor, if it is no flush, from a later one
	alert  *Alert
}

// sighting is an alert record with what it means for the alert that it is about.
type sighting struct {
	arrival
	live  *liveAlert // nil: a bound keeps the engine from tracking the alert
	added uint64     // events that no earlier record counted
	first Time       // event time of the first of them
}

// alert applies one alert record: the position guard, then one of its three kinds.
func (e *Engine) alert(r arrival) {
	a := r.alert
	l := e.alerts.get(&a.Fingerprint)
	repeated := !r.fresh
	if a.Flush || a.Verdict == VerdictUpdate {
		repeated = l.repeats(a, r.raw, r.fresh)
	}
	e.received = a.Received
	switch {
	case repeated:
		e.fx.Ignored++
	case a.Flush:
		e.flush(r, l)
	case a.Status == Resolved:
		e.cleared(r, l)
	default:
		e.firing(r, l)
	}
	e.received = 0
	if e.made != nil { // a bound keeps it from being tracked, or nothing came of it
		if !e.made.tracked {
			e.blocks.put(e.made)
		}
		e.made = nil
	}
}

// firing applies a record that says that its condition holds. An alert that is known to fire
// stays in its incident as long as that is not resolved: it is one ongoing condition. Everything
// else is for the windows to decide.
func (e *Engine) firing(r arrival, l *liveAlert) {
	a := r.alert
	continues := l != nil && l.firing() && (l.knows(a, r.raw) ||
		a.Verdict == VerdictChanged || a.Verdict == VerdictUpdate)
	s := e.sight(r, l)
	if continues && s.live.member != nil {
		in := s.live.member.incident
		switch {
		case !in.resolved():
			e.join(in, &s)
			return
		case in.byPerson && in.reopens(e.now) && a.Severity <= in.Severity:
			e.evidence(in, &s)
			return
		}
	}
	e.place(&s)
}

// sight takes over what the record says about the alert itself.
func (e *Engine) sight(r arrival, l *liveAlert) sighting {
	a := r.alert
	s := sighting{arrival: r, live: l, first: a.Since}
	if a.begins() && (l == nil || !l.knows(a, r.raw)) {
		s.first = a.First
	}
	if l == nil {
		if e.alerts.n >= e.limits.LiveAlerts {
			e.over.LiveAlerts++
			s.added = a.counted()
			return s
		}
		s.live = e.blocks.take(&a.Fingerprint)
		e.made = s.live
	}
	s.added = s.live.count(a, r.raw)
	s.live.merge(a, r.raw)
	return s
}

// place finds the incident for a firing alert that none holds.
func (e *Engine) place(s *sighting) {
	res := e.rules.Resolve(s.alert)
	e.key = appendGroupKey(e.key[:0], s.alert, res.Rule)
	if e.placeIn(e.groups[string(e.key)], s) {
		return
	}
	of := wholeGroup
	if e.crowded(s.alert.Scope, res.Rule.Name) {
		of = overflowOfScope
		e.key = appendOverflowKey(e.key[:0], s.alert.Scope, res.Rule.Name)
		if e.placeIn(e.groups[string(e.key)], s) {
			return
		}
	}
	if e.occupied >= e.limits.Incidents {
		e.over.Incidents++
		of = overflowOfAll
		e.key = appendSharedKey(e.key[:0], res.Rule.Name, res.Route)
		if e.placeIn(e.groups[string(e.key)], s) {
			return
		}
	}
	e.openIncident(s, res, of)
}

// extent says what an incident stands for.
type extent uint8

const (
	wholeGroup      extent = iota // the alerts of one group key
	overflowOfScope               // all groups of a rule for which its scope has no room
	overflowOfAll                 // all groups of a rule and a route for which the engine has none
)

// crowded tells whether the scope has as many open incidents as it may, or the rule as many groups
// in it, and counts which.
func (e *Engine) crowded(scope, rule string) bool {
	switch {
	case e.open.of(scope) >= e.limits.OpenIncidents:
		e.over.OpenIncidents++
	case e.ruled.of(ruleOf{scope, rule}) >= e.limits.GroupsPerRule:
		e.over.GroupsPerRule++
	default:
		return false
	}
	return true
}

// placeIn puts the alert into one of the group's incidents, if one is for it: one whose window is
// open, or one whose closed window its time lies in.
func (e *Engine) placeIn(g *group, s *sighting) bool {
	if g == nil {
		return false
	}
	in := g.taking(s.alert.Last)
	switch {
	case in == nil:
		in = g.spanning(s.alert.Last, e.now, e.limits.Lateness)
		if in == nil {
			return false
		}
		e.late(in, s)
	case !in.resolved():
		e.join(in, s)
	case !in.reopens(e.now):
		e.closeWindow(in) // a new incident takes the key
		return false
	case s.live != nil && !s.live.firing():
		e.evidence(in, s) // a resolution is known that is newer than this record
	default:
		e.reopen(in, s)
	}
	return true
}

// cleared applies a record that says that its condition no longer holds.
func (e *Engine) cleared(r arrival, l *liveAlert) {
	s := e.sight(r, l)
	l = s.live
	if l == nil || l.member == nil || !l.member.firing {
		if l != nil && !l.belongs() {
			e.remember(l)
		}
		e.dispose(&s, OrphanResolve, nil)
		return
	}
	m := l.member
	in := m.incident
	in.await(&s)
	e.tally(in, m, &s)
	m.severity = l.severity
	e.seen(in)
	if !l.firing() { // no newer record says that it fires
		m.firing = false
		in.Firing--
		in.cleared = true
	}
	disposition := e.disposition(in)
	if in.Firing == 0 && !in.resolved() && !l.firing() {
		e.resolve(in, CauseAllResolved)
		if in.Transient {
			disposition = Transient
		}
	}
	e.plan(in)
	e.dispose(&s, disposition, in)
}

// remember keeps an alert that is a member of no incident, for a while.
func (e *Engine) remember(l *liveAlert) {
	e.track(l)
	e.timers.set(l.forgetting(), e.now.Add(e.limits.AlertMemory))
}

// track makes the engine know l beyond the record that is being applied.
func (e *Engine) track(l *liveAlert) {
	if !l.tracked {
		l.tracked = true
		e.alerts.put(l)
	}
}

// untrack ends that.
func (e *Engine) untrack(l *liveAlert) {
	e.alerts.remove(l)
	e.blocks.put(l)
}

// flush applies a trailing count. It tells of events that came while intake was silent about
// their alert, so it belongs to the incident that the alert is a member of. It opens nothing.
func (e *Engine) flush(r arrival, l *liveAlert) {
	s := sighting{arrival: r, live: l}
	if l == nil || l.member == nil {
		disposition := OverLimit // its alert is not tracked, or forgotten
		if r.alert.Status == Resolved {
			disposition = OrphanResolve
		}
		if l != nil {
			l.count(r.alert, r.raw)
		}
		e.dispose(&s, disposition, nil)
		return
	}
	s.added = l.count(r.alert, r.raw)
	in := l.member.incident
	s.alert = l.named(r.alert, in.Scope, e.fx)
	e.tally(in, l.member, &s)
	disposition := e.disposition(in)
	switch {
	case in.resolved() && in.window.state != windowOpen:
		in.LateSeen++
		disposition = Late
	case !in.resolved() && l.firing():
		e.widen(in, r.alert.Last)
	}
	e.seen(in)
	e.dispose(&s, disposition, in)
}

// disposition is what becomes of a member's record, unless it is late or a bound was hit.
func (e *Engine) disposition(in *incident) Disposition {
	switch {
	case in.overflow:
		return OverLimit
	case !in.ranks():
		return BelowSeverity
	}
	return Joined
}

// dispose states what became of the record.
func (e *Engine) dispose(s *sighting, d Disposition, in *incident) {
	out := Disposed{Offset: s.offset, At: e.now, Alert: s.alert, Disposition: d}
	if in != nil {
		out.Incident, out.Rule, out.Added = in.ID, in.Rule, s.added
	}
	e.fx.disposed(&out)
}
