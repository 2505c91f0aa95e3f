package decode

import (
	"fmt"
	"slices"

	"quell/correlate"
)

// DefaultScope is the scope of an event that names none.
const DefaultScope = "default"

// Format is a compiled format: immutable, shared by all decoders made from it.
type Format struct {
	root   *node
	slots  int
	limits Limits
	exact  []string
	maker  maker
}

// maker makes the event out of the slots and labels that the scan of a payload filled. It leaves
// ev.Labels to the decoder.
type maker interface {
	make(d *Decoder, r RecordMeta, ev *correlate.Event) *Rejection
}

// RecordMeta is what decoding needs to know of the record around a payload.
type RecordMeta struct {
	Topic string         // the default of source
	Time  correlate.Time // the record's timestamp, the default of time
}

// Decoder turns payloads into events by one format. It is for one goroutine.
type Decoder struct {
	format *Format
	scanner
	notes   Notes
	minute  minute
	matches []matched
	pieces  []string           // scratch for templates
	folded  [maxScaleWord]byte // scratch for words in lower case
}

// NewDecoder returns a decoder of its own memory.
func (f *Format) NewDecoder() *Decoder {
	d := &Decoder{format: f}
	d.limits, d.slots = f.limits, make([]slot, f.slots)
	d.labels.exact = f.exact
	if m, ok := f.maker.(*mapping); ok {
		d.matches, d.mixed = make([]matched, len(m.matchers)), len(m.labels) > 0
	}
	return d
}

// newFormat returns a format with the options' limits and exact labels, still without its trie.
func newFormat(o Options) *Format {
	exact := slices.Clone(o.Exact)
	slices.Sort(exact)
	return &Format{limits: o.Limits.withDefaults(), exact: slices.Compact(exact)}
}

// Reset takes back the memory of all events decoded since the last Reset.
func (d *Decoder) Reset() { d.arena.reset() }

// Decode turns a payload into the event ev, whose former contents are lost. It returns what was
// cut, or why the payload is no event; then ev is empty. The event's strings and labels are views,
// see the package comment.
func (d *Decoder) Decode(payload []byte, r RecordMeta, ev *correlate.Event) (Notes, *Rejection) {
	*ev = correlate.Event{}
	d.notes = 0
	rejection := d.scan(payload, d.format.root)
	if rejection == nil {
		rejection = d.format.maker.make(d, r, ev)
	}
	if rejection == nil {
		rejection = d.complete(r, ev)
	}
	if rejection != nil {
		*ev = correlate.Event{}
		return 0, rejection
	}
	return d.notes | d.labels.notes, nil
}

// complete gives the event its labels and defaults.
func (d *Decoder) complete(r RecordMeta, ev *correlate.Event) (rejection *Rejection) {
	if ev.Time == 0 {
		if ev.Time = r.Time; !sane(int64(r.Time)) {
			return &Rejection{BadTime, -1, fmt.Sprintf("the event has no time and its record's "+
				"timestamp, %d ms, is outside 1970-01-01T00:00:01Z to 2200", int64(r.Time))}
		}
	}
	if ev.Scope == "" {
		ev.Scope = DefaultScope
	}
	if ev.Source == "" {
		ev.Source = r.Topic
	}
	if ev.Severity == 0 {
		ev.Severity = correlate.Warning
	}
	if ev.Status == 0 {
		ev.Status = correlate.Firing
	}
	ev.Labels, rejection = d.finish()
	return rejection
}

// field is one of an event's fields.
type field int

const (
	fieldID field = iota
	fieldDedupKey
	fieldTime
	fieldScope
	fieldSource
	fieldService
	fieldEntity
	fieldCheck
	fieldSeverity
	fieldStatus
	fieldSummary
	fieldURL
	fieldValue
	fieldLabels
)

var fieldNames = [...]string{"id", "dedup_key", "time", "scope", "source", "service", "entity",
	"check", "severity", "status", "summary", "url", "value", "labels"}

// String returns the field's name in JSON.
func (f field) String() string { return fieldNames[f] }

// of returns the place of a text field in ev.
func (f field) of(ev *correlate.Event) *string {
	switch f {
	case fieldID:
		return &ev.ID
	case fieldDedupKey:
		return &ev.DedupKey
	case fieldScope:
		return &ev.Scope
	case fieldSource:
		return &ev.Source
	case fieldService:
		return &ev.Service
	case fieldEntity:
		return &ev.Entity
	case fieldCheck:
		return &ev.Check
	case fieldSummary:
		return &ev.Summary
	case fieldURL:
		return &ev.URL
	}
	return &ev.Value
}

// forPeople tells whether the field decides nothing, so that it may be cut.
func (f field) forPeople() bool { return f >= fieldSummary }

// most returns how many bytes the field may have.
func (d *Decoder) most(f field) int {
	if f.forPeople() {
		return d.limits.MaxText
	}
	return d.limits.MaxIdentity
}

// bounded returns the text within its bound, cut if the field is for people.
func (d *Decoder) bounded(f field, text string) (string, *Rejection) {
	switch {
	case f.forPeople() && len(text) > d.limits.MaxText:
		d.notes |= CutText
		return cutRunes(text, d.limits.MaxText), nil
	case !f.forPeople() && len(text) > d.limits.MaxIdentity:
		return "", &Rejection{OverLimit, -1, fmt.Sprintf("%s has %d bytes, more than "+
			"max_identity %d", f, len(text), d.limits.MaxIdentity)}
	}
	return text, nil
}
