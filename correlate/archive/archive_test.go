package archive_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

func rowsOf(s *archive.Section) [][]any {
	var out [][]any
	for _, row := range s.All() {
		out = append(out, append([]any(nil), row...))
	}
	return out
}

func envelope(sections ...archive.Section) *archive.Envelope {
	return &archive.Envelope{Origin: archivetest.Origin("raw", 4), From: 0, To: 1000,
		Sections: sections}
}

func TestRoundTripOfOddValues(t *testing.T) {
	sections := archivetest.Extremes(archivetest.Origin("raw", 4), 7)
	b := envelope(sections...).Append(nil)
	e, err := archive.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if e.Topic != "raw" || e.Partition != 4 || e.From != 0 || e.To != 1000 ||
		e.Epoch != 0xfedcba9876543210 || e.Day != 20778 || len(e.Sections) != len(sections) {
		t.Fatalf("decoded %+v", e.Origin)
	}
	for i := range sections {
		if !reflect.DeepEqual(rowsOf(&e.Sections[i]), rowsOf(&sections[i])) {
			t.Errorf("rows of %s differ", sections[i].Table)
		}
	}
	if again := e.Append(nil); !bytes.Equal(again, b) {
		t.Error("decoded and appended again the bytes differ")
	}
}

func TestRowsAreWhatWasAppended(t *testing.T) {
	ev := correlate.Event{ID: "i", Time: archive.MaxTime + 1, Scope: "sc", Source: "so",
		Service: "se", Entity: "en", Check: "ch", Severity: correlate.Error, Status: correlate.Firing,
		Summary: "su", URL: "u", Value: "v", Labels: []correlate.Label{{Name: "a", Value: "b"}}}
	b := archive.NewEventsBuilder()
	b.Append(&ev, &archive.Stamp{Offset: 9, Received: 5, Verdict: correlate.VerdictNew,
		Fingerprint: correlate.Fingerprint{1}})
	s := b.Section(archivetest.Origin("raw", 4))
	want := []any{"raw", int64(4), int64(9), archive.MaxTime, correlate.Time(5), "sc", "so", "se",
		"en", "ch", "error", "firing", "new", correlate.Fingerprint{1}, "i", "su", "u", "v",
		[]correlate.Label{{Name: "a", Value: "b"}}, true, uint64(0xfedcba9876543210), uint64(20778)}
	if got := rowsOf(&s)[0]; !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestResetKeepsNothing(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	b := archive.NewEventsBuilder()
	fill := func(n int, word string) archive.Section {
		b.Reset()
		for i := range n {
			b.Append(&correlate.Event{Service: fmt.Sprint(word, i)}, &archive.Stamp{Offset: int64(i)})
		}
		return b.Section(o)
	}
	fill(70000, "many")
	for _, n := range []int{1, 2, 257, 65537} {
		s := fill(n, "few")
		if s.Rows != n || s.Column("service").Entries != n {
			t.Errorf("%d rows, %d words after a reset, want %d", s.Rows, s.Column("service").Entries, n)
		}
		for i, row := range s.All() {
			if row[7] != fmt.Sprint("few", i) {
				t.Fatalf("row %d of %d has service %v", i, n, row[7])
			}
		}
	}
}

// TestVersion1IsStillRead: blocks that an older quell left in the archive topics.
func TestVersion1IsStillRead(t *testing.T) {
	old, err := os.ReadFile("testdata/version1.block")
	if err != nil {
		t.Fatal(err)
	}
	want := archivetest.Events(archivetest.Origin("raw", 4), 10, 5)
	e, err := archive.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Sections) != 1 || !reflect.DeepEqual(rowsOf(&e.Sections[0]), rowsOf(&want)) {
		t.Errorf("rows of %d sections differ", len(e.Sections))
	}
	for n := range old {
		if _, err := archive.Decode(old[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", n, len(old))
		}
	}
}

// TestUnpackingTakesTheMemoryItSays: once, and as much as the block's head says.
func TestUnpackingTakesTheMemoryItSays(t *testing.T) {
	events := archivetest.Events(archivetest.Origin("raw", 4), 10, 500)
	b := envelope(events).Append(nil)
	var asked []int
	e, err := archive.DecodeInto(b, func(n int) []byte {
		asked = append(asked, n)
		return make([]byte, n)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0] < 500*8 || asked[0] > events.Size() {
		t.Errorf("asked for %d bytes for a section of %d, want one piece of memory", asked, events.Size())
	}
	if !reflect.DeepEqual(rowsOf(&e.Sections[0]), rowsOf(&events)) {
		t.Error("rows differ")
	}
	less := bytes.Clone(b)
	binary.LittleEndian.PutUint32(less[3:], uint32(asked[0]-1))
	if _, err := archive.Decode(less); err == nil || !strings.Contains(err.Error(), "head") {
		t.Errorf("a head that says a byte less: %v", err)
	}
	more := bytes.Clone(b)
	binary.LittleEndian.PutUint32(more[3:], archive.MaxBytes+1)
	if _, err := archive.Decode(more); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a head beyond the bound: %v", err)
	}
}

func TestTrimBefore(t *testing.T) {
	for _, s := range archivetest.Extremes(archivetest.Origin("raw", 4), 100) {
		all := rowsOf(&s)
		for offset := int64(99); offset <= 102+int64(s.Rows); offset++ {
			cut := s.TrimBefore(offset)
			var want [][]any
			for _, row := range all {
				if row[2].(int64) >= offset {
					want = append(want, row)
				}
			}
			if got := rowsOf(&cut); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s before %d: %d rows, want %d", s.Table, offset, len(got), len(want))
			}
			if cut.Rows == 0 {
				continue
			}
			if _, err := archive.Decode(envelope(cut).Append(nil)); err != nil {
				t.Fatalf("%s before %d: %v", s.Table, offset, err)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	good := envelope(archivetest.Events(o, 10, 5)).Append(nil)
	outside := envelope(archivetest.Events(o, 10, 5))
	outside.To = 14
	otherDay := envelope(archivetest.Events(o, 10, 5))
	otherDay.Day++
	otherTopic, otherPartition := envelope(archivetest.Events(o, 10, 5)), envelope(archivetest.Events(o, 10, 5))
	otherTopic.Topic = "other"
	otherPartition.Partition++
	backwards := envelope()
	backwards.To = -1
	newer := bytes.Clone(good)
	newer[2]++
	for _, c := range []struct {
		name, want string
		value      []byte
	}{
		{"another magic", "QA", append([]byte("QB"), good[2:]...)},
		{"a newer version", "newer quell", newer},
		{"a trailing byte", "follow", append(bytes.Clone(good), 0)},
		{"a position outside of the coverage", "position", outside.Append(nil)},
		{"another day", "archive_day", otherDay.Append(nil)},
		{"coverage that ends first", "ends before", backwards.Append(nil)},
		{"no topic", "topic and partition", bytes.Replace(good, []byte("\x05topic"), []byte("\x05tapir"), 1)},
		{"no partition", "topic and partition",
			bytes.Replace(good, []byte("\x09partition"), []byte("\x09partitiom"), 1)},
		{"another topic", "in an envelope of", otherTopic.Append(nil)},
		{"another partition", "in an envelope of", otherPartition.Append(nil)},
		{"an unknown table", "newer quell",
			bytes.Replace(good, []byte("\x06events"), []byte("\x06eventz"), 1)},
		{"an unknown type", "newer quell",
			bytes.Replace(good, []byte("\x05Int32"), []byte("\x05Int33"), 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := archive.Decode(c.value); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
		})
	}
	for n := range good {
		if _, err := archive.Decode(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", n, len(good))
		}
	}
}

// FuzzDecode: whatever Decode accepts can be walked, trimmed, written and stored again.
func FuzzDecode(f *testing.F) {
	o := archivetest.Origin("raw", 4)
	f.Add(envelope(archivetest.Events(o, 10, 5)).Append(nil))
	f.Add(envelope(archivetest.Events(o, 10, 1)).Append(nil))
	f.Add(envelope(archivetest.Events(o, 10, 100)).Append(nil))
	if old, err := os.ReadFile("testdata/version1.block"); err == nil {
		f.Add(old)
	}
	f.Add(envelope().Append(nil))
	for _, s := range archivetest.Extremes(o, 0)[1:] {
		f.Add(envelope(s).Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := archive.Decode(b)
		if err != nil {
			return
		}
		again, err := archive.Decode(e.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		for i := range e.Sections {
			s := &e.Sections[i]
			if !reflect.DeepEqual(rowsOf(s), rowsOf(&again.Sections[i])) {
				t.Fatal("rows differ after a round trip")
			}
			cut := s.TrimBefore(s.FirstOffset() + 1)
			if len(rowsOf(&cut)) != cut.Rows {
				t.Fatal("trimmed rows")
			}
			if _, err := native(*s, cut); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBuildersAllocateNothing(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	ev := correlate.Event{ID: "i", Scope: "sc", Service: "se", Labels: []correlate.Label{{Name: "a",
		Value: "b"}, {Name: "c", Value: "d"}}}
	services := [...]string{"checkout", "payment", "search"}
	b, r := archive.NewEventsBuilder(), archive.NewRejectedBuilder()
	var dst []byte
	sections := make([]archive.Section, 2)
	allocs := testing.AllocsPerRun(20, func() {
		b.Reset()
		r.Reset()
		for i := range 1000 {
			ev.Service = services[i%3]
			b.Append(&ev, &archive.Stamp{Offset: int64(2 * i)})
			r.Append(&archive.Rejection{Offset: int64(2*i + 1), Reason: "not_json"})
		}
		sections[0], sections[1] = b.Section(o), r.Section(o)
		e := archive.Envelope{Origin: o, To: 2000, Sections: sections}
		dst = e.Append(dst[:0])
	})
	// S2 keeps its tables in a pool, which the race detector empties at random and the garbage collector
	// when it runs: one of a packed column may be made anew.
	if most := float64(len(sections[0].Columns) + len(sections[1].Columns)); allocs > most {
		t.Errorf("%v allocations for 2,000 rows, want at most %v", allocs, most)
	}
}

func TestNativeNeedsOneInsert(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	big := archivetest.Events(o, 0, 1000) // the same again: Native looks at no position
	small := archivetest.Events(o, 2_000_000, 1)
	later := o
	later.Day++
	long := archivetest.Extremes(o, 0)[0] // some 29 MB
	for _, c := range []struct {
		name, want string
		sections   []archive.Section
	}{
		{"a row too many", "at most", append(slices.Repeat([]archive.Section{big},
			archive.MaxRows/1000), small)},
		{"bytes too many", "at most", slices.Repeat([]archive.Section{long}, 12)},
		{"two tables", "in one block", []archive.Section{small, archivetest.Extremes(o, 0)[1]}},
		{"two days", "two parts", []archive.Section{small, archivetest.Events(later, 3e6, 1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := native(c.sections...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestSizeIsThatOfTheBlock: whoever cuts blocks by Size stays below what the engine takes.
func TestSizeIsThatOfTheBlock(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	for _, s := range append(archivetest.Extremes(o, 0), archivetest.Events(o, 0, 5000)) {
		block, err := native(s)
		if err != nil {
			t.Fatal(err)
		}
		if head := 4096; len(block) > s.Size()*12/10+head || len(block) < s.Size()*8/10-head {
			t.Errorf("%d rows of %s: a block of %d bytes, Size says %d", s.Rows, s.Table, len(block),
				s.Size())
		}
	}
}

// TestBuildersSize: by it blocks are cut, so it must not miss words, which may all be different.
func TestBuildersSize(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(ev *correlate.Event, word string)
	}{
		{"scopes", func(ev *correlate.Event, word string) { ev.Scope = word }},
		{"sources", func(ev *correlate.Event, word string) { ev.Source = word }},
		{"services", func(ev *correlate.Event, word string) { ev.Service = word }},
		{"checks", func(ev *correlate.Event, word string) { ev.Check = word }},
		{"names of labels", func(ev *correlate.Event, word string) {
			ev.Labels = []correlate.Label{{Name: word, Value: "x"}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := archive.NewEventsBuilder()
			for i := range 1000 {
				ev := correlate.Event{Scope: "default"}
				c.fill(&ev, fmt.Sprintf("%01000d", i))
				b.Append(&ev, &archive.Stamp{Offset: int64(i)})
			}
			s := b.Section(archivetest.Origin("raw", 4))
			if b.Size() < s.Size()*9/10 || b.Size() > s.Size()*11/10 {
				t.Errorf("the builder says %d bytes, its section %d", b.Size(), s.Size())
			}
		})
	}
}

// native returns a block in one piece.
func native(sections ...archive.Section) ([]byte, error) {
	var n archive.Native
	err := n.Build(sections)
	return bytes.Join(n.Pieces, nil), err
}
