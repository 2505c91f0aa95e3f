package pipeline

import (
	"testing"
	"time"
)

// A step is a fetch, and what of it counts as read late.
func TestPursuit(t *testing.T) {
	type step struct {
		at   time.Duration
		high int64 // of the fetch
		next int64 // offset of a record of it, and one
		late bool
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"what is there at the beginning is late, its last record is not", []step{
			{0, 100, 1, true}, {0, 100, 99, true}, {0, 100, 100, false}}},
		{"what is written while the beginning is read is not late", []step{
			{0, 100, 50, true}, {time.Second, 180, 99, true}, {time.Second, 180, 101, false}}},
		{"50,000 a second, read at once, 5,000 unread: ordinary life", []step{
			{0, 5000, 5000, false}, {100 * time.Millisecond, 10_000, 5001, false},
			{200 * time.Millisecond, 15_000, 10_001, false}, {2200 * time.Millisecond, 115_000, 110_000, false},
			{2300 * time.Millisecond, 120_000, 115_001, false}}},
		{"an event a second, 3,600 unread: an hour's outage", []step{
			{0, 3600, 1, true}, {50 * time.Millisecond, 3600, 3599, true}, {60 * time.Millisecond, 3600, 3600, false}}},
		{"falling behind while reading: late from 2 s on", []step{
			{0, 10, 10, false}, {time.Second, 100_000, 2000, false}, {1900 * time.Millisecond, 190_000, 4000, false},
			{2900 * time.Millisecond, 290_000, 6000, false}, {3 * time.Second, 300_000, 6001, true},
			{4 * time.Second, 310_000, 150_000, true}, {5 * time.Second, 311_000, 300_000, false}}},
		{"after a pause nobody knows how long it has been there", []step{
			{0, 10, 10, false}, {5 * time.Second, 15, 11, true}, {5 * time.Second, 15, 15, false}}},
		{"an event after a pause is not late", []step{
			{0, 10, 10, false}, {time.Hour, 11, 11, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, begin := newPursuit(1), time.Unix(0, 0)
			if p.late(0) {
				t.Error("late before anything was fetched")
			}
			for i, s := range c.steps {
				p.fetched(begin.Add(s.at), s.high)
				if p.late(s.next) != s.late {
					t.Errorf("step %d: up to %d of %d: late %t", i, s.next, s.high, !s.late)
				}
				if len(p.ends) > 10 {
					t.Errorf("step %d: %d high watermarks are kept", i, len(p.ends))
				}
			}
		})
	}
}
