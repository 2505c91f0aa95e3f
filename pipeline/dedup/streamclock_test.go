package dedup

import (
	"math/rand/v2"
	"slices"
	"testing"

	"quell/correlate"
)

// The clock against the maximum of a plain list.
func TestStreamClockAgreesWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	c := StreamClock{MaxSkew: 50}
	var all []correlate.Time
	want, rebases := correlate.Time(0), 0
	for i := range 50_000 {
		ts := correlate.Time(10_000 + i/10 + rng.IntN(40))
		switch {
		case rng.IntN(3000) == 0:
			ts += 1_000_000
		case i > 20_000 && i < 30_000: // a log that runs backwards
			ts = correlate.Time(100_000 - i)
		}
		all = append(all, ts)
		newest := slices.Max(all[max(0, len(all)-1024):])
		moved := correlate.Duration(0)
		if newest > want {
			want = newest
		} else if want-newest > 50 {
			moved, want = newest.Sub(want), newest
			rebases++
		}
		if now, by := c.Advance(ts); now != want || by != moved {
			t.Fatalf("record %d: stream time %d moved by %d, want %d, %d", i, now, by, want, moved)
		}
	}
	if rebases < 5 {
		t.Errorf("only %d rebases: the test is too tame", rebases)
	}
}

// One record from the future freezes time for 1,024 records at most; ages in the table survive.
func TestOneWrongClockDoesNotFreezeExpiry(t *testing.T) {
	x := table(t, Config{})
	e := correlate.Event{Severity: correlate.Info, Status: correlate.Firing}
	at, offset := correlate.Time(1_700_000_000_000), int64(0)
	step := func(ts correlate.Time, fp byte) Seen {
		r := record{stamp: ts, fp: correlate.Fingerprint{fp}, event: e}
		offset++
		return r.step(x, offset, func(Owed) {})
	}
	step(at, 1)
	step(at+1000*correlate.Time(correlate.Hour), 2)
	for range 1023 {
		if at++; x.Now() < at+1000 && offset < 1025 {
			t.Fatalf("time fell at record %d, before the wrong stamp left the window", offset)
		}
		step(at, 2)
	}
	at++
	if step(at, 3); x.Now() != at {
		t.Fatalf("after 1,024 records stream time is %v, want %v", x.Now(), at)
	}
	if v := step(at, 2).Verdict; v != correlate.VerdictDuplicate {
		t.Errorf("an entry seen before the rebase is %v, want duplicate", v)
	}
	at = at.Add(DefaultWindow)
	if v := step(at, 2).Verdict; v != correlate.VerdictNew {
		t.Errorf("a window after the rebase it is %v, want new", v)
	}
}

func TestStreamClockSurvivesAnyStamp(t *testing.T) {
	c := StreamClock{MaxSkew: 1}
	for _, ts := range []correlate.Time{-1, -1 << 63, 1<<63 - 1, 0, 5} {
		if now, _ := c.Advance(ts); now < minTime || now > maxTime {
			t.Errorf("after stamp %d stream time is %d", ts, now)
		}
	}
}

func BenchmarkStreamClock(b *testing.B) {
	var c StreamClock
	ts := correlate.Time(1_700_000_000_000)
	for b.Loop() {
		ts++
		c.Advance(ts ^ 7)
	}
}
