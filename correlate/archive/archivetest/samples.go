package archivetest

import (
	"fmt"
	"math"
	"strings"

	"quell/correlate"
	"quell/correlate/archive"
)

// Origin returns whose rows the samples are.
func Origin(topic string, partition int32) archive.Origin {
	return archive.Origin{Topic: topic, Partition: partition, Epoch: 0xfedcba9876543210, Day: 20778}
}

// Events returns a section of n events at the positions from first on, ordinary ones.
func Events(o archive.Origin, first int64, n int) archive.Section {
	b := archive.NewEventsBuilder()
	for i := range n {
		ev := correlate.Event{ID: fmt.Sprintf("id-%d", i), Time: correlate.Time(1e12 + i),
			Scope: "default", Source: "prometheus", Service: fmt.Sprintf("service-%d", i%7),
			Entity: fmt.Sprintf("pod-%d", i%50), Check: "latency",
			Severity: correlate.Severity(1 + i%4), Status: correlate.Status(1 + i%2),
			Summary: "latency is above 1 s", Value: fmt.Sprint(i),
			Labels: []correlate.Label{{Name: "env", Value: "prod"}, {Name: "team", Value: "a"}}[:i%3]}
		b.Append(&ev, &archive.Stamp{Offset: first + int64(i), Received: ev.Time + 5,
			Verdict:     correlate.Verdict(1 + i%7),
			Fingerprint: correlate.Fingerprint{byte(i % 50), 1}})
	}
	return b.Section(o)
}

// Extremes returns sections of all tables whose values are the odd ones: empty, NUL and invalid
// UTF-8 bytes, a string of 1 MB, no labels and hundreds, years 1 and 9999, extreme integers.
func Extremes(o archive.Origin, first int64) []archive.Section {
	return []archive.Section{extremeEvents(o, first), extremeRejected(o, first),
		extremeDispositions(o, first), extremeRevisions(o, first), extremePages(o, first),
		extremeResponses(o, first)}
}

// Strings are odd strings.
func Strings() []string {
	return []string{"", "\x00", "a\x00b\nc\td\\'`\"", "\xff\xfe", "日本語 ünï 🙂",
		strings.Repeat("x", 127), strings.Repeat("y", 128), strings.Repeat("z", 1<<20)}
}

// Times are odd times; the first is "never".
func Times() []correlate.Time {
	return []correlate.Time{0, -1, 1, archive.MinTime, archive.MinTime - 1, archive.MaxTime,
		archive.MaxTime + 1, -62135596800000, 253402300799999}
}

func manyLabels(n int) []correlate.Label {
	var out []correlate.Label
	for i := range n {
		out = append(out, correlate.Label{Name: fmt.Sprintf("label-%04d", i), Value: "\x00v"})
	}
	return out
}

func extremeEvents(o archive.Origin, first int64) archive.Section {
	b := archive.NewEventsBuilder()
	texts, times := Strings(), Times()
	for i := range 40 {
		s, t := texts[i%len(texts)], times[i%len(times)]
		ev := correlate.Event{ID: s, Time: t, Scope: s, Source: s, Service: s, Entity: s, Check: s,
			Severity: correlate.Severity(i % 5), Status: correlate.Status(i % 3), Summary: s, URL: s,
			Value: s, Labels: manyLabels([]int{0, 1, 300}[i%3])}
		b.Append(&ev, &archive.Stamp{Offset: first + int64(i), Received: t, Clamped: i%2 == 0,
			Verdict:     correlate.Verdict(i % 8),
			Fingerprint: correlate.Fingerprint{0, 0xff, byte(i), '\n'}})
	}
	return b.Section(o)
}

func extremeRejected(o archive.Origin, first int64) archive.Section {
	b := archive.NewRejectedBuilder()
	for i, s := range Strings() {
		b.Append(&archive.Rejection{Offset: first + int64(i), Received: Times()[i], Reason: s,
			Detail: s, Payload: []byte(s), Size: math.MaxInt64, Hash: math.MaxUint64})
	}
	return b.Section(o)
}

func extremeDispositions(o archive.Origin, first int64) archive.Section {
	b := archive.NewDispositionsBuilder()
	for i, s := range Strings() {
		t := Times()[i]
		a := &correlate.Alert{Fingerprint: correlate.Fingerprint{byte(i)}, FirstOffset: math.MinInt64,
			Episode: math.MaxInt64, Verdict: correlate.VerdictUpdate, Flush: i%2 == 1, Scope: s,
			Source: s, Service: s, Entity: s, Check: s, Severity: correlate.Critical,
			Status: correlate.Resolved, First: t, Since: t, Last: t, Received: t}
		a.Raw.Topic, a.Raw.Partition, a.Raw.Offset = s, math.MaxInt32, math.MaxInt64
		b.Append(&correlate.Disposed{Offset: first + int64(i), At: t, Alert: a,
			Disposition: correlate.Disposition(1 + i%9), Incident: s, Rule: s,
			Added: math.MaxUint64})
	}
	return b.Section(o)
}

func extremeIncident(i int) correlate.Incident {
	s, t := Strings()[i], Times()[i]
	return correlate.Incident{ID: s, Revision: math.MaxUint32, At: t, Cause: correlate.Cause(1 + i),
		Scope: s, Rule: s, Group: manyLabels(i), Route: s, State: correlate.State(1 + i%4),
		Severity: correlate.Error, Service: s, Services: Strings()[:i], Summary: s, Owner: s,
		Runbook: s, Priority: s, FirstEvent: t, LastEvent: t, Detected: t, Opened: t, Paged: t,
		Acknowledged: t, ResolvedAt: t, Events: math.MaxUint64, Alerts: math.MaxUint64,
		Firing: 1, LateSeen: 2, Reopened: math.MaxUint32, Pages: 4, Transient: i%2 == 0,
		ReturnedToNormal: i%2 == 1, By: s, Assignee: s, Note: s}
}

func extremeRevisions(o archive.Origin, first int64) archive.Section {
	b := archive.NewRevisionsBuilder()
	for i := range Strings() {
		in := extremeIncident(i)
		b.Append(&in, first)
	}
	return b.Section(o)
}

func extremePages(o archive.Origin, first int64) archive.Section {
	b := archive.NewPagesBuilder()
	for i, s := range Strings() {
		p := correlate.Page{Reason: correlate.PageReason(1 + i), Incident: extremeIncident(i),
			Top: []correlate.PageAlert{{Service: s, Severity: correlate.Info,
				Status: correlate.Firing}}}
		b.Append(&p, first)
	}
	return b.Section(o)
}

func extremeResponses(o archive.Origin, first int64) archive.Section {
	b := archive.NewResponsesBuilder()
	for i, s := range Strings() {
		r := &correlate.Response{Incident: s, Action: correlate.Action(1 + i%4), By: s,
			At: Times()[i], Note: s, To: s}
		b.Append(&correlate.Answered{Offset: first + int64(i), At: Times()[i], Response: r,
			Outcome: correlate.Outcome(1 + i%3)})
	}
	return b.Section(o)
}
