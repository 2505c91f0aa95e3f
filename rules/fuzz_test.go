package rules

import (
	"testing"

	"quell/correlate"
)

// FuzzMatch: whatever compiles is written canonically, and what is written compiles to the same.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{`{service=~"pay.*", env="prod"}`, `a="b"`, `{}`, ``, `"ü"!="\n"`,
		`a=~"\\."`, `a=b`, "a=\"\x00\"", `{a="b"`, `a!~"(x|y)"`, `severity="error"`} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		ms, problems := compileMatch(Match{text}, "match")
		if len(problems) != 0 {
			return
		}
		again, problems := compileMatch(ms.strings(), "match")
		if len(problems) != 0 {
			t.Fatalf("%q became %q: %v", text, ms.strings(), problems)
		}
		a := &correlate.Alert{Service: value, Severity: correlate.Error}
		for _, m := range ms {
			a.Labels = []correlate.Label{{Name: m.Name, Value: value}}
			if ms.alert(a) != again.alert(a) {
				t.Fatalf("%q and %q differ on %q", text, ms.strings(), value)
			}
		}
	})
}
