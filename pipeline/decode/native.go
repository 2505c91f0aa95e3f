package decode

import (
	"fmt"

	"quell/correlate"
)

// Unknown says what the native format does with fields that it does not know.
type Unknown uint8

// What happens to unknown fields.
const (
	KeepUnknown   Unknown = iota // they become labels, nested ones named by path (a.b[0])
	RefuseUnknown                // rejected
)

// native is the format of quell's own events: an object with the fields of an event by their
// names.
//
// Text is a string; value may be a number, which is kept as it is written. time is a string, RFC
// 3339 or a Unix time, or a number, a Unix time in s, ms, us or ns. severity and status are the
// names and nothing else. labels is an object of strings, numbers and booleans, which are kept as
// they are written. null is the same as no field, and so is "" except for time.
//
// A label that came along as an unknown field gives way to one of the same name in labels.
type native struct{}

// Native returns the format of quell's own JSON. The options' limits are taken as they are:
// [Limits.Check] says whether they make sense.
func Native(o Options, unknown Unknown) *Format {
	f := newFormat(o)
	f.root, f.slots, f.maker = &node{slot: -1}, len(fieldNames), native{}
	for i, name := range fieldNames {
		n := f.root.member(name)
		n.role, n.slot = roleSlot, i
	}
	f.root.member(fieldLabels.String()).other = &node{role: roleLabel, slot: -1}
	f.root.compile(nil)
	if f.root.other = flatNode(); unknown == RefuseUnknown {
		f.root.other = &node{role: roleRefuse, slot: -1}
	}
	return f
}

// flatNode returns a node whose scalars become labels, at any depth.
func flatNode() *node {
	n := &node{role: roleFlat, slot: -1}
	n.other = n
	return n
}

func (native) make(d *Decoder, r RecordMeta, ev *correlate.Event) *Rejection {
	d.plain(fieldID, &ev.ID)
	d.plain(fieldDedupKey, &ev.DedupKey)
	d.plain(fieldScope, &ev.Scope)
	d.plain(fieldSource, &ev.Source)
	d.plain(fieldService, &ev.Service)
	d.plain(fieldEntity, &ev.Entity)
	d.plain(fieldCheck, &ev.Check)
	d.plain(fieldSummary, &ev.Summary)
	d.plain(fieldURL, &ev.URL)
	d.plain(fieldValue, &ev.Value)
	for f := range d.slots {
		if v := d.slots[f]; v.kind > kindNull {
			if rejection := d.native(field(f), v, ev); rejection != nil {
				rejection.Offset = int(v.off)
				return rejection
			}
		}
	}
	return nil
}

// plain takes a text field that stands in the payload as it is and within its bound: the common case.
func (d *Decoder) plain(f field, to *string) {
	if v := &d.slots[f]; v.kind == kindString && int(v.n) <= d.most(f) {
		*to = view(d.p[v.off : v.off+v.n])
		v.kind = kindAbsent
	}
}

// native makes a field of anything else.
func (d *Decoder) native(f field, v slot, ev *correlate.Event) (rejection *Rejection) {
	switch {
	case f == fieldTime:
		return d.nativeTime(v, ev)
	case f == fieldLabels:
		if v.kind != kindObject {
			return badType(f, v, "an object")
		}
	case v.kind != kindString && v.kind != kindEscaped && (f != fieldValue || v.kind != kindNumber):
		return badType(f, v, "a string")
	case f == fieldSeverity:
		return d.nativeSeverity(v, ev)
	case f == fieldStatus:
		return d.nativeStatus(v, ev)
	default:
		*f.of(ev), rejection = d.bounded(f, d.text(v))
	}
	return rejection
}

func (d *Decoder) nativeTime(v slot, ev *correlate.Event) *Rejection {
	if v.kind != kindString && v.kind != kindEscaped && v.kind != kindNumber {
		return badType(fieldTime, v, "a string or a number")
	}
	text, ok := d.text(v), false
	if ev.Time, ok = d.minute.rfc3339(text); !ok {
		ev.Time, ok = epoch(text, unitAuto)
	}
	if !ok {
		return &Rejection{BadTime, 0, fmt.Sprintf("%s is neither an RFC 3339 time nor a Unix time "+
			"from 1970-01-01T00:00:01Z to 2200", quote(text))}
	}
	return nil
}

func (d *Decoder) nativeSeverity(v slot, ev *correlate.Event) *Rejection {
	switch text := d.text(v); text {
	case "info":
		ev.Severity = correlate.Info
	case "warning":
		ev.Severity = correlate.Warning
	case "error":
		ev.Severity = correlate.Error
	case "critical":
		ev.Severity = correlate.Critical
	case "":
	default:
		return &Rejection{BadSeverity, 0, quote(text) +
			" is no severity: write info, warning, error or critical"}
	}
	return nil
}

func (d *Decoder) nativeStatus(v slot, ev *correlate.Event) *Rejection {
	switch text := d.text(v); text {
	case "firing":
		ev.Status = correlate.Firing
	case "resolved":
		ev.Status = correlate.Resolved
	case "":
	default:
		return &Rejection{BadStatus, 0, quote(text) + " is no status: write firing or resolved"}
	}
	return nil
}

func badType(f field, v slot, want string) *Rejection {
	return &Rejection{BadType, 0, fmt.Sprintf("%s is %s: write %s", f, kindNames[v.kind], want)}
}

var kindNames = [...]string{"absent", "null", "a string", "a string", "a number", "a boolean",
	"a boolean", "an object", "an array"}
