package decode

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"quell/correlate"
)

// mapping makes events by a compiled MappingSpec. It is immutable.
type mapping struct {
	fields   []value // of the fields that have a spec, in the order of field
	labels   []value // by name
	matchers []matcher
}

// value is a compiled ValueSpec.
type value struct {
	field     field
	label     string // name, for labels
	slots     []int
	templates [][]part
	literal   string // const
	byDefault string
	table     *table
	grades    map[string]grade // for severity and status
	layouts   []layout         // for time
	location  *time.Location
	trim      bool
	lower     bool
	required  bool
}

// name says which value it is, for people.
func (v *value) name() string {
	if v.field == fieldLabels {
		return "the label " + quote(v.label)
	}
	return v.field.String()
}

func (m *mapping) make(d *Decoder, r RecordMeta, ev *correlate.Event) *Rejection {
	for i := range d.matches {
		d.matches[i].done = false
	}
	for i := range m.fields {
		v := &m.fields[i]
		text, rejection := d.evaluate(m, v)
		if rejection == nil {
			rejection = d.assign(v, text, ev)
		}
		if rejection != nil {
			return rejection
		}
	}
	for i := range m.labels {
		v := &m.labels[i]
		text, rejection := d.evaluate(m, v)
		if rejection != nil {
			return rejection
		}
		if len(text) > d.limits.MaxLabelValue {
			return &Rejection{OverLimit, -1, fmt.Sprintf("%s has %d bytes, more than "+
				"max_label_value %d", v.name(), len(text), d.limits.MaxLabelValue)}
		}
		if text != "" {
			d.labels.add(explicit, v.label, text)
		}
	}
	return nil
}

// evaluate returns the text of a value, "" for none.
func (d *Decoder) evaluate(m *mapping, v *value) (string, *Rejection) {
	text, rejection := d.source(m, v)
	if rejection != nil {
		return "", rejection
	}
	if v.trim {
		text = strings.TrimSpace(text)
	}
	if v.lower {
		text = d.lower(text)
	}
	if v.table != nil && text != "" {
		if len(text) > d.limits.MaxMatch {
			return "", &Rejection{OverLimit, -1, fmt.Sprintf("the text for the table of %s "+
				"has %d bytes, more than max_match %d", v.name(), len(text), d.limits.MaxMatch)}
		}
		replaced, ok := v.table.lookup(text)
		switch {
		case ok:
			text = replaced
		case v.byDefault != "" && v.grades == nil:
			text = v.byDefault
		}
	}
	if text == "" {
		text = v.byDefault
	}
	if text == "" && v.required {
		return "", &Rejection{MissingField, -1, v.name() + " is required and has no value"}
	}
	return text, nil
}

// source returns the text of the first source that gives some.
func (d *Decoder) source(m *mapping, v *value) (string, *Rejection) {
	for _, i := range v.slots {
		if text := d.text(d.slots[i]); text != "" {
			return text, nil
		}
	}
	for _, parts := range v.templates {
		if text, rejection := d.build(m, parts); text != "" || rejection != nil {
			return text, rejection
		}
	}
	return v.literal, nil
}

// assign puts the text into its field.
func (d *Decoder) assign(v *value, text string, ev *correlate.Event) *Rejection {
	if text == "" {
		return nil
	}
	switch v.field {
	case fieldTime:
		for _, l := range v.layouts {
			if t, ok := l.read(text, v.location); ok {
				ev.Time = t
				return nil
			}
		}
		return &Rejection{BadTime, -1, quote(text) + " fits no layout of time, or is outside " +
			"1970-01-01T00:00:01Z to 2200"}
	case fieldSeverity:
		return d.assignSeverity(v, text, ev)
	case fieldStatus:
		return d.assignStatus(v, text, ev)
	}
	bounded, rejection := d.bounded(v.field, text)
	*v.field.of(ev) = bounded
	return rejection
}

// assignSeverity reads a word of a scale. A word may say the status as well ("cleared"): that
// counts until status, which comes after, says something itself.
func (d *Decoder) assignSeverity(v *value, text string, ev *correlate.Event) *Rejection {
	g, ok := d.grade(v.grades, text)
	if !ok && v.byDefault != "" {
		g, ok = d.grade(v.grades, v.byDefault)
	}
	if !ok {
		return &Rejection{BadSeverity, -1, quote(text) + " is no severity: add it to the table " +
			"of severity, or give a default"}
	}
	ev.Severity, ev.Status = g.severity, g.status
	return nil
}

// assignStatus reads a word of a scale. A word that says only a severity is a condition that
// holds.
func (d *Decoder) assignStatus(v *value, text string, ev *correlate.Event) *Rejection {
	g, ok := d.grade(v.grades, text)
	if !ok && v.byDefault != "" {
		g, ok = d.grade(v.grades, v.byDefault)
	}
	if !ok {
		return &Rejection{BadStatus, -1, quote(text) + " is no status: add it to the table of " +
			"status, or give a default"}
	}
	if ev.Status = g.status; g.status == 0 {
		ev.Status = correlate.Firing
	}
	return nil
}

// lower returns s in lower case.
func (d *Decoder) lower(s string) string {
	i := 0
	for i < len(s) && s[i] < utf8.RuneSelf && s[i]-'A' >= 26 {
		i++
	}
	if i == len(s) {
		return s
	}
	b := append(d.arena.room(2*len(s)), s[:i]...)
	for _, r := range s[i:] {
		b = utf8.AppendRune(b, unicode.ToLower(r))
	}
	return d.arena.take(b)
}
