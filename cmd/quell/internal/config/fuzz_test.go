package config

import (
	"strings"
	"testing"
)

// FuzzCheck: no bytes crash the loader; what it accepts is compiled, what it refuses it explains at
// a position that exists.
func FuzzCheck(f *testing.F) {
	f.Add(string(Sample()))
	f.Add(string(uncommented()))
	for _, s := range []string{"", "a: &a [*a]", "rules:\n- <<: {name: a}\n  match: ${X:-{}}", "? {}\n: 1",
		"topics: {raw: [{name: a, format: mapping, mapping: {fields: {check: {table: {'1-2': x}}}}}]}",
		"kafka: {brokers: [\"\"]}", "clickhouse: {address: \"http://%zz\"}", "services: [{name: '*?['}]",
		"dedup: {drop: [{name: a, match: ['{}']}]}", "limits: {event_bytes: 99999999999999999GiB}"} {
		f.Add(s)
	}
	env := func(name string) (string, bool) { return "v" + name, name != "UNSET" }
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := Check("f", []byte(text), Overrides{Getenv: env})
		if (c == nil) != (len(problems.Errors()) > 0) {
			t.Fatalf("configuration %v with problems %v", c != nil, problems)
		}
		lines := 2
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(text, end)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Text == "" {
				t.Fatalf("a problem at %d:%d of %d lines: %v", p.Line, p.Column, lines, p)
			}
		}
		if c == nil {
			return
		}
		if c.RuleSet() == nil || c.Drops() == nil || len(c.Formats()) != len(c.Topics.Raw) {
			t.Fatal("accepted, but not compiled")
		}
		again, _ := Check("f", []byte(text), Overrides{Getenv: env})
		if again.IntakeEpoch() != c.IntakeEpoch() || again.RuleSet().Hash() != c.RuleSet().Hash() {
			t.Fatal("the same bytes give another configuration")
		}
	})
}
