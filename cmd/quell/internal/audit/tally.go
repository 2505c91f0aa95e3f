package audit

import "fmt"

// A page that is missing on both sides leaves no trace in either, but for what the revisions of its
// incident say: each carries how many pages were sent so far, a page of its own included, whatever
// its reason. Topics and archive together must have as many up to there.

// tally counts the pages of one incident.
type tally struct {
	id    string
	pages int64 // in topic or archive, up to the revision that the pass is at
	off   int64 // how many more the last revision told of
	whole bool  // no row of the incident can have been taken by the archive's TTL
}

// lostPage is a finding that concerns n pages.
type lostPage struct {
	Wrong
	n int64
}

// countPages compares what a revision's row says with the pages up to it. A difference is stated once,
// at the revision where it begins: that is whose page is missing. A row whose page came after the ends
// of the topics were noted is sorted out at the end.
func (c *bookCheck) countPages(key *entry, got *set) {
	if key.id != c.tally.id {
		c.tally = tally{id: key.id}
	}
	t, row := &c.tally, got.revisionRow
	if got.page != nil || got.pageRow != nil {
		t.pages++
	}
	if row == nil {
		return
	}
	if key.revision == 1 {
		t.whole = row.kept // rows are archived in the order of revisions, and go by the day of that
	}
	more := row.pages - t.pages - t.off
	t.off += more
	if more == 0 || !t.whole || !c.inTime(row) {
		return
	}
	l := lostPage{c.of(LostPage, row), more}
	if more < 0 {
		l = lostPage{c.of(UncountedPage, row), -more}
	}
	l.Detail = fmt.Sprintf("it says that %d pages were sent so far, and there are %d", row.pages, t.pages)
	c.lost = append(c.lost, l)
}
