package correlate

import "fmt"

// Severity says how bad a condition is: PagerDuty's CEF names, a bigger value is worse.
// The numbers are part of every stored form and never change.
type Severity uint8

// The severities, from harmless to worst. The zero value is no severity.
const (
	Info     Severity = 1
	Warning  Severity = 2
	Error    Severity = 3
	Critical Severity = 4
)

var severityNames = [...]string{"", "info", "warning", "error", "critical"}

// String returns the severity's name, or "" for the zero value.
func (s Severity) String() string { return word(severityNames[:], uint8(s)) }

// MarshalText returns the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the names only.
func (s *Severity) UnmarshalText(b []byte) error { return unword(severityNames[:], b, s) }

// Status says whether a condition holds.
type Status uint8

// The statuses.
const (
	Firing   Status = 1
	Resolved Status = 2
)

var statusNames = [...]string{"", "firing", "resolved"}

// String returns the status's name, or "" for the zero value.
func (s Status) String() string { return word(statusNames[:], uint8(s)) }

// MarshalText returns the name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the names only.
func (s *Status) UnmarshalText(b []byte) error { return unword(statusNames[:], b, s) }

// Verdict is what intake made of one event. Every event has exactly one.
type Verdict uint8

// The verdicts. New, Changed and Update pass the event on as an alert.
const (
	VerdictNew         Verdict = 1 // first sight of its fingerprint within the window
	VerdictChanged     Verdict = 2 // severity, status or a pass_on label differs from the last
	VerdictUpdate      Verdict = 3 // nothing differs, but update_interval passed: counts go on
	VerdictDuplicate   Verdict = 4 // counted; the engine hears of it with the next update
	VerdictRedelivered Verdict = 5 // its id is one of the fingerprint's last four ids
	VerdictDropped     Verdict = 6 // a drop rule of the configuration matched
	VerdictOverLimit   Verdict = 7 // a bound was hit; the event is archived and passed through
	VerdictRejected    Verdict = 8 // it could not be decoded; see the reason
)

var verdictNames = [...]string{"", "new", "changed", "update", "duplicate", "redelivered", "dropped",
	"over_limit", "rejected"}

// String returns the verdict's name.
func (v Verdict) String() string { return word(verdictNames[:], uint8(v)) }

// MarshalText returns the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText accepts the names only.
func (v *Verdict) UnmarshalText(b []byte) error { return unword(verdictNames[:], b, v) }

// Disposition is what the engine made of one alert record. Every alert record has exactly one.
type Disposition uint8

// The dispositions.
const (
	Joined        Disposition = 1 // member of an incident that is at or above page_at
	Late          Disposition = 2 // evidence for a group that had already closed; does not page
	BelowSeverity Disposition = 3 // member of an incident that is kept but not paged
	Silenced      Disposition = 4 // muted by a silence
	Inhibited     Disposition = 5 // muted by another alert
	Waiting       Disposition = 6 // part of a pattern that is not complete yet
	OrphanResolve Disposition = 7 // resolved, but nothing was firing
	Transient     Disposition = 8 // resolved its incident before its first page: never pages
	OverLimit     Disposition = 9 // a bound was hit; counted and passed through
)

var dispositionNames = [...]string{"", "joined", "late", "below_severity", "silenced", "inhibited",
	"waiting", "orphan_resolve", "transient", "over_limit"}

// String returns the disposition's name.
func (d Disposition) String() string { return word(dispositionNames[:], uint8(d)) }

// MarshalText returns the name.
func (d Disposition) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText accepts the names only.
func (d *Disposition) UnmarshalText(b []byte) error { return unword(dispositionNames[:], b, d) }

// State is where an incident stands in its life (PagerDuty's states, and pending before them).
type State uint8

// The states.
const (
	Pending      State = 1 // group_wait has not ended, or a backlog holds the first page
	Open         State = 2 // nobody has acknowledged it
	Acknowledged State = 3 // somebody works on it
	ResolvedDone State = 4 // over; it may be reopened within reopen_window
)

var stateNames = [...]string{"", "pending", "open", "acknowledged", "resolved"}

// String returns the state's name.
func (s State) String() string { return word(stateNames[:], uint8(s)) }

// MarshalText returns the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the names only.
func (s *State) UnmarshalText(b []byte) error { return unword(stateNames[:], b, s) }

// PageReason says why a page is sent now.
type PageReason uint8

// The reasons.
const (
	ReasonFirst        PageReason = 1  // group_wait ended, or the hold that kept the first page back
	ReasonNewAlerts    PageReason = 2  // an alert newly fired since the last page
	ReasonSeverityRise PageReason = 3  // the incident became worse; does not wait for the tick
	ReasonNewResolved  PageReason = 4  // some alerts resolved since the last page
	ReasonAllResolved  PageReason = 5  // the incident is over
	ReasonRepeat       PageReason = 6  // repeat_interval passed without anything new
	ReasonEscalation   PageReason = 7  // an acknowledgement timed out
	ReasonAcknowledged PageReason = 8  // somebody took it; for the other paging services
	ReasonFlapping     PageReason = 9  // the condition flaps
	ReasonStorm        PageReason = 10 // one incident stands for a storm of them
)

var reasonNames = [...]string{"", "first", "new_alerts", "severity_rise", "new_resolved",
	"all_resolved", "repeat", "escalation", "acknowledged", "flapping", "storm"}

// PageReasons lists all of them, for metrics and schemas.
func PageReasons() []PageReason {
	return []PageReason{ReasonFirst, ReasonNewAlerts, ReasonSeverityRise, ReasonNewResolved,
		ReasonAllResolved, ReasonRepeat, ReasonEscalation, ReasonAcknowledged, ReasonFlapping,
		ReasonStorm}
}

// String returns the reason's name.
func (r PageReason) String() string { return word(reasonNames[:], uint8(r)) }

// MarshalText returns the name.
func (r PageReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the names only.
func (r *PageReason) UnmarshalText(b []byte) error { return unword(reasonNames[:], b, r) }

// Cause says what made a revision of an incident.
type Cause uint8

// The causes.
const (
	CauseOpened         Cause = 1  // the first alert came
	CauseGroupWait      Cause = 2  // group_wait ended: pending became open
	CauseSeverityRise   Cause = 3  // a worse alert joined, or a member became worse
	CausePage           Cause = 4  // nothing changed but the counts that a page tells
	CauseAcknowledged   Cause = 5  // a person acknowledged
	CauseAckTimeout     Cause = 6  // the acknowledgement timed out: open again
	CauseAllResolved    Cause = 7  // the monitoring systems resolved every alert
	CauseQuiet          Cause = 8  // no event for resolve_after
	CauseResolvedBy     Cause = 9  // a person resolved it
	CauseReopened       Cause = 10 // an alert fired again within reopen_window
	CauseLateEvidence   Cause = 11 // a late alert at or above page_at that nobody was paged for
	CauseNote           Cause = 12 // a person wrote a note
	CauseAssigned       Cause = 13 // a person assigned it
	CauseSeverityOnWake Cause = 14 // severity rose after the acknowledgement: open again
)

var causeNames = [...]string{"", "opened", "group_wait", "severity_rise", "page", "acknowledged",
	"acknowledgement_timeout", "all_resolved", "quiet", "resolved_by_person", "reopened",
	"late_evidence", "note", "assigned", "severity_rise_after_acknowledgement"}

// Causes lists all of them, for schemas.
func Causes() []Cause {
	out := make([]Cause, 0, len(causeNames)-1)
	for i := 1; i < len(causeNames); i++ {
		out = append(out, Cause(i))
	}
	return out
}

// String returns the cause's name.
func (c Cause) String() string { return word(causeNames[:], uint8(c)) }

// MarshalText returns the name.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts the names only.
func (c *Cause) UnmarshalText(b []byte) error { return unword(causeNames[:], b, c) }

func word(names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", v)
}

func unword[T ~uint8](names []string, b []byte, v *T) error {
	for i := 1; i < len(names); i++ {
		if names[i] == string(b) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of %q", b, names[1:])
}
