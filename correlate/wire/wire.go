// Package wire is the byte form of the records of the alerts topic.
//
// A record's value is a version byte, a kind byte and the kind's fields in a fixed order:
// integers as (zig-zag) varints, strings as a varint length and the bytes, lists as a varint
// count and the elements. The form is canonical: equal records have equal bytes. Offset and
// timestamp are Kafka's own and are not in the value.
//
// [Append] writes, [Decode] reads. Decode trusts nothing: every length is checked against what is
// left before anything is allocated, trailing bytes are refused, and a version that it does not
// know is refused by name, so that a newer writer never is half understood. The strings of a
// decoded record are copies; a [Decoder], for whoever reads a million of them in a second, copies
// and allocates nothing.
package wire

import (
	"errors"
	"fmt"

	"quell/correlate"
)

// Version is the form's version: the first byte of every value.
const Version = 1

// explicitChange is the kind byte of a rule change that is a command: to a reader that does not know
// of them a kind that it must not skip, to us a RuleChange with Explicit set.
const explicitChange correlate.RecordKind = 6

// saidWatermark is the kind byte of a watermark that says when it was said. Before there were such,
// a watermark without it was KindWatermark.
const saidWatermark correlate.RecordKind = 7

// ErrTruncated says that a value ends inside a field.
var ErrTruncated = errors.New("wire: the value ends inside a field")

// Append appends the byte form of r to dst.
func Append(dst []byte, r *correlate.Record) []byte {
	kind := r.Kind
	if kind == correlate.KindRuleChange && r.RuleChange.Explicit {
		kind = explicitChange
	}
	if kind == correlate.KindWatermark && r.Watermark.Said != 0 {
		kind = saidWatermark
	}
	dst = append(dst, Version, byte(kind))
	switch r.Kind {
	case correlate.KindAlert:
		return AppendAlert(dst, r.Alert)
	case correlate.KindTick:
		return AppendInt(dst, int64(r.Tick.At))
	case correlate.KindResponse:
		return appendResponse(dst, r.Response)
	case correlate.KindWatermark:
		dst = appendWatermark(dst, r.Watermark)
		if kind == saidWatermark {
			dst = AppendInt(dst, int64(r.Watermark.Said))
		}
		return dst
	case correlate.KindRuleChange:
		dst = append(dst, r.RuleChange.Previous[:]...)
		return append(dst, r.RuleChange.Hash[:]...)
	}
	return dst
}

// Decode reads a value that Append wrote. Offset and Time of the record are the caller's.
func Decode(src []byte) (correlate.Record, error) { return decode(Reader{Src: src}) }

func decode(d Reader) (correlate.Record, error) {
	var r correlate.Record
	if v := d.Byte(); v != Version && d.Err == nil {
		return r, fmt.Errorf("wire: version %d of a record of the alerts topic; this quell reads "+
			"version %d: run a newer quell", v, Version)
	}
	r.Kind = correlate.RecordKind(d.Byte())
	switch r.Kind {
	case correlate.KindAlert:
		if d.batch != nil {
			r.Alert = d.batch.alert()
		} else {
			r.Alert = new(correlate.Alert)
		}
		ReadAlert(&d, r.Alert)
	case correlate.KindTick:
		r.Tick.At = correlate.Time(d.Int())
	case correlate.KindResponse:
		r.Response = readResponse(&d)
	case correlate.KindWatermark:
		r.Watermark = readWatermark(&d)
	case saidWatermark:
		r.Kind = correlate.KindWatermark
		r.Watermark = readWatermark(&d)
		r.Watermark.Said = correlate.Time(d.Int())
	case correlate.KindRuleChange, explicitChange:
		r.RuleChange.Explicit = r.Kind == explicitChange
		r.Kind = correlate.KindRuleChange
		copy(r.RuleChange.Previous[:], d.Take(16))
		copy(r.RuleChange.Hash[:], d.Take(16))
	default:
		if d.Err == nil {
			d.Err = fmt.Errorf("wire: unknown kind %d", r.Kind)
		}
	}
	if d.Err == nil && len(d.Src) > 0 {
		d.Err = fmt.Errorf("wire: %d bytes follow the record", len(d.Src))
	}
	return r, d.Err
}

// AppendAlert appends the fields of an alert, without version and kind.
func AppendAlert(dst []byte, a *correlate.Alert) []byte {
	dst = append(dst, a.Fingerprint[:]...)
	dst = appendPosition(dst, a.Raw)
	dst = AppendInt(dst, a.FirstOffset)
	dst = AppendInt(dst, a.Episode)
	dst = AppendUint(dst, a.Epoch)
	dst = append(dst, byte(a.Verdict), boolByte(a.Flush), byte(a.Severity), byte(a.Status))
	for _, s := range [...]string{a.Scope, a.Source, a.Service, a.Entity, a.Check, a.Summary,
		a.URL, a.Value} {
		dst = AppendString(dst, s)
	}
	dst = AppendLabels(dst, a.Labels)
	for _, t := range [...]correlate.Time{a.First, a.Since, a.Last, a.Received} {
		dst = AppendInt(dst, int64(t))
	}
	dst = AppendUint(dst, a.Count)
	return AppendInt(dst, a.Behind)
}

// ReadAlert reads what AppendAlert wrote. The error, if any, is in d.
func ReadAlert(d *Reader, a *correlate.Alert) {
	copy(a.Fingerprint[:], d.Take(16))
	a.Raw = readPosition(d)
	a.FirstOffset, a.Episode, a.Epoch = d.Int(), d.Int(), d.Uint()
	a.Verdict, a.Flush = correlate.Verdict(d.Byte()), d.Byte() != 0
	a.Severity, a.Status = correlate.Severity(d.Byte()), correlate.Status(d.Byte())
	a.Scope, a.Source, a.Service, a.Entity = d.String(), d.String(), d.String(), d.String()
	a.Check, a.Summary, a.URL, a.Value = d.String(), d.String(), d.String(), d.String()
	a.Labels = d.Labels()
	a.First, a.Since = correlate.Time(d.Int()), correlate.Time(d.Int())
	a.Last, a.Received = correlate.Time(d.Int()), correlate.Time(d.Int())
	a.Count, a.Behind = d.Uint(), d.Int()
}

func appendPosition(dst []byte, p correlate.RawPosition) []byte {
	dst = AppendString(dst, p.Topic)
	dst = AppendInt(dst, int64(p.Partition))
	return AppendInt(dst, p.Offset)
}

func readPosition(d *Reader) (p correlate.RawPosition) {
	p.RawPartition = readPartition(d)
	p.Offset = d.Int()
	return p
}

func readPartition(d *Reader) (p correlate.RawPartition) {
	p.Topic = d.String()
	p.Partition = int32(d.Int())
	return p
}

func appendResponse(dst []byte, r *correlate.Response) []byte {
	dst = appendPosition(dst, r.Raw)
	dst = AppendString(dst, r.Incident)
	dst = append(dst, byte(r.Action))
	dst = AppendString(dst, r.By)
	dst = AppendInt(dst, int64(r.At))
	dst = AppendString(dst, r.Note)
	return AppendString(dst, r.To)
}

func readResponse(d *Reader) *correlate.Response {
	r := &correlate.Response{Raw: readPosition(d)}
	r.Incident = d.String()
	r.Action = correlate.Action(d.Byte())
	r.By = d.String()
	r.At = correlate.Time(d.Int())
	r.Note, r.To = d.String(), d.String()
	return r
}

func appendWatermark(dst []byte, w *correlate.Watermark) []byte {
	dst = AppendString(dst, w.Raw.Topic)
	dst = AppendInt(dst, int64(w.Raw.Partition))
	dst = AppendInt(dst, int64(w.At))
	dst = append(dst, boolByte(w.Finished), boolByte(w.Idle))
	dst = AppendUint(dst, uint64(len(w.Of)))
	for _, p := range w.Of {
		dst = AppendString(dst, p.Topic)
		dst = AppendInt(dst, int64(p.Partition))
	}
	return AppendInt(dst, w.Next)
}

func readWatermark(d *Reader) *correlate.Watermark {
	w := &correlate.Watermark{Raw: readPartition(d)}
	w.At = correlate.Time(d.Int())
	w.Finished, w.Idle = d.Byte() != 0, d.Byte() != 0
	if n := d.Count(2); n > 0 {
		w.Of = make([]correlate.RawPartition, n)
		for i := range w.Of {
			w.Of[i] = readPartition(d)
		}
	}
	w.Next = d.Int()
	return w
}
