package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestRealLostPage: a page that is in neither topic nor archive is found by what its revision says.
func TestRealLostPage(t *testing.T) {
	w := settled(t, "")
	pages := w.options.Topics.Pages
	ends, err := w.adm.ListEndOffsets(t.Context(), pages)
	if err != nil {
		t.Fatal(err)
	}
	gone := kadm.Offsets{}
	ends.Each(func(o kadm.ListedOffset) { gone.AddOffset(o.Topic, o.Partition, o.Offset, -1) })
	if _, err := w.adm.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if r := w.audit(t, w.client, nil); !r.OK || r.Pages.Expired != r.Pages.Rows || r.Pages.Records != 0 {
		t.Fatalf("retention took all pages from their topic, the archive has them: %s, %+v", told(r), r.Pages)
	}
	// The first incident's first page, and one revision of it that is not paged.
	id := ask(t, w.client, "SELECT incident FROM pages ORDER BY incident LIMIT 1")[0][0].(string)
	at := ask(t, w.client, fmt.Sprintf("SELECT min(revision), count() FROM pages WHERE incident = '%s'", id))[0]
	first, sent := at[0].(uint32), at[1].(uint64)
	top := ask(t, w.client, fmt.Sprintf("SELECT max(pages) FROM incident_revisions WHERE incident = '%s'", id))
	if top[0][0].(uint32) != uint32(sent) {
		t.Fatalf("incident %s has %d pages and says %d", id, sent, top[0][0])
	}
	took := fmt.Sprintf("ALTER TABLE pages DELETE WHERE incident = '%s' AND revision = %d SETTINGS mutations_sync = 2",
		id, first)
	lost := fmt.Sprintf("lost_page incident %s revision %d: it says that 1 pages were sent so far, and there are 0",
		id, first)
	for i, c := range []struct{ name, plant, want string }{
		{"one page", took, lost},
		{"the pages of all incidents", "TRUNCATE TABLE pages", ""},
		{"a page that no revision counts", fmt.Sprintf("ALTER TABLE incident_revisions UPDATE pages = pages - 1 "+
			"WHERE incident = '%s' AND revision >= %d SETTINGS mutations_sync = 2", id, first), fmt.Sprintf(
			"uncounted_page incident %s revision %d: it says that 0 pages were sent so far, and there are 1", id, first)},
		{"a page of an incident whose beginning the TTL may have taken", took +
			"; ALTER TABLE incident_revisions DELETE WHERE revision = 1 SETTINGS mutations_sync = 2", "no lost_page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := w.twin(t, fmt.Sprintf("lost%d", i))
			for statement := range strings.SplitSeq(c.plant, "; ") {
				exec(t, client, statement)
			}
			r := w.audit(t, client, nil)
			switch {
			case c.want == "":
				if n := ask(t, w.client, "SELECT count() FROM pages")[0][0].(uint64); r.OK ||
					r.WrongKinds[LostPage] != int64(n) || r.WrongTotal != int64(n) {
					t.Errorf("%d of %d pages are lost:\n%s", r.WrongKinds[LostPage], n, told(r))
				}
			case c.want == "no lost_page":
				if n := r.WrongKinds[LostPage]; n != 0 {
					t.Errorf("it says\n%s", told(r))
				}
			case told(r) != c.want || r.OK || r.WrongTotal != 1:
				t.Errorf("it says\n%s\nwant\n%s", told(r), c.want)
			}
			var out bytes.Buffer
			if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "WRONG "+c.want) && c.want == lost {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
	client := w.twin(t, "lostlongago")
	exec(t, client, took)
	r, all := &Report{}, newFindings(10)
	old := auditorAt(w, client, time.Now().Add(48*time.Hour), 1)
	b, err := old.open(t.Context())
	if err == nil {
		err = old.auditBooks(t.Context(), b, r, all)
	}
	if err != nil || len(all.total) > 0 {
		t.Errorf("rows that the TTL may have taken: %v, %v", err, all.list)
	}
}

// What the count says of one incident, revision by revision.
func TestCountPages(t *testing.T) {
	page := &entry{}
	row := func(pages int64) *entry { return &entry{id: "0-a", count: 1, pages: pages, kept: true} }
	for _, c := range []struct {
		name string
		sets []set // revision 1, 2, 3 ...
		want string
	}{
		{"all are there", []set{{revisionRow: row(0)}, {revisionRow: row(1), page: page, pageRow: page},
			{revisionRow: row(2), pageRow: page}, {revisionRow: row(2)}}, ""},
		{"one is only in the topic", []set{{revisionRow: row(1), page: page}}, ""},
		{"one is nowhere, and the count stays off", []set{{revisionRow: row(1), page: page}, {revisionRow: row(2)},
			{revisionRow: row(3), page: page}}, "lost_page 2 (1)"},
		{"two are nowhere", []set{{revisionRow: row(1)}, {revisionRow: row(1)}, {revisionRow: row(2)}},
			"lost_page 1 (1) lost_page 3 (1)"},
		{"behind a revision without a row", []set{{revisionRow: row(1), page: page}, {page: page}, {revisionRow: row(4), page: page}},
			"lost_page 3 (1)"},
		{"one too many", []set{{revisionRow: row(0)}, {revisionRow: row(0), page: page}}, "uncounted_page 2 (1)"},
		{"the first revision has no row", []set{{}, {revisionRow: row(3)}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bookCheck{a: &auditor{}}
			for i, s := range c.sets {
				if s.revisionRow != nil {
					s.revisionRow.revision = uint32(i + 1)
				}
				b.countPages(&entry{id: "0-a", revision: uint32(i + 1)}, &s)
			}
			var got []string
			for _, l := range b.lost {
				got = append(got, fmt.Sprintf("%s %d (%d)", l.Kind, l.Revision, l.n))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
}
