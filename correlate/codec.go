package correlate

import "encoding/binary"

// The canonical byte form of what snapshots and the rolling hash contain: integers as (zig-zag)
// varints, strings and lists behind their length. Package wire has the form of the records of the
// alerts topic; that one is a contract with other processes, this one is the engine's own.

func appendInt[T ~int | ~int32 | ~int64](dst []byte, v T) []byte {
	return binary.AppendVarint(dst, int64(v))
}

func appendUint[T ~uint32 | ~uint64](dst []byte, v T) []byte {
	return binary.AppendUvarint(dst, uint64(v))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendPosition(dst []byte, p RawPosition) []byte {
	dst = appendDelimited(dst, p.Topic)
	dst = appendInt(dst, p.Partition)
	return appendInt(dst, p.Offset)
}

func appendLabels(dst []byte, labels []Label) []byte {
	dst = appendUint(dst, uint64(len(labels)))
	for _, l := range labels {
		dst = appendDelimited(dst, l.Name)
		dst = appendDelimited(dst, l.Value)
	}
	return dst
}

func appendAlert(dst []byte, a *Alert) []byte {
	dst = append(dst, a.Fingerprint[:]...)
	dst = appendPosition(dst, a.Raw)
	dst = appendInt(dst, a.FirstOffset)
	dst = appendInt(dst, a.Episode)
	dst = appendUint(dst, a.Epoch)
	dst = append(dst, byte(a.Verdict), byte(a.Severity), byte(a.Status))
	dst = appendBool(dst, a.Flush)
	for _, s := range a.strings() {
		dst = appendDelimited(dst, *s)
	}
	dst = appendLabels(dst, a.Labels)
	for _, t := range [...]Time{a.First, a.Since, a.Last, a.Received} {
		dst = appendInt(dst, t)
	}
	dst = appendUint(dst, a.Count)
	return appendInt(dst, a.Behind)
}

func (a *Alert) strings() [8]*string {
	return [8]*string{&a.Scope, &a.Source, &a.Service, &a.Entity, &a.Check, &a.Summary, &a.URL,
		&a.Value}
}

func (d *decoder) alert() *Alert {
	a := new(Alert)
	copy(a.Fingerprint[:], d.take(16))
	a.Raw = d.position()
	a.FirstOffset, a.Episode, a.Epoch = d.int(), d.int(), d.uint()
	a.Verdict, a.Severity, a.Status = Verdict(d.byte()), Severity(d.byte()), Status(d.byte())
	a.Flush = d.bool()
	for _, s := range a.strings() {
		*s = d.string()
	}
	a.Labels = d.labels()
	a.First, a.Since, a.Last, a.Received = d.time(), d.time(), d.time(), d.time()
	a.Count, a.Behind = d.uint(), d.int()
	return a
}

// clone returns a copy that shares no memory with a.
func (a *Alert) clone() *Alert {
	c := *a
	c.Raw.Topic = cloned(a.Raw.Topic)
	for _, s := range c.strings() {
		*s = cloned(*s)
	}
	c.Labels = nil
	for _, l := range a.Labels {
		c.Labels = append(c.Labels, Label{Name: cloned(l.Name), Value: cloned(l.Value)})
	}
	return &c
}

func appendResponse(dst []byte, r *Response) []byte {
	dst = appendPosition(dst, r.Raw)
	dst = append(dst, byte(r.Action))
	dst = appendInt(dst, r.At)
	for _, s := range [...]string{r.Incident, r.By, r.Note, r.To} {
		dst = appendDelimited(dst, s)
	}
	return dst
}

func (d *decoder) response() *Response {
	r := &Response{Raw: d.position(), Action: Action(d.byte()), At: d.time()}
	r.Incident, r.By, r.Note, r.To = d.string(), d.string(), d.string(), d.string()
	return r
}

func (r *Response) clone() *Response {
	c := *r
	for _, s := range [...]*string{&c.Raw.Topic, &c.Incident, &c.By, &c.Note, &c.To} {
		*s = cloned(*s)
	}
	return &c
}

func appendIncident(dst []byte, in *Incident) []byte {
	dst = appendUint(dst, in.Revision)
	dst = append(dst, byte(in.Cause), byte(in.State), byte(in.Severity))
	for _, s := range in.strings() {
		dst = appendDelimited(dst, *s)
	}
	dst = appendLabels(dst, in.Group)
	dst = appendUint(dst, uint64(len(in.Services)))
	for _, s := range in.Services {
		dst = appendDelimited(dst, s)
	}
	for _, t := range in.times() {
		dst = appendInt(dst, *t)
	}
	for _, n := range in.counts() {
		dst = appendUint(dst, *n)
	}
	dst = appendUint(dst, in.Reopened)
	dst = appendUint(dst, in.Pages)
	dst = appendBool(dst, in.Transient)
	return appendBool(dst, in.ReturnedToNormal)
}

func (in *Incident) strings() [12]*string {
	return [12]*string{&in.ID, &in.Scope, &in.Rule, &in.Route, &in.Service, &in.Summary, &in.Owner,
		&in.Runbook, &in.Priority, &in.By, &in.Assignee, &in.Note}
}

func (in *Incident) times() [8]*Time {
	return [8]*Time{&in.At, &in.FirstEvent, &in.LastEvent, &in.Detected, &in.Opened, &in.Paged,
		&in.Acknowledged, &in.ResolvedAt}
}

func (in *Incident) counts() [4]*uint64 {
	return [4]*uint64{&in.Events, &in.Alerts, &in.Firing, &in.LateSeen}
}

func (d *decoder) incident(in *Incident) {
	in.Revision = uint32(d.uint())
	in.Cause, in.State, in.Severity = Cause(d.byte()), State(d.byte()), Severity(d.byte())
	for _, s := range in.strings() {
		*s = d.string()
	}
	in.Group = append(make([]Label, 0), d.labels()...)
	in.Services = make([]string, 0)
	for n := d.count(1); n > 0; n-- {
		in.Services = append(in.Services, d.string())
	}
	for _, t := range in.times() {
		*t = d.time()
	}
	for _, n := range in.counts() {
		*n = d.uint()
	}
	in.Reopened, in.Pages = uint32(d.uint()), uint32(d.uint())
	in.Transient, in.ReturnedToNormal = d.bool(), d.bool()
}
