package decode

import "fmt"

// Reason says why a payload is no event. It is a closed set: the words are metric labels and a
// column in ClickHouse.
type Reason uint8

// The reasons.
const (
	EmptyPayload   Reason = 1  // no bytes at all, such as a tombstone
	TooLarge       Reason = 2  // more than MaxBytes
	InvalidUTF8    Reason = 3  // bytes, or half of a surrogate pair in an escape
	InvalidJSON    Reason = 4  // syntax
	TrailingBytes  Reason = 5  // something follows the value
	DuplicateKey   Reason = 6  // a name occurs twice in one object
	TooDeep        Reason = 7  // nested deeper than MaxDepth
	NotAnObject    Reason = 8  // valid JSON, but an array or a scalar
	MissingField   Reason = 9  // a required field has no value
	UnknownField   Reason = 10 // refused by configuration
	BadType        Reason = 11 // such as an object where text belongs
	BadTime        Reason = 12 // unreadable, or outside 1970-01-01T00:00:01Z..2200
	BadSeverity    Reason = 13 // no severity of ours, nor of the scale or table
	BadStatus      Reason = 14 // no status of ours, nor of the scale or table
	OverLimit      Reason = 15 // another bound of Limits
	MultipleEvents Reason = 16 // the array of MappingSpec.Single has more than one element
)

var reasonNames = [...]string{"", "empty_payload", "too_large", "invalid_utf8", "invalid_json",
	"trailing_bytes", "duplicate_key", "too_deep", "not_an_object", "missing_field",
	"unknown_field", "bad_type", "bad_time", "bad_severity", "bad_status", "over_limit",
	"multiple_events"}

// Reasons lists all of them, for metrics and schemas.
func Reasons() []Reason {
	out := make([]Reason, 0, len(reasonNames)-1)
	for i := 1; i < len(reasonNames); i++ {
		out = append(out, Reason(i))
	}
	return out
}

// String returns the reason's name.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("unknown(%d)", uint8(r))
}

// Rejection is why a payload is no event. It owns its memory.
type Rejection struct {
	Reason Reason
	Offset int    // byte of the payload where it was seen, or -1
	Detail string // for people; bounded
}

// Error returns reason, detail and offset.
func (r *Rejection) Error() string {
	if r.Offset < 0 {
		return r.Reason.String() + ": " + r.Detail
	}
	return fmt.Sprintf("%s: %s (byte %d)", r.Reason, r.Detail, r.Offset)
}

// Notes is a set of things that happened to an event that was accepted: something was cut or left
// out because of a bound. Each is worth a counter.
type Notes uint8

// The notes.
const (
	CutText       Notes = 1 << iota // summary, url or value was longer than MaxText
	CutLabel                        // a label that came along was longer than MaxLabelValue
	DroppedLabels                   // labels that came along were over MaxLabels or MaxLabelName
	ClashedLabels                   // two fields would be the same label; the first was kept
)

var noteNames = [...]string{"cut_text", "cut_label", "dropped_labels", "clashed_labels"}

// AllNotes lists the single notes, for metrics.
func AllNotes() []Notes { return []Notes{CutText, CutLabel, DroppedLabels, ClashedLabels} }

// String returns the names of the notes in n, separated by commas.
func (n Notes) String() string {
	out := ""
	for i, name := range noteNames {
		if n&(1<<i) == 0 {
			continue
		}
		if out != "" {
			out += ","
		}
		out += name
	}
	return out
}

// quote returns text in quotes, cut to a length that a log line bears.
func quote(text string) string {
	const most = 64
	if len(text) > most {
		return fmt.Sprintf("%q...", cutRunes(text, most))
	}
	return fmt.Sprintf("%q", text)
}
