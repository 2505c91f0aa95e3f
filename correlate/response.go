package correlate

// respond applies what a person or a paging service said about an incident.
func (e *Engine) respond(offset int64, r *Response) {
	outcome := OutcomeUnknown
	if in := e.incidents[r.Incident]; in != nil {
		outcome = OutcomeRepeated
		if e.answer(in, r) {
			outcome = OutcomeApplied
		}
	}
	e.fx.answered(&Answered{Offset: offset, At: e.now, Response: r, Outcome: outcome})
}

// answer applies the response and tells whether it changed anything.
func (e *Engine) answer(in *incident, r *Response) bool {
	switch r.Action {
	case ActionAcknowledge:
		if in.State != Pending && in.State != Open {
			return false
		}
		in.By = cloned(r.By)
		e.acknowledge(in)
	case ActionResolve:
		if in.resolved() {
			return false
		}
		in.By = cloned(r.By)
		e.resolve(in, CauseResolvedBy)
	case ActionNote:
		in.By, in.Note = cloned(r.By), cloned(r.Note)
		e.revise(in, CauseNote)
	case ActionAssign:
		if in.Assignee == r.To {
			return false
		}
		in.By, in.Assignee = cloned(r.By), cloned(r.To)
		e.revise(in, CauseAssigned)
	default:
		return false
	}
	return true
}

// acknowledge notes that somebody took the incident. Who had been paged is told so; if nobody had
// been, nobody is paged for what the person has seen.
func (e *Engine) acknowledge(in *incident) {
	e.move(in, Acknowledged)
	if in.Acknowledged == 0 {
		in.Acknowledged = e.now
	}
	if in.terms.ack > 0 {
		e.timers.set(&in.ack, e.now.Add(in.terms.ack))
	}
	if in.Pages > 0 {
		if in.owed == ReasonEscalation {
			e.settle(in) // somebody has it again
		}
		e.tell(in, ReasonAcknowledged, CauseAcknowledged)
	} else {
		if in.owed != 0 && !in.waited {
			in.waited, in.base = true, e.now // only the hold kept it pending
		}
		e.settle(in)
		in.fired, in.cleared = false, false
		e.revise(in, CauseAcknowledged)
	}
	e.plan(in)
}
