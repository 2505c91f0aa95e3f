package correlate

// join adds a firing alert, or a further record of one, to an incident that is not resolved.
func (e *Engine) join(in *incident, s *sighting) {
	tracked, fired := e.attach(in, s, true)
	worse := e.observe(in, s)
	e.widen(in, s.alert.Last)
	e.seen(in)
	in.fired = in.fired || fired
	if worse {
		e.worsen(in)
	}
	e.plan(in)
	e.disposeMember(in, s, tracked)
}

// evidence adds a record to a resolved incident without reopening it.
func (e *Engine) evidence(in *incident, s *sighting) {
	tracked, _ := e.attach(in, s, true)
	if e.observe(in, s) {
		e.revise(in, CauseSeverityRise)
	}
	e.seen(in)
	e.disposeMember(in, s, tracked)
}

// late adds a record to an incident whose window has closed. It adds no noise, but it may not
// vanish either: if it is worth a page and nobody was ever paged, the incident is open again.
func (e *Engine) late(in *incident, s *sighting) {
	current := s.live == nil || s.live.member == nil || s.live.member.incident.resolved()
	e.attach(in, s, current)
	worse := e.observe(in, s)
	in.LateSeen++
	e.seen(in)
	firing := s.live == nil || s.live.firing()
	switch {
	case firing && s.alert.Severity >= in.terms.pageAt && in.Pages == 0 && in.owed == 0 &&
		in.State != Pending:
		e.openLate(in)
	case worse:
		e.revise(in, CauseSeverityRise)
		e.plan(in)
	}
	e.dispose(s, Late, in)
}

// attach makes the alert a member of the incident (current: from now on of this one rather than of
// another) and brings its part in it up to date. It tells whether the alert is tracked there, and
// whether it newly fires there.
func (e *Engine) attach(in *incident, s *sighting, current bool) (tracked, fired bool) {
	in.await(s)
	l := s.live
	if l == nil {
		return false, false
	}
	m := l.in(in)
	if m == nil {
		if len(in.members) >= e.limits.AlertsPerIncident {
			e.over.AlertsPerIncident++
			return false, false
		}
		m = l.newMember(in)
		m.first, m.last = s.first, s.alert.Last
		e.enter(m)
	}
	if current && l.member != m {
		if old := l.member; old != nil && old.firing {
			// It holds the other incident open no longer. If nothing else fires there, that one
			// ends by quiet time: nobody said that it is over.
			old.firing = false
			old.incident.Firing--
		}
		l.member = m
	}
	m.severity = l.severity
	m.first, m.last = min(m.first, s.first), max(m.last, s.alert.Last)
	m.events += s.added
	fires := l.firing() && l.member == m
	fired = fires && !m.firing
	if fires != m.firing {
		m.firing = fires
		if fires {
			in.Firing++
		} else {
			in.Firing--
		}
	}
	return true, fired
}

// enter registers a new membership.
func (e *Engine) enter(m *member) {
	l, in := m.alert, m.incident
	if l.forget != nil {
		l.forget.cancel()
	}
	e.track(l)
	in.members = append(in.members, m)
	if e.largest == nil || len(in.members) > len(e.largest.members) {
		e.largest = in
	}
	in.Alerts++
	e.members++
}

// observe adds a firing record's facts to the incident and tells whether it became worse.
func (e *Engine) observe(in *incident, s *sighting) bool {
	in.Events += s.added
	in.FirstEvent, in.LastEvent = min(in.FirstEvent, s.first), max(in.LastEvent, s.alert.Last)
	in.addService(s.alert.Service)
	if s.alert.Severity <= in.Severity {
		return false
	}
	in.Severity, in.Summary = s.alert.Severity, cloned(s.alert.Summary)
	return true
}

// tally adds what a record that is no firing one counts to the incident and to its member m.
func (e *Engine) tally(in *incident, m *member, s *sighting) {
	in.Events += s.added
	m.events += s.added
	in.LastEvent, m.last = max(in.LastEvent, s.alert.Last), max(m.last, s.alert.Last)
}

// widen lets the incident's open window take in an alert with event time t that joins now.
func (e *Engine) widen(in *incident, t Time) {
	if in.window.state != windowOpen {
		return
	}
	in.window.extend(t)
	if at := in.window.closes(e.now); at != in.close.at {
		e.timers.set(&in.close, at)
	}
}

// seen notes that a record of the incident's members came: it is not quiet.
func (e *Engine) seen(in *incident) {
	in.seen = e.now
	if !in.resolved() && in.terms.quiet > 0 {
		e.timers.set(&in.quiet, e.now.Add(in.terms.quiet))
	}
}

func (e *Engine) disposeMember(in *incident, s *sighting, tracked bool) {
	d := e.disposition(in)
	if !tracked {
		d = OverLimit
	}
	e.dispose(s, d, in)
}
