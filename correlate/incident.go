package correlate

// Incident is one revision of an incident: what quell.incidents carries, as JSON, under the key
// ID, and what ClickHouse keeps. (ID, Revision) names it.
type Incident struct {
	ID       string   `json:"id"`       // <alerts partition>-<20 hexadecimal digits>
	Revision uint32   `json:"revision"` // 1, 2, 3 ...
	At       Time     `json:"at"`       // engine clock
	Cause    Cause    `json:"cause"`
	Scope    string   `json:"scope"`
	Rule     string   `json:"rule"`
	Group    []Label  `json:"group"` // the group key, in the rule's order
	Route    string   `json:"route,omitempty"`
	State    State    `json:"state"`
	Severity Severity `json:"severity"` // the worst it reached

	Service  string   `json:"service"`  // of the first alert
	Services []string `json:"services"` // affected, sorted, at most 20
	Summary  string   `json:"summary"`  // of the worst alert, the first of them
	Owner    string   `json:"owner,omitempty"`
	Runbook  string   `json:"runbook,omitempty"`
	Priority string   `json:"priority,omitempty"`

	FirstEvent   Time `json:"first_event"`  // event time of the earliest event
	LastEvent    Time `json:"last_event"`   // event time of the latest event
	Detected     Time `json:"detected"`     // record time of the first event read
	Opened       Time `json:"opened"`       // engine clock of the first alert
	Paged        Time `json:"paged"`        // first page
	Acknowledged Time `json:"acknowledged"` // first acknowledgement
	ResolvedAt   Time `json:"resolved"`     // last resolution

	Events   uint64 `json:"events"`   // events behind it, duplicates included
	Alerts   uint64 `json:"alerts"`   // distinct fingerprints that were members
	Firing   uint64 `json:"firing"`   // of them, firing now
	LateSeen uint64 `json:"late"`     // alert records that came as late evidence
	Reopened uint32 `json:"reopened"` // how often
	Pages    uint32 `json:"pages"`    // sent so far

	Transient        bool   `json:"transient,omitempty"`          // resolved before it could page
	ReturnedToNormal bool   `json:"returned_to_normal,omitempty"` // cleared unacknowledged
	By               string `json:"by,omitempty"`                 // who caused this revision
	Assignee         string `json:"assignee,omitempty"`
	Note             string `json:"note,omitempty"` // of this revision
}

// PageAlert is one of the alerts that a page tells.
type PageAlert struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Service     string      `json:"service"`
	Entity      string      `json:"entity"`
	Check       string      `json:"check"`
	Severity    Severity    `json:"severity"`
	Status      Status      `json:"status"`
	Summary     string      `json:"summary,omitempty"`
	URL         string      `json:"url,omitempty"`
	Value       string      `json:"value,omitempty"`
	First       Time        `json:"first"`
	Last        Time        `json:"last"`
	Events      uint64      `json:"events"`
}

// Page is what a paging service gets about an incident. (Incident.ID, Incident.Revision) names it:
// every page is a revision of its incident.
type Page struct {
	Reason PageReason  `json:"reason"`
	Top    []PageAlert `json:"top_alerts"` // the worst, at most TopAlerts
	Incident
	// Received is the record time of the alert that made this page, 0 when a timer made it. It is
	// for measuring latency and not part of any stored form.
	Received Time `json:"-"`
}

// TopAlerts is how many alerts a page names.
const TopAlerts = 5

// Disposed is what became of one alert record.
type Disposed struct {
	Offset      int64 // in the alerts partition
	At          Time  // engine clock
	Alert       *Alert
	Disposition Disposition
	Incident    string // id, or "" when none
	Rule        string
	Added       uint64 // events that this record added to the incident's count
}

// Outcome is what became of a response.
type Outcome uint8

// The outcomes.
const (
	OutcomeApplied  Outcome = 1
	OutcomeRepeated Outcome = 2 // the incident already stood there: nothing changed
	OutcomeUnknown  Outcome = 3 // no such incident here (any more); counted and kept
)

var outcomeNames = [...]string{"", "applied", "repeated", "unknown_incident"}

// Outcomes lists all of them, for metrics and schemas.
func Outcomes() []Outcome { return []Outcome{OutcomeApplied, OutcomeRepeated, OutcomeUnknown} }

// String returns the outcome's name.
func (o Outcome) String() string { return word(outcomeNames[:], uint8(o)) }

// Answered is what became of one response.
type Answered struct {
	Offset   int64 // in the alerts partition
	At       Time  // engine clock
	Response *Response
	Outcome  Outcome
}

// Effects is what a Step brought about, in order.
type Effects struct {
	Incidents []Incident
	Pages     []Page
	Disposed  []Disposed
	Answered  []Answered
	Changed   []Changed
	Ignored   int // alert records that repeated a position already applied

	// Most is how many bytes, about, are enough: Step returns behind the record that reached it. 0:
	// it never does before the end of the batch.
	Most int

	size  int     // about how many bytes there are
	named []Alert // flushes that Disposed refers to
}

// enough tells whether there is as much as the caller of Step wants at once.
func (e *Effects) enough() bool { return e.Most > 0 && e.size >= e.Most }

// room returns an alert that lives until Reset. A block that is full is left to the alerts in it.
func (e *Effects) room() *Alert {
	if len(e.named) == cap(e.named) {
		e.named = make([]Alert, 0, max(16, 2*cap(e.named)))
	}
	e.named = e.named[:len(e.named)+1]
	return &e.named[len(e.named)-1]
}

// Reset empties e and keeps its memory.
func (e *Effects) Reset() {
	clear(e.Incidents)
	clear(e.Pages)
	clear(e.Disposed)
	clear(e.Answered)
	clear(e.named)
	*e = Effects{Incidents: e.Incidents[:0], Pages: e.Pages[:0], Disposed: e.Disposed[:0],
		Answered: e.Answered[:0], Changed: e.Changed[:0], Most: e.Most, named: e.named[:0]}
}
