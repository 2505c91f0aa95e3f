package audit

import (
	"context"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
)

// auditBooks checks incidents and pages, again if what it misses may be on its way.
func (a *auditor) auditBooks(ctx context.Context, b *books, r *Report, all *findings) error {
	read := newFindings(a.o.Limit)
	revisions, err := a.readBooks(ctx, b.incidents, UnreadableRevision, read)
	if err != nil {
		return err
	}
	pages, err := a.readBooks(ctx, b.pages, UnreadablePage, read)
	if err != nil {
		return err
	}
	var c *bookCheck
	err = a.until(ctx, "the archive to hold all incidents and pages", func() (lateness, error) {
		c = &bookCheck{a: a, books: b, wrong: newFindings(a.o.Limit)}
		return c.run(ctx, revisions, pages)
	})
	if err != nil {
		return fmt.Errorf("audit of incidents and pages: %w", err)
	}
	r.Incidents, r.Revisions, r.Pages = c.incidents, c.revisions, c.pages
	all.merge(read)
	all.merge(c.wrong)
	return nil
}

func (a *auditor) readBooks(ctx context.Context, list []book, k Kind, wrong *findings) ([]entry,
	error) {
	var out []entry
	for _, b := range list {
		var err error
		out, err = a.readBook(ctx, b, out, func(r *kgo.Record, err error) {
			if a.within(r.Timestamp) {
				wrong.add(Wrong{Kind: k, Topic: r.Topic, Partition: &r.Partition, Offsets: []int64{r.Offset},
					Detail: err.Error()}, 1)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return group(out), nil
}

// bookCheck is one look at incidents and pages: topics and archive in one pass, in the order of
// (id, revision).
type bookCheck struct {
	a         *auditor
	books     *books
	wrong     *findings
	revisions Ledger
	pages     Ledger
	incidents int64
	late      lateness

	id     string // of the incident that the pass is at
	next   uint32 // revision that comes next
	newest *entry // row of its newest revision, if its record is not in the topic

	floors  map[int32]int64 // of pages: rows up to here may have lost their record to retention
	unsent  []Wrong         // rows without a record: unless it came since
	tally   tally           // of pages
	lost    []lostPage      // unless they came since
	waiting []Wrong         // records without a row
	reached map[string]map[int32]int64
}

// set is what topics and archive have of one (id, revision); nil is nothing.
type set struct{ revision, revisionRow, page, pageRow *entry }

// run looks. Pages are asked for before revisions: a page's revision is archived before it.
func (c *bookCheck) run(ctx context.Context, revisions, pages []entry) (lateness, error) {
	c.reached = map[string]map[int32]int64{}
	var err error
	if c.floors, err = c.pageFloors(ctx, pages); err != nil {
		return 0, err
	}
	pageRows, err := c.a.rowsOf(ctx, archive.TablePages)
	if err != nil {
		return 0, err
	}
	revisionRows, err := c.a.rowsOf(ctx, archive.TableRevisions)
	if err != nil {
		return 0, err
	}
	var s [4]*stream
	for i, seq := range [...]iter.Seq2[entry, error]{listOf(revisions), revisionRows, listOf(pages),
		pageRows} {
		if s[i], err = newStream(seq); err != nil {
			return 0, err
		}
		defer s[i].stop()
	}
	if err := c.pass(s); err != nil {
		return 0, err
	}
	c.finishIncident()
	c.settle()
	err = c.sentSince(ctx)
	return c.late, err
}

// pass merges the four streams.
func (c *bookCheck) pass(s [4]*stream) error {
	for {
		var least *entry
		for _, one := range s {
			if one.ok && (least == nil || one.head.compare(least) < 0) {
				least = &one.head
			}
		}
		if least == nil {
			return nil
		}
		key := entry{id: least.id, revision: least.revision}
		var got set
		for i, into := range []**entry{&got.revision, &got.revisionRow, &got.page, &got.pageRow} {
			var err error
			if *into, err = s[i].take(&key); err != nil {
				return err
			}
		}
		c.judge(&key, &got)
	}
}

// judge takes one (id, revision).
func (c *bookCheck) judge(key *entry, got *set) {
	c.countPages(key, got)
	if got.revision != nil || got.revisionRow != nil {
		c.revision(key, got)
	}
	if got.page == nil && got.pageRow == nil {
		return
	}
	c.count(&c.pages, got.page, got.pageRow, DoubledPage, DoubledPageRow)
	if got.revision == nil && got.revisionRow == nil {
		c.orphan(key, got)
	}
	switch {
	case got.pageRow == nil:
		c.unarchived(MissingPageRow, got.page)
	case got.page == nil:
		c.unseen(MissingPage, c.a.o.Topics.Pages, got.pageRow, c.expired(got.pageRow))
	default:
		c.reach(got.page)
	}
}

// revision takes one revision: its two sides, and its place behind the one before.
func (c *bookCheck) revision(key *entry, got *set) {
	if key.id != c.id {
		c.finishIncident()
		c.id, c.next = key.id, 1
		if c.inTime(got.revision) || c.inTime(got.revisionRow) {
			c.incidents++
		}
	}
	c.count(&c.revisions, got.revision, got.revisionRow, DoubledRevision, DoubledRevisionRow)
	inTime := c.inTime(got.revision) || c.inTime(got.revisionRow)
	if key.revision > c.next && inTime && !c.mayHaveBegun(got) {
		n := key.revision - c.next
		c.wrong.add(Wrong{Kind: RevisionGap, Incident: key.id, Revision: c.next,
			Detail: fmt.Sprintf("%d missing, the next is revision %d", n, key.revision)}, int64(n))
	}
	c.next = key.revision + 1
	c.newest = nil
	switch {
	case got.revisionRow == nil:
		c.unarchived(MissingRevisionRow, got.revision)
	case got.revision == nil:
		c.newest = got.revisionRow
		if c.inTime(c.newest) {
			c.revisions.Compacted++
		}
	default:
		c.reach(got.revision)
	}
}

// mayHaveBegun tells whether the revisions before this one may have been in rows that the archive's
// TTL has taken.
func (c *bookCheck) mayHaveBegun(got *set) bool {
	if got.revisionRow != nil {
		return c.next == 1 && c.a.o.Clock == correlate.ClockAppend &&
			got.revisionRow.opened.Before(c.a.outlived)
	}
	return got.revision.at.Before(c.a.outlived)
}

// finishIncident judges the newest revision of the incident that the pass leaves behind:
// compaction keeps that one.
func (c *bookCheck) finishIncident() {
	row := c.newest
	if c.newest = nil; row == nil {
		return
	}
	if c.inTime(row) {
		c.revisions.Compacted--
	}
	started := false
	for _, b := range c.books.incidents {
		started = started || b.Partition == row.partition && b.start > 0
	}
	c.unseen(MissingRevision, c.a.o.Topics.Incidents, row, started)
}

// count counts both sides and finds doubles.
func (c *bookCheck) count(l *Ledger, record, row *entry, records, rows Kind) {
	if c.inTime(record) {
		l.Records += record.count
		if record.count > 1 {
			c.wrong.add(c.of(records, record), record.count-1)
		}
	}
	if c.inTime(row) {
		l.Rows += row.count
		if row.count > 1 {
			w := c.of(rows, row)
			w.Detail = fmt.Sprintf("%d rows", row.count)
			c.wrong.add(w, row.count-1)
		}
	}
}

func (c *bookCheck) inTime(e *entry) bool { return e != nil && c.a.within(e.at) }

// of names an entry; a record with its place, a row without.
func (c *bookCheck) of(k Kind, e *entry) Wrong {
	w := Wrong{Kind: k, Incident: e.id, Revision: e.revision}
	if e.topic != "" {
		w.Topic, w.Partition, w.Offsets = e.topic, &e.partition, e.positions()
	}
	return w
}

// orphan takes a page without a revision. When a record has none, it may yet be archived.
func (c *bookCheck) orphan(key *entry, got *set) {
	e := got.page
	if e == nil {
		e = got.pageRow
	}
	if !c.inTime(e) || e.topic != "" && e.at.Before(c.a.outlived) {
		return
	}
	w := c.of(PageWithoutRevision, e)
	if got.pageRow == nil {
		c.waiting = append(c.waiting, w)
		return
	}
	c.wrong.add(w, 1)
}
