// Package archivetest holds the tests that every archive passes ([Run]), an archive in memory
// ([Memory]), and sample sections, the odd ones included.
package archivetest

import (
	"context"
	"slices"
	"testing"

	"quell/correlate/archive"
)

// Subject is an archive under test, empty, with ways to see the positions that it holds of a
// partition in one table, ascending, repeats included, and to do it harm.
type Subject struct {
	Archive archive.Archive
	Offsets func(t *testing.T, table, topic string, partition int32) []int64
	// Forget removes the rows of a table and leaves the tokens, as a crash in an insert may.
	Forget func(t *testing.T, table string)
}

// Run tests what [archive.Archive] promises. Open returns an empty archive for each test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"an empty archive has no position and answers", testEmpty},
		{"rows are there after an insert", testInsert},
		{"a repeated token adds nothing", testRepeat},
		{"a token that was taken without its rows does not keep them out", testSpentToken},
		{"the same token is another one in another table", testTokenPerTable},
		{"partitions and topics are apart", testPartitions},
		{"trimmed sections add the rest only", testTrimmed},
		{"every table takes odd values", testTables},
		{"a batch without rows does nothing", testNoRows},
		{"a batch that is not one insert is rejected", testRejects},
		{"an unknown table stops", testUnknownTable},
		{"a cancelled context is to be retried", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func insert(t *testing.T, s Subject, token string, sections ...archive.Section) {
	t.Helper()
	b := archive.Batch{Table: sections[0].Table, Token: token, Sections: sections}
	if err := s.Archive.Insert(t.Context(), b); err != nil {
		t.Fatalf("insert %s: %v", token, err)
	}
}

func (s Subject) wantOffsets(t *testing.T, table, topic string, partition int32, want ...int64) {
	t.Helper()
	if got := s.Offsets(t, table, topic, partition); !slices.Equal(got, want) {
		t.Fatalf("%s holds positions %d of %s/%d, want %d", table, got, topic, partition, want)
	}
}

func (s Subject) wantHigh(t *testing.T, table, topic string, partition int32, want int64) {
	t.Helper()
	got, err := s.Archive.HighWater(t.Context(), table, topic, partition)
	if err != nil || got != want {
		t.Fatalf("high water of %s %s/%d: %d, %v; want %d", table, topic, partition, got, err, want)
	}
}

func testEmpty(t *testing.T, s Subject) {
	for _, table := range archive.Tables() {
		s.wantHigh(t, table.Name, "raw", 0, -1)
	}
	if err := s.Archive.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testInsert(t *testing.T, s Subject) {
	o := Origin("raw", 3)
	insert(t, s, "q:3:0-1", Events(o, 10, 2), Events(o, 20, 3))
	s.wantOffsets(t, archive.TableEvents, "raw", 3, 10, 11, 20, 21, 22)
	s.wantHigh(t, archive.TableEvents, "raw", 3, 22)
	s.wantHigh(t, archive.TableRejected, "raw", 3, -1)
}

func testRepeat(t *testing.T, s Subject) {
	o := Origin("raw", 0)
	insert(t, s, "q:0:0-0", Events(o, 0, 3))
	insert(t, s, "q:0:1-1", Events(o, 3, 1))
	for range 3 {
		insert(t, s, "q:0:0-0", Events(o, 0, 3))
	}
	s.wantOffsets(t, archive.TableEvents, "raw", 0, 0, 1, 2, 3)
}

func testSpentToken(t *testing.T, s Subject) {
	o := Origin("raw", 0)
	insert(t, s, "q:0:0-0", Events(o, 0, 3))
	b := archive.Batch{Table: archive.TableEvents, Token: "q:0:0-0",
		Sections: []archive.Section{Events(o, 0, 3)}, Repeated: true}
	for range 3 { // the second loss spends the second token
		s.Forget(t, archive.TableEvents)
		for range 2 { // the second insert changes nothing
			if err := s.Archive.Insert(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			s.wantOffsets(t, archive.TableEvents, "raw", 0, 0, 1, 2)
		}
	}
	insert(t, s, "q:0:0-0", Events(o, 0, 3)) // of a sender that slept, and knows of no failure
	s.wantOffsets(t, archive.TableEvents, "raw", 0, 0, 1, 2)
}

func testTokenPerTable(t *testing.T, s Subject) {
	o := Origin("raw", 0)
	x := Extremes(o, 100)
	insert(t, s, "q:0:0-0", Events(o, 0, 1))
	insert(t, s, "q:0:0-0", x[1])
	s.wantHigh(t, archive.TableEvents, "raw", 0, 0)
	s.wantHigh(t, archive.TableRejected, "raw", 0, 100+int64(x[1].Rows)-1)
}

func testPartitions(t *testing.T, s Subject) {
	insert(t, s, "q:0:0-0", Events(Origin("raw", 0), 0, 1))
	insert(t, s, "q:1:0-0", Events(Origin("raw", 1), 5, 1))
	insert(t, s, "r:0:0-0", Events(Origin("other", 0), 7, 1))
	s.wantHigh(t, archive.TableEvents, "raw", 0, 0)
	s.wantHigh(t, archive.TableEvents, "raw", 1, 5)
	s.wantHigh(t, archive.TableEvents, "other", 0, 7)
	s.wantHigh(t, archive.TableEvents, "other", 1, -1)
}

func testTrimmed(t *testing.T, s Subject) {
	o := Origin("raw", 0)
	insert(t, s, "q:0:0-0", Events(o, 0, 4))
	repeated := Events(o, 2, 4)
	insert(t, s, "q:0:1-1", repeated.TrimBefore(4))
	s.wantOffsets(t, archive.TableEvents, "raw", 0, 0, 1, 2, 3, 4, 5)
}

func testTables(t *testing.T, s Subject) {
	o := Origin("raw", 9)
	for _, section := range Extremes(o, 50) {
		insert(t, s, "q:9:0-0", section)
		if got := len(s.Offsets(t, section.Table, "raw", 9)); got != section.Rows {
			t.Errorf("%s has %d rows, want %d", section.Table, got, section.Rows)
		}
	}
}

func testNoRows(t *testing.T, s Subject) {
	b := archive.Batch{Table: archive.TableEvents, Token: "q:0:0-0"}
	if err := s.Archive.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	insert(t, s, "q:0:0-0", Events(Origin("raw", 0), 0, 1))
	s.wantOffsets(t, archive.TableEvents, "raw", 0, 0)
}

func testRejects(t *testing.T, s Subject) {
	o := Origin("raw", 0)
	later := o
	later.Day++
	x := Extremes(o, 0)
	for name, b := range map[string]archive.Batch{
		"no token":   {Table: archive.TableEvents, Sections: []archive.Section{Events(o, 0, 1)}},
		"two tables": {Table: archive.TableEvents, Token: "t", Sections: []archive.Section{x[0], x[1]}},
		"another's":  {Table: archive.TablePages, Token: "t", Sections: []archive.Section{x[0]}},
		"two days": {Table: archive.TableEvents, Token: "t",
			Sections: []archive.Section{Events(o, 0, 1), Events(later, 1, 1)}},
	} {
		err := s.Archive.Insert(t.Context(), b)
		if archive.FaultOf(err) != archive.FaultReject {
			t.Errorf("%s: %v (%v), want a reject", name, err, archive.FaultOf(err))
		}
	}
	s.wantOffsets(t, archive.TableEvents, "raw", 0)
}

func testUnknownTable(t *testing.T, s Subject) {
	x := Events(Origin("raw", 0), 0, 1)
	x.Table = "nothing"
	err := s.Archive.Insert(t.Context(), archive.Batch{Table: "nothing", Token: "t",
		Sections: []archive.Section{x}})
	if archive.FaultOf(err) != archive.FaultStop {
		t.Errorf("%v (%v), want a stop", err, archive.FaultOf(err))
	}
}

func testCancelled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Archive.Insert(ctx, archive.Batch{Table: archive.TableEvents, Token: "t",
		Sections: []archive.Section{Events(Origin("raw", 0), 0, 1)}})
	if archive.FaultOf(err) != archive.FaultRetry {
		t.Errorf("%v (%v), want a retry", err, archive.FaultOf(err))
	}
}
