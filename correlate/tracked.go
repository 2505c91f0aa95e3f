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
	born     uint64 // sequence number: order among the incidents of a group, and among all
	overflow bool   // stands for all groups that a limit kept out
	shared   bool   // of all scopes: the limit was that of the engine

	occupying bool // counted among those that take alerts or are not resolved
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

	older, newer *incident // of all that the engine knows
	place        uint64    // in the snapshot that is being written

	page, quiet, ack, close, forget timer
}

// incidentList lists the incidents that the engine knows in the order in which they opened.
type incidentList struct{ oldest, newest *incident }

func (k *incidentList) push(in *incident) {
	in.older, in.newer = k.newest, nil
	if k.newest != nil {
		k.newest.newer = in
	} else {
		k.oldest = in
	}
	k.newest = in
}

func (k *incidentList) remove(in *incident) {
	if in.older != nil {
		in.older.newer = in.newer
	} else {
		k.oldest = in.newer
	}
	if in.newer != nil {
		in.newer.older = in.older
	} else {
		k.newest = in.older
	}
	in.older, in.newer = nil, nil
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
	if len(in.Services) > 0 && s == in.Service { // that of the first alert is there
		return
	}
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
