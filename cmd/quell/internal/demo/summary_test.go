package demo

import (
	"slices"
	"strings"
	"testing"

	"quell/bench/workload"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/try"
	"quell/correlate"
)

// TestConfiguration: the demo's configuration is right, and its timers keep the law that makes "no
// missed incident" possible: an incident ends before the next fault of its cluster begins.
func TestConfiguration(t *testing.T) {
	c, problems := config.Check("quell.yaml", Configuration(), config.Overrides{})
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if c.Clock != correlate.ClockAppend {
		t.Error("a demo runs on the append clock")
	}
	for _, r := range c.Rules {
		if r.Name != "failure-domain" && r.Name != "rest" {
			continue
		}
		if ends := correlate.Duration(*r.ResolveAfter + *r.ReopenWindow); ends >= workload.Quiet {
			t.Errorf("rule %s ends incidents after %s; faults follow each other after %s", r.Name, ends,
				workload.Quiet)
		}
		if gap := *r.Window.Gap; correlate.Duration(gap) <= correlate.Duration(c.Dedup.UpdateInterval) {
			t.Errorf("rule %s: gap %s is not above update_interval %s", r.Name, gap, c.Dedup.UpdateInterval)
		}
	}
}

// play tells a story at once and returns its truth and items.
func tellAtOnce(seed uint64, events int) (*workload.Truth, []workload.Item) {
	storm := workload.NewStorm(workload.Options{Seed: seed, Events: events})
	var items []workload.Item
	for {
		item, ok := storm.Next()
		if !ok {
			return storm.Truth(), items
		}
		items = append(items, item)
	}
}

func idOf(t *testing.T, item workload.Item) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(item.Value), `"id":"`)
	id, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		t.Fatalf("no id in %s", item.Value)
	}
	return id
}

// TestLabelsOfSeveralStories: an event finds the fault of its own story, faults are numbered one
// story after the other, and one of which no event was sent is none.
func TestLabelsOfSeveralStories(t *testing.T) {
	one, items1 := tellAtOnce(1, 3000)
	two, items2 := tellAtOnce(2, 3000)
	one.Faults[0].Events = 0 // as if the story had been interrupted before
	l := &labels{of: map[int32][]int32{}}
	truths := []*workload.Truth{one, two}
	numbers := l.number(truths)
	if want := len(one.Faults) - 1 + len(two.Faults); l.faults != want {
		t.Fatalf("%d faults, want %d", l.faults, want)
	}
	for _, item := range items1 {
		want := max(item.Fault-1, 0)
		if item.Fault != 1 && faultOf(truths, numbers, idOf(t, item)) != want {
			t.Fatalf("event %d of story 1: %d, want %d", item.Sequence, faultOf(truths, numbers, idOf(t, item)), want)
		}
	}
	for _, item := range items2 {
		want := item.Fault
		if want != workload.Noise {
			want += int32(len(one.Faults) - 1)
		}
		if got := faultOf(truths, numbers, idOf(t, item)); got != want {
			t.Fatalf("event %d of story 2: %d, want %d", item.Sequence, got, want)
		}
	}
	if got := faultOf(truths, numbers, "no id"); got != unknown {
		t.Errorf("a strange id is of fault %d", got)
	}
}

// TestLabelsAreUsedOnce: what an incident takes is gone, what nobody takes is left.
func TestLabelsAreUsedOnce(t *testing.T) {
	l := &labels{faults: 2, of: map[int32][]int32{0: {1, 1, 0, 2}, 3: {2, unread}}}
	got := l.take(map[correlate.RawPartition][]int64{{Topic: "raw"}: {0, 2}, {Topic: "raw", Partition: 3}: {0, 1}})
	if want := []int64{1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("took %v, want %v", got, want)
	}
	if got, want := l.rest(), []int64{0, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

// TestAnInexactArchiveIsSaid, each way of being inexact by its own.
func TestAnInexactArchiveIsSaid(t *testing.T) {
	for _, c := range []struct {
		name     string
		archived [][2]int64 // partition, offset
		label    int32
		rejected uint64
		says     string // "" is exact
	}{
		{name: "exact", archived: [][2]int64{{0, 0}, {0, 1}, {1, 0}}},
		{name: "a rejected one", archived: [][2]int64{{0, 0}, {1, 0}}, rejected: 1},
		{name: "one is missing", archived: [][2]int64{{0, 0}, {1, 0}}, says: "1 not at all (0 were rejected)"},
		{name: "one is there twice", archived: [][2]int64{{0, 0}, {0, 1}, {0, 1}, {1, 0}}, says: "1 raw positions are there twice"},
		{name: "beyond the end", archived: [][2]int64{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, says: "1 events have an id"},
		{name: "a foreign id", archived: [][2]int64{{0, 0}, {0, 1}, {1, 0}}, label: unknown, says: "3 events have an id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &labels{of: map[int32][]int32{0: {unread, unread}, 1: {unread}}}
			for _, at := range c.archived {
				l.add(int32(at[0]), at[1], c.label)
			}
			err := l.wrong(c.rejected)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("says %v, want %q", err, c.says)
			}
		})
	}
}

// TestIncompleteIsSaid: the equation events = archived + rejected, and that the broker holds what it
// acknowledged.
func TestIncompleteIsSaid(t *testing.T) {
	sum := func(events, archived, rejected uint64) *Summary {
		s := &Summary{Summary: try.Summary{}}
		s.Events, s.Archived, s.Rejected = events, archived, rejected
		return s
	}
	if err := complete(sum(10, 9, 1), 10); err != nil {
		t.Errorf("complete, but: %v", err)
	}
	if err := complete(sum(10, 8, 1), 10); err == nil || !strings.Contains(err.Error(), "1 are missing") {
		t.Errorf("one missing: %v", err)
	}
	if err := complete(sum(9, 9, 0), 10); err == nil || !strings.Contains(err.Error(), "acknowledged 10") {
		t.Errorf("the broker lost one: %v", err)
	}
}
