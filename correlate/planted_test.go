package correlate_test

import (
	"fmt"
	"strings"
	"testing"

	. "quell/correlate"
)

// A law with a defect planted in what it compares must be broken by some seed, and shrinking must
// leave what takes to see it and nothing else: somebody will read that.
func TestAPlantedDefectIsShrunk(t *testing.T) {
	append1 := genre{clock: ClockAppend, plain: true}
	for _, c := range []struct {
		name string
		genre
		broken func(*scene) string
		most   int      // commands
		left   []string // what the transcript must show
	}{
		// One alert opens an incident; another comes when its window has closed.
		{"late evidence is taken for too short a time", append1,
			func(s *scene) string { return s.twins(30 * Second) }, 4, []string{"late"}},
		// An alert, and one after a restart, whose incident is forgotten at another time.
		{"a restored engine has another memory", genre{clock: ClockAppend},
			func(s *scene) string {
				o := s.options
				o.Limits.AlertMemory = 3 * Second
				return s.same(s.fold(50, 30, o))
			}, 4, []string{"snapshot differs"}},
		// A rule set, one that takes its place, and its return.
		{"an engine that panics", genre{clock: ClockEvent, changes: true},
			func(s *scene) string {
				for i := range s.fx.Changed {
					if s.fx.Changed[i].Outcome == RulesReplaced {
						panic("it came back")
					}
				}
				return ""
			}, 4, []string{"panic: it came back", "rules r1 replaced"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := law{c.name, c.broken}
			for seed := range uint64(500) {
				s := script(seed, c.genre, 150)
				if l.check(t, seed, s) == "" {
					continue
				}
				short, n := l.shortest(t, seed, s)
				t.Logf("seed %d: %d commands became %d\n%s", seed, len(s), n, short)
				if n > c.most {
					t.Errorf("%d commands are left, want %d at most", n, c.most)
				}
				for _, want := range c.left {
					if !strings.Contains(short, want) {
						t.Errorf("%q is missing", want)
					}
				}
				if again := replay(t, short); again != short {
					t.Error("as a transcript it comes to something else:\n" + again)
				}
				return
			}
			t.Fatal("no seed breaks it")
		})
	}
}

// Shrinking takes away all that is not needed, from anywhere, and ends.
func TestShrink(t *testing.T) {
	var script []string
	for i := range 100 {
		script = append(script, fmt.Sprintf("command%d a=1 b=2", i))
	}
	for _, c := range []struct {
		name   string
		broken func(text string) bool
		want   string
	}{
		{"two commands and an argument", func(s string) bool {
			return strings.Contains(s, "command17 ") && strings.Contains(s, "command93") &&
				strings.Contains(s, "command17 a=1")
		}, "command0\ncommand17 a=1\ncommand93"},
		{"nothing is needed", func(string) bool { return true }, "command0"},
		{"everything is needed", func(s string) bool { return s == strings.Join(script, "\n") },
			strings.Join(script, "\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shrink(script, func(s []string) bool { return c.broken(strings.Join(s, "\n")) })
			if text := strings.Join(got, "\n"); text != c.want {
				t.Fatalf("left is\n%s", text)
			}
		})
	}
}
