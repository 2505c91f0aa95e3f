package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// When a partition is told to be failing, by what its owners do and when, in seconds.
func TestFailures(t *testing.T) {
	type step struct {
		at   int
		what string // fails, works, gone
	}
	for _, c := range []struct {
		name  string
		steps []step
		at    int
		want  bool
	}{
		{"one that never failed", []step{{0, "works"}}, 600, false},
		{"it fails for less than a minute", []step{{0, "fails"}, {30, "fails"}}, 60, false},
		{"it fails for more", []step{{0, "fails"}, {30, "fails"}, {60, "fails"}}, 61, true},
		{"a recovery that takes long is no success", []step{{0, "fails"}}, 300, true},
		{"it fails behind every recovery", []step{{0, "fails"}, {20, "works"}, {21, "fails"}, {50, "works"},
			{51, "fails"}, {60, "works"}}, 62, true},
		{"it works again, but not for long yet", []step{{0, "fails"}, {50, "works"}}, 94, true},
		{"it has worked for a while", []step{{0, "fails"}, {50, "works"}}, 95, false},
		{"to say again that it works changes nothing", []step{{0, "fails"}, {50, "works"}, {90, "works"}},
			95, false},
		{"one failure and a quick recovery are never told", []step{{0, "fails"}, {15, "works"}}, 61, false},
		{"a success in between begins anew", []step{{0, "fails"}, {1, "works"}, {100, "fails"}}, 160, false},
		{"and then the minute counts from there", []step{{0, "fails"}, {1, "works"}, {100, "fails"}}, 161, true},
		{"a partition that was given away", []step{{0, "fails"}, {70, "gone"}}, 71, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, p := failures{}, partition{"alerts", 3}
			start := time.Unix(1_000_000, 0)
			var last error
			for i, s := range c.steps {
				now := start.Add(time.Duration(s.at) * time.Second)
				switch s.what {
				case "fails":
					last = errors.New(fmt.Sprint("failure ", i))
					all.failed(p, last, now)
				case "works":
					all.works(p, now)
				case "gone":
					delete(all, p)
				}
			}
			got := all.lasting(start.Add(time.Duration(c.at) * time.Second))
			if _, told := got["alerts/3"]; told != c.want || c.want && got["alerts/3"] != last {
				t.Errorf("it tells %v, want %v with %v", got, c.want, last)
			}
		})
	}
}
