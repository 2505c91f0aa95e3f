package pipeline

import (
	"errors"
	"testing"
	"time"

	"quell/correlate"
	"quell/pipeline/dedup"
)

// What a checkpoint makes of the table of the reader that begins with it.
func TestRawReaderRestores(t *testing.T) {
	in := foldIntake()
	table, err := dedup.NewTable(in.o.Intake.Dedup)
	if err != nil {
		t.Fatal(err)
	}
	now, _ := table.Advance(1_767_225_600_000)
	table.Observe(&dedup.Sighting{Now: now, Fingerprint: correlate.Fingerprint{1}}, &correlate.Event{Time: now})
	body := table.AppendSnapshot(nil)
	const version = 11 // of the snapshot's bytes
	former := append([]byte(nil), body...)
	former[version]--
	torn := append([]byte(nil), body[:len(body)-1]...)
	for _, c := range []struct {
		name     string
		epoch    uint64
		body     []byte
		entries  int
		unusable bool
	}{
		{"its own", 0, body, 1, false},
		{"another configuration's", 7, body, 0, false},
		{"another version's", 0, former, 0, false},
		{"a torn one", 0, torn, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := &unitState{manifest: &manifest{Position: 5, Epoch: c.epoch}, body: c.body}
			r, err := newRawReader(in, partition{"raw", 0}, newOutbox(t.Context(), nil, func() {}), 5, st)
			if errors.Is(err, dedup.ErrSnapshot) != c.unusable {
				t.Fatalf("error %v", err)
			}
			if err == nil && r.table.Len() != c.entries {
				t.Errorf("%d entries, want %d", r.table.Len(), c.entries)
			}
		})
	}
}

// Silence alone does not say that a backlog has been worked off: the broker may be away, or the process
// may have slept. What was asked last, and how far the reader got, does.
func TestSilenceIsNoEnd(t *testing.T) {
	for _, c := range []struct {
		name       string
		high, next int64 // up to where it could be read, or -1 for no answer yet; and was
		told       bool
	}{
		{"no answer since the beginning", -1, 0, false},
		{"an answer without records", 0, 0, true},
		{"in the middle of a backlog", 1_000_000, 10, false},
		{"at its end", 1_000_000, 1_000_000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusal := errors.New("nothing is produced")
			out := newOutbox(t.Context(), nil, func() {})
			out.err.Store(&refusal)
			r, err := newRawReader(foldIntake(), partition{"raw", 0}, out, 0, &unitState{})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if c.high >= 0 {
				r.pursuit.fetched(now, c.high)
			}
			r.high, r.next = c.high, c.next
			r.idle(now.Add(2 * quietEnough))
			if told := !r.pursuit.owed[0]; told != c.told {
				t.Errorf("it was told that the backlog has ended: %t", told)
			}
		})
	}
}
