package dedup

import (
	"fmt"
	"strings"
	"testing"

	"quell/correlate"
)

// script runs lines of "time what" through a table with a window of 300 s and an update interval of
// 10 s and returns the verdicts with counts and flushes, in seconds. What is words: r for resolved,
// c for critical, id=X, state=X, at=T for the event's time, fp=X.
func script(t *testing.T, c Config, lines string) string {
	t.Helper()
	x, out := table(t, c), []string{}
	emit := func(o Owed) {
		out = append(out, fmt.Sprintf("%d:flush=%d[%d-%d]", o.Due/1000, o.Count, o.FirstOffset,
			o.Offset))
	}
	for i, line := range strings.Split(lines, ",") {
		var at int
		words := strings.Fields(line)
		fmt.Sscan(words[0], &at)
		r := record{stamp: correlate.Time(at * 1000), event: correlate.Event{
			Severity: correlate.Warning, Status: correlate.Firing, Time: correlate.Time(at * 1000)}}
		for _, word := range words[1:] {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "r":
				r.event.Status = correlate.Resolved
			case "c":
				r.event.Severity = correlate.Critical
			case "id":
				r.event.ID = value
			case "state":
				r.event.Labels = []correlate.Label{{Name: "state", Value: value}}
			case "user":
				r.event.Labels = []correlate.Label{{Name: "user", Value: value}}
			case "fp":
				r.fp[0] = value[0]
			default:
				t.Fatalf("unknown word %q", word)
			}
		}
		seen := r.step(x, int64(i), emit)
		out = append(out, fmt.Sprintf("%d:%v=%d", at, seen.Verdict, seen.Count))
	}
	x.Drain(emit)
	return strings.Join(out, " ")
}

// The vectors of deduplication, as an operator would tell them.
func TestVectors(t *testing.T) {
	c := Config{Window: 300 * correlate.Second, UpdateInterval: 10 * correlate.Second,
		PassOn: []string{"state"}}
	for _, v := range []struct{ name, in, want string }{
		{"first sight, then one update an interval", "0, 4, 9, 10, 12",
			"0:new=1 4:duplicate=2 9:duplicate=3 10:flush=3[1-2] 10:update=4 12:duplicate=5 " +
				"20:flush=5[4-4]"},
		{"quiet for the window is forgotten, a moment less is not", "0, 299, 598, 898",
			"0:new=1 299:update=2 598:update=3 898:new=1"},
		{"every sighting extends the window", "0, 299, 300, 599",
			"0:new=1 299:update=2 300:duplicate=3 309:flush=3[2-2] 599:update=4"},
		{"severity passes on at once and covers what was owed", "0, 1, 2 c, 3 c, 4",
			"0:new=1 1:duplicate=2 2:changed=3 3:duplicate=4 4:changed=5"},
		{"a pass_on label passes on, another label does not", "0 state=a, 1 state=b, 2, 3 user=x",
			"0:new=1 1:changed=2 2:changed=3 3:duplicate=4 12:flush=4[3-3]"},
		{"a first resolved is new", "0 r, 1", "0:new=1 1:changed=2"},
		{"resolved then firing within the window is a change", "0, 1 r, 2, 3 r",
			"0:new=1 1:changed=2 2:changed=3 3:changed=4"},
		{"resolved then firing after the window is new", "0, 1 r, 301", "0:new=1 1:changed=2 301:new=1"},
		{"a repeated resolved is a duplicate, and owed", "0, 1 r, 2 r, 15 r, 16 r, 100 r",
			"0:new=1 1:changed=2 2:duplicate=3 11:flush=3[2-2] 15:duplicate=4 16:duplicate=5 " +
				"25:flush=5[3-4] 100:duplicate=6 110:flush=6[5-5]"},
		{"one of the last four ids is redelivered, the fifth is not",
			"0 id=a, 1 id=a, 2 id=b, 3 id=c, 4 id=d, 5 id=a, 6 id=e, 7 id=a",
			"0:new=1 1:redelivered=1 2:duplicate=2 3:duplicate=3 4:duplicate=4 5:redelivered=4 " +
				"6:duplicate=5 7:duplicate=6 10:flush=6[2-7]"},
		{"a redelivery does not extend the window", "0 id=a, 200 id=a, 300 id=a",
			"0:new=1 200:redelivered=1 300:new=1"},
		{"an id that comes back resolved is a change", "0 id=a, 1 id=a r, 2 id=a r, 3 id=a",
			"0:new=1 1:changed=2 2:redelivered=2 3:redelivered=2"},
		{"ids belong to one fingerprint", "0 fp=x id=a, 0 fp=y id=a", "0:new=1 0:new=1"},
		{"a wrong clock is held, expiry goes on with the log", "0, 500, 1, 2",
			"0:new=1 500:new=1 1:duplicate=2 2:duplicate=3 510:flush=3[2-3]"},
	} {
		t.Run(v.name, func(t *testing.T) {
			if got := script(t, c, v.in); got != v.want {
				t.Errorf("%s\n got  %s\n want %s", v.in, got, v.want)
			}
		})
	}
}

// A full table passes on what it has no room for, and has room again as soon as an entry is
// forgotten.
func TestFullTable(t *testing.T) {
	c := Config{Window: 300 * correlate.Second, UpdateInterval: 10 * correlate.Second,
		MaxEntries: 2}
	got := script(t, c,
		"0 fp=x, 1 fp=y, 2 fp=z, 2 fp=z, 3 fp=x, 300 fp=z, 301 fp=z, 302 fp=x, 303 fp=w")
	want := "0:new=1 1:new=1 2:over_limit=1 2:over_limit=1 3:duplicate=2 10:flush=2[4-4] " +
		"300:over_limit=1 301:new=1 302:update=3 303:over_limit=1"
	if got != want {
		t.Errorf("\n got  %s\n want %s", got, want)
	}
}

// Event times out of order: first and last are the extremes, since is the least of what is covered.
func TestEventTimesOutOfOrder(t *testing.T) {
	x := table(t, Config{})
	var seen Seen
	for i, at := range []correlate.Time{50, 40, 60, 45} {
		now, _ := x.Advance(correlate.Time(100 + i))
		e := correlate.Event{Time: at, Severity: correlate.Info, Status: correlate.Firing}
		if i == 3 {
			e.Severity = correlate.Error
		}
		seen = *x.Observe(&Sighting{Now: now, Offset: int64(i)}, &e)
	}
	want := Seen{correlate.VerdictChanged, true, 4, 0, 1, 40, 40, 60}
	if seen != want {
		t.Errorf("got %+v, want %+v", seen, want)
	}
}

func TestObserveBeforeDuePanics(t *testing.T) {
	x := table(t, Config{})
	e := correlate.Event{Severity: correlate.Info, Status: correlate.Firing}
	x.Observe(&Sighting{Now: 1000}, &e)
	x.Observe(&Sighting{Now: 1000, Offset: 1}, &e)
	defer func() {
		if recover() == nil {
			t.Error("a flush was due at 11000 and Observe did not say so")
		}
	}()
	x.Observe(&Sighting{Now: 11000, Offset: 2}, &e)
}

func TestConfigIsRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"window too long":               {Window: maxWindow + 1},
		"negative window":               {Window: -1},
		"update interval beyond window": {Window: 5, UpdateInterval: 6},
		"negative update interval":      {UpdateInterval: -1},
		"negative skew":                 {MaxSkew: -1},
		"negative entries":              {MaxEntries: -1},
		"nameless label":                {PassOn: []string{""}},
	} {
		if _, err := NewTable(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	_, err := NewTable(Config{Window: -1, MaxEntries: -1, MaxSkew: -1})
	if err == nil || strings.Count(err.Error(), "write") < 3 {
		t.Errorf("not all problems are reported: %v", err)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	x, e := table(t, Config{PassOn: []string{"state"}}), golden
	emit := func(Owed) {}
	at, offset := correlate.Time(1_700_000_000_000), int64(0)
	step := func() {
		for i := range 3000 {
			var fp correlate.Fingerprint
			fp[0], fp[1] = byte(i), byte(i>>6)
			at++
			now, _ := x.Advance(at)
			x.Due(now, emit)
			x.Observe(&Sighting{now, offset, fp, 0, nil}, &e)
			offset++
		}
	}
	for range 20 {
		step()
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations for 3000 events in steady state", n)
	}
}
