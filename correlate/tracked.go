package correlate

// terms are the parameters of a rule as they were when an incident opened: a rule set that comes
// into force later does not alter timers that run.
type terms struct {
	wait     Duration // group_wait
	interval Duration // group_interval
	repeat   Duration
	quiet    Duration // resolve_after
	reopen   Duration // reopen_window
	ack      Duration // acknowledgement timeout
	pageAt   Severity
}

// incident is an incident that the engine knows, with the window that its alerts come from. The
// embedded Incident holds the facts as the next revision will tell them.
type incident struct {
	Incident
	terms    terms
	group    *group
	born     uint64 // sequence number: order among the incidents of a group
	overflow bool   // stands for all groups that a limit kept out

	occupying bool // counted among the groups of its rule
	window    window
	members   []*member
	seen      Time // engine clock of the last record of its members
	byPerson  bool // the last resolution was a person's

	waited   bool // group_wait ended: ticks run from base
	base     Time // engine clock
	lastPage Time // engine clock of the last page that told the state
	fired    bool // an alert newly fired since that page
	cleared  bool // an alert newly resolved since that page
	told     bool // a page told the resolution

	// See backlog.go.
	awaits                []awaited
	owed                  PageReason // of the page that is held; 0: none is
	owedSeq               uint64     // sequence number: order among all that owe one
	owesBefore, owesAfter *incident

	page, quiet, ack, close, forget timer
}

func (in *incident) resolved() bool { return in.State == ResolvedDone }

// ranks tells whether the incident is bad enough to page anybody.
func (in *incident) ranks() bool { return in.Severity >= in.terms.pageAt }

// bindTimers gives the incident's timers their kinds.
func (in *incident) bindTimers() {
	in.page = timer{kind: timerPage, incident: in}
	in.quiet = timer{kind: timerQuiet, incident: in}
	in.ack = timer{kind: timerAck, incident: in}
	in.close = timer{kind: timerClose, incident: in}
	in.forget = timer{kind: timerForget, incident: in}
}

// addService adds s to the affected services, in order. The list is never changed in place:
// revisions that were handed out share it.
func (in *incident) addService(s string) {
	const most = 20
	at := 0
	for at < len(in.Services) && in.Services[at] < s {
		at++
	}
	if s == "" || at < len(in.Services) && in.Services[at] == s || len(in.Services) >= most {
		return
	}
	services := make([]string, 0, len(in.Services)+1)
	services = append(services, in.Services[:at]...)
	services = append(services, cloned(s))
	in.Services = append(services, in.Services[at:]...)
}
