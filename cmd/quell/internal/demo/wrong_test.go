package demo

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"quell/cmd/quell/internal/config"
)

// wrongRules are the two shortcuts: everything of a scope is one incident, every alert is one.
var wrongRules = map[string]string{
	"scope":       "[scope]",
	"fingerprint": "[scope, service, entity, check]",
}

const wrongConfiguration = `
topics: {raw: [{name: quell.events}]}
dedup: {window: 5s, update_interval: 1s}
rules:
  - name: wrong
    group_by: %s
    window: {gap: 3s, max_life: 2m}
    group_wait: 500ms
    group_interval: 3s
    repeat_interval: 1m
    resolve_after: 3s
    reopen_window: 1s
`

// asked names the wrong rules that a process of this test is to run: a process holds one ClickHouse
// engine, and the story takes its time.
const asked = "QUELL_DEMO_TEST_RULES"

// TestRealWrongRules: one incident per scope and one per fingerprint score badly, each in the figure
// that is there to catch it, so that good figures mean something.
func TestRealWrongRules(t *testing.T) {
	if name := os.Getenv(asked); name != "" {
		if err := runWrong(t, name); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, bad := range map[string]func(s *Summary) bool{
		"scope": func(s *Summary) bool {
			return s.Truth.Missed*2 > s.Truth.Faults && s.Truth.Purity < 0.7 && s.Compression > 0.998
		},
		"fingerprint": func(s *Summary) bool {
			return s.Truth.IncidentsPerFault > 15 && s.Compression < 0.99 && s.Truth.ARI < 0.3
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestRealWrongRules$", "-test.count", "1")
			out := t.TempDir() + "/summary.json"
			cmd.Env = append(os.Environ(), asked+"="+name, asked+"_OUT="+out)
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			var s Summary
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatal(err)
			}
			if s.Events != 20_000 || s.Archived != 20_000 {
				t.Errorf("whatever the rules, every event is archived: %+v", s.Funnel)
			}
			if !bad(&s) {
				t.Errorf("scores too well: %+v", s.Truth)
			}
			t.Logf("%+v", s.Truth)
		})
	}
}

func runWrong(t *testing.T, name string) error {
	c, problems := config.Check("wrong.yaml", fmt.Appendf(nil, wrongConfiguration, wrongRules[name]),
		config.Overrides{})
	if err := problems.Err(); err != nil {
		return err
	}
	s, err := Run(t.Context(), Options{Config: c, Seed: 5, Events: 20_000, Once: true,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(os.Getenv(asked+"_OUT"), b, 0o600)
}
