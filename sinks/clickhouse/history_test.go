package clickhouse_test

import (
	"context"
	"testing"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/sinks/clickhouse"
)

// start of the history: Monday, 2026-11-02T10:00:00Z.
const monday correlate.Time = 1793613600000

// at returns the moment so many seconds into the history.
func at(seconds int) correlate.Time {
	return monday.Add(correlate.Duration(seconds) * correlate.Second)
}

// history collects rows and inserts them.
type history struct {
	events       *archive.EventsBuilder
	rejected     *archive.RejectedBuilder
	dispositions *archive.DispositionsBuilder
	revisions    *archive.RevisionsBuilder
	pages        *archive.PagesBuilder
}

func newHistory() *history {
	return &history{archive.NewEventsBuilder(), archive.NewRejectedBuilder(),
		archive.NewDispositionsBuilder(), archive.NewRevisionsBuilder(), archive.NewPagesBuilder()}
}

func (h *history) insert(t testing.TB, c *clickhouse.Client) {
	t.Helper()
	raw, alerts := archivetest.Origin("raw", 0), archivetest.Origin("quell.alerts", 0)
	for _, s := range []archive.Section{h.events.Section(raw), h.rejected.Section(raw),
		h.dispositions.Section(alerts), h.revisions.Section(alerts), h.pages.Section(alerts)} {
		b := archive.Batch{Table: s.Table, Token: "t", Sections: []archive.Section{s}}
		if err := c.Insert(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *history) event(offset int64, seconds int, fp byte, service string, s correlate.Severity,
	v correlate.Verdict) {
	h.events.Append(&correlate.Event{Time: at(seconds), Scope: "default", Service: service,
		Severity: s, Status: correlate.Firing},
		&archive.Stamp{Offset: offset, Received: at(seconds), Verdict: v,
			Fingerprint: correlate.Fingerprint{fp}})
}

// record adds what became of the record that covers events up to the raw offset.
func (h *history) record(d correlate.Disposed, upTo int64, fp byte, service string,
	s correlate.Severity, flush bool) {
	d.Offset = int64(h.dispositions.Rows())
	d.Alert = &correlate.Alert{Fingerprint: correlate.Fingerprint{fp}, Scope: "default",
		Service: service, Entity: "pod-" + service, Check: "latency", Severity: s,
		Status: correlate.Firing, Flush: flush, Since: d.At, Last: d.At}
	d.Alert.Raw.Topic, d.Alert.Raw.Offset = "raw", upTo
	h.dispositions.Append(&d)
}

// revise adds a revision, and a page if there is a reason.
func (h *history) revise(in *correlate.Incident, seconds int, state correlate.State,
	cause correlate.Cause, reason correlate.PageReason) {
	in.Revision++
	in.At, in.State, in.Cause = at(seconds), state, cause
	if reason != 0 {
		in.Pages++
		h.pages.Append(&correlate.Page{Reason: reason, Incident: *in}, int64(h.revisions.Rows()))
	}
	h.revisions.Append(in, int64(h.revisions.Rows()))
}

func incident(id, rule, service string, s correlate.Severity, first,
	opened int) *correlate.Incident {
	return &correlate.Incident{ID: id, Scope: "default", Rule: rule, Service: service, Severity: s,
		Group:      []correlate.Label{{Name: "service", Value: service}, {Name: "entity", Value: "x"}},
		FirstEvent: at(first), LastEvent: at(first), Detected: at(first), Opened: at(opened)}
}

// fourIncidents is a small history: an ordinary incident, one that reopened and that nobody
// acknowledged, one that cleared before group_wait ended, and one a week later that somebody took
// before it was paged and that is not over.
func fourIncidents() *history {
	h := newHistory()
	a := incident("0-a", "r1", "checkout", correlate.Critical, 0, 2)
	h.revise(a, 2, correlate.Pending, correlate.CauseOpened, 0)
	a.Paged = at(32)
	h.revise(a, 32, correlate.Open, correlate.CauseGroupWait, correlate.ReasonFirst)
	a.Acknowledged = at(92)
	h.revise(a, 92, correlate.Acknowledged, correlate.CauseAcknowledged, 0)
	a.ResolvedAt = at(602)
	h.revise(a, 602, correlate.ResolvedDone, correlate.CauseAllResolved, correlate.ReasonAllResolved)

	b := incident("0-b", "r1", "payment", correlate.Error, 100, 104)
	h.revise(b, 104, correlate.Pending, correlate.CauseOpened, 0)
	b.Paged = at(134)
	h.revise(b, 134, correlate.Open, correlate.CauseGroupWait, correlate.ReasonFirst)
	b.ResolvedAt, b.ReturnedToNormal = at(204), true
	h.revise(b, 204, correlate.ResolvedDone, correlate.CauseAllResolved, 0)
	b.Reopened = 1
	h.revise(b, 300, correlate.Open, correlate.CauseReopened, correlate.ReasonNewAlerts)
	h.revise(b, 310, correlate.Open, correlate.CauseNote, 0)
	b.ResolvedAt = at(1104)
	h.revise(b, 1104, correlate.ResolvedDone, correlate.CauseQuiet, 0)

	c := incident("0-c", "r2", "checkout", correlate.Warning, 200, 206)
	h.revise(c, 206, correlate.Pending, correlate.CauseOpened, 0)
	c.ResolvedAt, c.Transient = at(216), true
	h.revise(c, 216, correlate.ResolvedDone, correlate.CauseAllResolved, 0)

	const week = 7 * 86400
	d := incident("0-d", "r2", "search", correlate.Critical, week+300, week+300)
	h.revise(d, week+300, correlate.Pending, correlate.CauseOpened, 0)
	d.Acknowledged = at(week + 325)
	h.revise(d, week+325, correlate.Acknowledged, correlate.CauseAcknowledged, 0)
	d.Paged = at(week + 330)
	h.revise(d, week+330, correlate.Acknowledged, correlate.CausePage, correlate.ReasonFirst)
	return h
}

// fillFunnel adds 10 events and 2 rejected records to fourIncidents, and what became of them.
func (h *history) fillFunnel() {
	for i, v := range []correlate.Verdict{correlate.VerdictNew, correlate.VerdictDuplicate,
		correlate.VerdictDuplicate, correlate.VerdictRedelivered, correlate.VerdictUpdate} {
		h.event(int64(i), i, 1, "checkout", correlate.Critical, v)
	}
	h.event(5, 200, 2, "checkout", correlate.Warning, correlate.VerdictNew)
	h.event(6, 100, 3, "payment", correlate.Error, correlate.VerdictNew)
	h.event(7, 101, 3, "payment", correlate.Error, correlate.VerdictDuplicate)
	h.event(8, 102, 5, "payment", correlate.Info, correlate.VerdictDropped)
	h.event(9, 300, 4, "search", correlate.Critical, correlate.VerdictNew)
	for i := range int64(2) {
		h.rejected.Append(&archive.Rejection{Offset: 10 + i, Received: at(400 + int(i)), Reason: "json"})
	}
	joined := correlate.Disposed{At: at(0), Disposition: correlate.Joined, Incident: "0-a", Rule: "r1",
		Added: 1}
	h.record(joined, 0, 1, "checkout", correlate.Critical, false)
	joined.Added = 4
	h.record(joined, 4, 1, "checkout", correlate.Critical, false)
	h.record(correlate.Disposed{Disposition: correlate.Transient, Incident: "0-c", Rule: "r2",
		Added: 1}, 5, 2, "checkout", correlate.Warning, false)
	h.record(correlate.Disposed{Disposition: correlate.Late, Incident: "0-b", Rule: "r1",
		Added: 2}, 7, 3, "payment", correlate.Error, false)
	h.record(correlate.Disposed{Disposition: correlate.Joined, Incident: "0-d", Rule: "r2",
		Added: 1}, 9, 4, "search", correlate.Critical, false)
	h.record(correlate.Disposed{Disposition: correlate.OrphanResolve}, 9, 6, "search",
		correlate.Info, false)
}
