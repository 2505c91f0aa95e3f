package audit

import (
	"fmt"
	"time"
)

// Kind names what is wrong.
type Kind string

// The kinds. Each is about one position, or one (id, revision).
const (
	MissingRow         Kind = "missing_row"         // a record that is in no table
	DoubledRow         Kind = "doubled_row"         // a position with more than one row
	RowBehindLog       Kind = "row_behind_log"      // a row at a position that the log does not reach
	RowWithoutRecord   Kind = "row_without_record"  // a row at an offset that holds no record
	MissingDisposition Kind = "missing_disposition" // a passed event without one
	DoubledDisposition Kind = "doubled_disposition" // a passed event with several
	StrayDisposition   Kind = "stray_disposition"   // one that refers to no archived event

	DoubledRevision     Kind = "doubled_revision"      // twice in the topic
	DoubledRevisionRow  Kind = "doubled_revision_row"  // twice in the archive
	MissingRevisionRow  Kind = "missing_revision_row"  // in the topic, not in the archive
	MissingRevision     Kind = "missing_revision"      // an incident's newest is not in the topic
	RevisionGap         Kind = "revision_gap"          // revisions are not 1, 2, 3 ...
	DoubledPage         Kind = "doubled_page"          // as with revisions
	DoubledPageRow      Kind = "doubled_page_row"      //
	MissingPageRow      Kind = "missing_page_row"      //
	MissingPage         Kind = "missing_page"          //
	PageWithoutRevision Kind = "page_without_revision" // no revision in topic or archive
	LostPage            Kind = "lost_page"             // its revision counts it, and it is nowhere
	UncountedPage       Kind = "uncounted_page"        // one more than its revision counts
	UnreadablePage      Kind = "unreadable_page"       // a page that tells no incident and revision
	UnreadableRevision  Kind = "unreadable_revision"   //
)

// Wrong is one thing that is wrong: a run of raw positions, or an (incident, revision).
type Wrong struct {
	Kind      Kind   `json:"kind"`
	Topic     string `json:"topic,omitempty"`
	Partition *int32 `json:"partition,omitempty"`
	// First and Last are the raw positions, both included.
	First *int64 `json:"first,omitempty"`
	Last  *int64 `json:"last,omitempty"`
	// Offsets are those of the records of a page or a revision in Topic.
	Offsets  []int64 `json:"offsets,omitempty"`
	Incident string  `json:"incident,omitempty"`
	Revision uint32  `json:"revision,omitempty"`
	Detail   string  `json:"detail,omitempty"`
}

// String tells it in one line.
func (w *Wrong) String() string {
	out := string(w.Kind)
	if w.Topic != "" {
		out += fmt.Sprintf(" %s/%d", w.Topic, *w.Partition)
	}
	switch {
	case w.First != nil && *w.First == *w.Last:
		out += fmt.Sprintf(" at %d", *w.First)
	case w.First != nil:
		out += fmt.Sprintf(" at %d to %d", *w.First, *w.Last)
	case len(w.Offsets) > 0:
		out += fmt.Sprintf(" at %v", w.Offsets)
	}
	if w.Incident != "" {
		out += fmt.Sprintf(" incident %s revision %d", w.Incident, w.Revision)
	}
	if w.Detail != "" {
		out += ": " + w.Detail
	}
	return out
}

// Raw is what became of one raw partition. Records = Held + Missing + Aged + Pending, and Held +
// Expired + Doubled rows beyond the first = Events + Rejected.
type Raw struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"` // of the log, or of the part that was asked for
	End       int64  `json:"end"`   // exclusive

	Records  int64 `json:"records"`  // in the log
	Events   int64 `json:"events"`   // rows; of the responses topic, rows of responses
	Rejected int64 `json:"rejected"` // rows
	Absent   int64 `json:"absent"`
	Expired  int64 `json:"expired"`
	Aged     int64 `json:"aged"`
	Pending  int64 `json:"pending"`
	Unknown  int64 `json:"unknown"`
	Missing  int64 `json:"missing"`
	Doubled  int64 `json:"doubled"` // rows beyond the first of a position

	Passed       int64 `json:"passed"`       // events that the engine was told of
	Dispositions int64 `json:"dispositions"` // of those events
	Flushes      int64 `json:"flushes"`      // dispositions of trailing counts
	Undisposed   int64 `json:"undisposed"`   // passed events without one, if not waited for
}

// Ledger is what became of revisions or pages.
type Ledger struct {
	Records   int64 `json:"records"`   // in the topic
	Rows      int64 `json:"rows"`      // in the archive
	Expired   int64 `json:"expired"`   // rows whose record retention has taken
	Compacted int64 `json:"compacted"` // rows whose record compaction has taken
	Aged      int64 `json:"aged"`      // records whose row the archive's TTL has taken
	Pending   int64 `json:"pending"`   // records behind the newest archived one, if not waited for
}

// Report is the outcome of an audit.
type Report struct {
	OK         bool           `json:"ok"`
	From       *time.Time     `json:"from,omitempty"`
	To         *time.Time     `json:"to,omitempty"`
	Raw        []Raw          `json:"raw"`
	Incidents  int64          `json:"incidents"`
	Revisions  Ledger         `json:"revisions"`
	Pages      Ledger         `json:"pages"`
	WrongTotal int64          `json:"wrong_total"` // positions, and (incident, revision)s
	WrongKinds map[Kind]int64 `json:"wrong_kinds"`
	Wrong      []Wrong        `json:"wrong"` // the first of each kind, at most Options.Limit of it
	Seconds    float64        `json:"seconds"`
}

// findings gathers what is wrong: all of it counted, the first of each kind listed.
type findings struct {
	limit  int
	total  map[Kind]int64
	listed map[Kind]int
	list   []Wrong
}

func newFindings(limit int) *findings {
	return &findings{limit: limit, total: map[Kind]int64{}, listed: map[Kind]int{}}
}

// add counts n and lists w.
func (f *findings) add(w Wrong, n int64) {
	f.count(w.Kind, n)
	f.note(w)
}

// count only counts: for what is listed otherwise, or not at all.
func (f *findings) count(k Kind, n int64) { f.total[k] += n }

// note lists w if there is room. A run of positions that goes on where the last one ended is one
// entry.
func (f *findings) note(w Wrong) {
	if len(f.list) > 0 && f.list[len(f.list)-1].extend(&w) {
		return
	}
	if f.listed[w.Kind] < f.limit {
		f.listed[w.Kind]++
		f.list = append(f.list, w)
	}
}

func (w *Wrong) extend(next *Wrong) bool {
	if w.Kind != next.Kind || w.First == nil || next.First == nil || w.Topic != next.Topic ||
		*w.Partition != *next.Partition || *w.Last+1 != *next.First || w.Detail != next.Detail {
		return false
	}
	w.Last = next.Last
	return true
}

// merge takes another check's findings over.
func (f *findings) merge(o *findings) {
	for k, n := range o.total {
		f.count(k, n)
	}
	for _, w := range o.list {
		f.note(w)
	}
}
