package correlate

import "sort"

// Alert is one record about an ongoing condition: intake's statement about all events with one
// fingerprint that it saw in one raw partition up to Raw.Offset.
//
// Counts are cumulative within an episode. An episode begins with the first event after the
// fingerprint was forgotten and is named by that event's offset; the engine adds up what several
// raw partitions say about one fingerprint. A record covers the events of its fingerprint at
// offsets FirstOffset..Raw.Offset that no earlier record covered.
type Alert struct {
	Fingerprint Fingerprint
	Raw         RawPosition // the last event covered: no two records are about the same one
	FirstOffset int64       // the first event covered by this record and by none before
	Episode     int64       // offset of the episode's first event
	Epoch       uint64      // hash of the intake configuration that gave the verdicts
	Verdict     Verdict     // new, changed, update or over_limit
	Flush       bool        // a trailing update of an owed count: tells counts, repeats no event

	Scope, Source, Service, Entity, Check string
	Severity                              Severity
	Status                                Status
	Summary, URL, Value                   string
	Labels                                []Label // identity and pass_on labels, sorted by name

	First    Time   // event time of the episode's first event
	Since    Time   // event time of the first event covered by this record and by none before
	Last     Time   // event time of the last event covered
	Received Time   // record timestamp of the last event covered
	Count    uint64 // events of the episode so far, in this raw partition
	// Behind is how many records of the raw partition were unread behind this one when it was
	// fetched, if the partition is worked off late; 0: it is read as it is written, within 2 s.
	Behind int64
}

// Label returns the value of the named label, or "".
func (a *Alert) Label(name string) string {
	i := sort.Search(len(a.Labels), func(i int) bool { return a.Labels[i].Name >= name })
	if i < len(a.Labels) && a.Labels[i].Name == name {
		return a.Labels[i].Value
	}
	return ""
}

// Field returns the value that rules see under name: the fields scope, service, entity, check,
// severity and status, and otherwise the label of that name ("" when there is none).
func (a *Alert) Field(name string) string {
	switch name {
	case "scope":
		return a.Scope
	case "service":
		return a.Service
	case "entity":
		return a.Entity
	case "check":
		return a.Check
	case "severity":
		return a.Severity.String()
	case "status":
		return a.Status.String()
	}
	return a.Label(name)
}

// Action is what a person or a paging service says about an incident.
type Action uint8

// The actions.
const (
	ActionAcknowledge Action = 1
	ActionResolve     Action = 2
	ActionNote        Action = 3
	ActionAssign      Action = 4
)

var actionNames = [...]string{"", "acknowledge", "resolve", "note", "assign"}

// String returns the action's name.
func (a Action) String() string { return word(actionNames[:], uint8(a)) }

// MarshalText returns the name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts the names only.
func (a *Action) UnmarshalText(b []byte) error { return unword(actionNames[:], b, a) }

// Response is an answer to a page: who did what with which incident. On the responses topic it is
// JSON with these names; intake forwards it to the alerts partition that the incident's id names.
type Response struct {
	Raw      RawPosition `json:"-"`
	Incident string      `json:"incident"`
	Action   Action      `json:"action"`
	By       string      `json:"by"`
	At       Time        `json:"at"`             // informative; the engine's clock decides
	Note     string      `json:"note,omitempty"` // for note
	To       string      `json:"to,omitempty"`   // for assign
}

// Watermark says how far a raw partition has been read.
//
// Under the event clock it is intake's promise that no alert of this raw partition with a time
// before At will follow. The first one of a partition names all raw partitions whose watermarks
// the engine must wait for.
//
// Under the append clock intake writes one, Idle, to each alerts partition that it sent an alert
// with Behind > 0, when the raw partition has been read to its end: it may have no alert any more
// that says so.
//
// Next and Said name a watermark: what comes again, or from an owner that has been overtaken, is
// known by them and changes nothing.
type Watermark struct {
	Raw      RawPartition
	At       Time
	Finished bool           // the partition has ended: it holds nothing back any more
	Idle     bool           // read to its end for a while: holds nothing back until it speaks again
	Of       []RawPartition // all raw partitions, in the first record of a partition, else empty
	Next     int64          // where it was said: the raw offset to be read next; all below has been
	Said     Time           // intake's clock then: of those at one Next the latest counts
}

// Tick is the owner's statement of time on an alerts partition. At names the engine clock that
// it had reached when it wrote the tick.
type Tick struct {
	At Time
}

// RuleChange puts a rule set in force, if Previous is in force.
//
// A hash that was replaced before comes back only if Explicit says that a person wants that: while a
// deployment is rolled out, processes with the old configuration and with the new one each ask for
// theirs, and without a memory they would do so in turns for as long as both live.
type RuleChange struct {
	Previous, Hash RuleHash
	Explicit       bool // a command, not a process that found another configuration than its own
}

// RecordKind tells what a Record holds.
type RecordKind uint8

// The kinds of record on the alerts topic.
const (
	KindAlert      RecordKind = 1
	KindTick       RecordKind = 2
	KindResponse   RecordKind = 3
	KindWatermark  RecordKind = 4
	KindRuleChange RecordKind = 5
)

// Record is one record of an alerts partition, the engine's only input. Exactly the field that
// Kind names is set.
type Record struct {
	Offset int64 // in the alerts partition
	Time   Time  // record timestamp: append time, or stream time under the event clock
	Kind   RecordKind

	Alert      *Alert
	Tick       Tick
	Response   *Response
	Watermark  *Watermark
	RuleChange RuleChange
}
