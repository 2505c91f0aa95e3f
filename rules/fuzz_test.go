package rules

import (
	"testing"

	"quell/correlate"
)

// FuzzMatch: whatever compiles is written canonically, and what is written compiles to the same.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{`{service=~"pay.*", env="prod"}`, `a="b"`, `{}`, ``, `"ü"!="\n"`,
		`a=~"\\."`, `a=b`, "a=\"\x00\"", `{a="b"`, `a!~"(x|y)"`, `severity="error"`,
		`a=~"web[1-3]|db(x|y)?"`, `a!~"(?i:p)ay-.*"`, "a=~\"\ufffd|[\ufff0-\uffff]\"", `a=~"^x|y$|v?"`, `a=~"v.*l.*e"`, `a=~".*"`} {
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
		for i := range ms {
			m := &ms[i]
			if m.holds(value) != m.Matches(value) {
				t.Fatalf("%s of %q: %t, the library says %t", m, value, m.holds(value), m.Matches(value))
			}
			for _, v := range m.asked() {
				if !m.Matches(v) {
					t.Fatalf("%s asks for %q", m, v)
				}
			}
			a.Labels = []correlate.Label{{Name: m.Name, Value: value}}
			if ms.alert(a) != again.alert(a) {
				t.Fatalf("%q and %q differ on %q", text, ms.strings(), value)
			}
		}
	})
}
