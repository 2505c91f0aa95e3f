package rules

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"quell/correlate"
)

func mustCompile(t testing.TB, spec Spec) *Set {
	t.Helper()
	s, problems := Compile(spec, known)
	if s == nil {
		t.Fatalf("problems: %v", problems)
	}
	return s
}

func alertOf(service, env string, severity correlate.Severity) *correlate.Alert {
	return &correlate.Alert{Scope: "default", Service: service, Severity: severity,
		Status: correlate.Firing, Labels: []correlate.Label{{Name: "env", Value: env}}}
}

func shop() Spec {
	return Spec{
		Rules: []Rule{
			{Name: "pay", Match: Match{`{service=~"pay.*", env="prod"}`}},
			{Name: "no-env", Match: Match{`env=""`, `severity!="info"`}},
			{Name: "db", Match: Match{`service="db"`}},
		},
		Routes: []Route{
			{Name: "night", Match: Match{`env!="prod"`}, PageAt: new(correlate.Critical)},
		},
		Services: []Service{
			{Name: "pay-*", Owner: "payments", Runbook: "https://wiki/run/${service}?s=${service}"},
			{Name: "pay-core", Owner: "core", Priority: "P1"},
			{Name: "d?", Owner: "storage"},
		},
	}
}

func TestResolve(t *testing.T) {
	s := mustCompile(t, shop())
	for _, c := range []struct {
		name                 string
		alert                *correlate.Alert
		rule, route          string
		pageAt               correlate.Severity
		owner, runbook, prio string
	}{
		{"first match", alertOf("pay-web", "prod", correlate.Error), "pay", "default",
			correlate.Error, "payments", "https://wiki/run/pay-web?s=pay-web", ""},
		{"exact service before an earlier glob", alertOf("pay-core", "prod", correlate.Error),
			"pay", "default", correlate.Error, "core", "", "P1"},
		{"patterns are anchored", alertOf("repay", "prod", correlate.Error), "default", "default",
			correlate.Error, "", "", ""},
		{"an absent label is empty", &correlate.Alert{Service: "db", Severity: correlate.Error},
			"no-env", "night", correlate.Critical, "storage", "", ""},
		{"severity is read", &correlate.Alert{Service: "db", Severity: correlate.Info}, "db",
			"night", correlate.Critical, "storage", "", ""},
		{"route overrides page_at", alertOf("db", "dev", correlate.Error), "db", "night",
			correlate.Critical, "storage", "", ""},
		{"names are escaped in addresses", alertOf("pay-a/b?c&d e", "prod", correlate.Error), "pay",
			"default", correlate.Error, "payments",
			"https://wiki/run/pay-a%2Fb%3Fc%26d%20e?s=pay-a%2Fb%3Fc%26d%20e", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.Resolve(c.alert)
			want := correlate.Resolution{Rule: got.Rule, Route: c.route, PageAt: c.pageAt,
				Owner: c.owner, Runbook: c.runbook, Priority: c.prio}
			if got != want || got.Rule.Name != c.rule {
				t.Errorf("%+v by rule %s, want %+v by %s", got, got.Rule.Name, want, c.rule)
			}
		})
	}
}

// TestIndexAgreesWithScan compares the indexed lookup with the obvious one on random sets.
func TestIndexAgreesWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matches := []string{`service="a"`, `service="b"`, `service!="a"`, `service=~"a|c"`, `env="x"`,
		`{service="a",env="x"}`, `{service="b",service="a"}`, `env!="x"`, `severity="error"`}
	for n := range 300 {
		var spec Spec
		for i := range r.IntN(8) {
			spec.Rules = append(spec.Rules, Rule{Name: fmt.Sprint("r", i),
				Match: Match{matches[r.IntN(len(matches))]}})
		}
		s := mustCompile(t, spec)
		for _, service := range []string{"a", "b", "c", ""} {
			for _, env := range []string{"x", "y"} {
				a := alertOf(service, env, correlate.Severity(1+r.IntN(4)))
				want := len(s.rules) - 1
				for i, ms := range s.ruleTable.entries {
					if ms.alert(a) {
						want = i
						break
					}
				}
				if got := s.Resolve(a).Rule; got != s.rules[want] {
					t.Fatalf("set %d: %q went to %s, want %s", n, service, got.Name,
						s.rules[want].Name)
				}
				steps := s.Explain(a).Rules
				if last := steps[len(steps)-1]; !last.Taken || last.Name != s.rules[want].Name {
					t.Fatalf("set %d: explained as %+v, want %s", n, steps, s.rules[want].Name)
				}
			}
		}
	}
}

func TestExplain(t *testing.T) {
	e := mustCompile(t, shop()).Explain(alertOf("db", "prod", correlate.Error))
	want := []Step{
		{"pay", false, `service=~"pay.*" does not hold: service is "db"`},
		{"no-env", false, `env="" does not hold: env is "prod"`},
		{"db", true, "all matchers hold"},
	}
	if fmt.Sprint(e.Rules) != fmt.Sprint(want) || e.Service != "d?" || len(e.Routes) != 2 {
		t.Errorf("%+v, want %+v", e, want)
	}
	// A matcher list is sorted by name, so the reason named is the first of them.
	e = mustCompile(t, shop()).Explain(alertOf("pay-web", "dev", correlate.Error))
	if e.Rules[0].Why != `env="prod" does not hold: env is "dev"` {
		t.Errorf("%+v", e.Rules[0])
	}
}

// TestHash: what means the same has the same hash, what does not has another.
func TestHash(t *testing.T) {
	base := mustCompile(t, shop())
	same := shop()
	same.Rules[0].Match = Match{`env="prod"`, ` service =~ "pay.*" `}
	same.Rules[1].Window = Window{Kind: "session", Gap: minutes(10)}
	same.Rules[2].GroupWait = new(30 * Second)
	same.Rules = append(same.Rules, Rule{Name: "default"})
	same.Routes = append(same.Routes, Route{Name: "default"})
	if got := mustCompile(t, same); got.Hash() != base.Hash() {
		t.Errorf("written otherwise, the hash is %s, not %s:\n%s\n%s", got.Hash(), base.Hash(),
			got.Canonical(), base.Canonical())
	}
	for name, change := range map[string]func(*Spec){
		"order":    func(s *Spec) { s.Rules[0], s.Rules[1] = s.Rules[1], s.Rules[0] },
		"name":     func(s *Spec) { s.Rules[0].Name = "other" },
		"matcher":  func(s *Spec) { s.Rules[0].Match = Match{`service="pay"`} },
		"window":   func(s *Spec) { s.Rules[0].Window.Kind = "fixed" },
		"gap":      func(s *Spec) { s.Rules[0].Window.Gap = minutes(9) },
		"wait":     func(s *Spec) { s.Rules[0].GroupWait = minutes(0) },
		"group_by": func(s *Spec) { s.Rules[0].GroupBy = &[]string{"scope"} },
		"page_at":  func(s *Spec) { s.Rules[0].PageAt = new(correlate.Warning) },
		"route":    func(s *Spec) { s.Routes[0].PageAt = nil },
		"owner":    func(s *Spec) { s.Services[0].Owner = "other" },
		"default": func(s *Spec) {
			s.Rules = append(s.Rules, Rule{Name: "default", GroupWait: minutes(0)})
		},
	} {
		spec := shop()
		change(&spec)
		if mustCompile(t, spec).Hash() == base.Hash() {
			t.Errorf("%s: a changed set has the same hash", name)
		}
	}
}

// TestHashIsPinned: the hash names sets in logs that outlive a release.
func TestHashIsPinned(t *testing.T) {
	const want = "4452f60abb336a4c20b34600a212727c"
	if got := mustCompile(t, shop()).Hash().String(); got != want {
		t.Errorf("hash %s, want %s; changing the canonical form makes every deployed set new", got,
			want)
	}
}

func TestParse(t *testing.T) {
	for name, spec := range map[string]Spec{"empty": {}, "shop": shop(), "odd names": {Rules: []Rule{{
		Name: "r", Match: Match{`{"env"="a\"\\\n", team=~"ü\\d+|b c"}`}, GroupBy: &[]string{},
		Window: Window{Kind: "fixed"}}}}} {
		s := mustCompile(t, spec)
		back, err := Parse(s.Canonical())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if back.Hash() != s.Hash() || !bytes.Equal(back.Canonical(), s.Canonical()) {
			t.Errorf("%s: came back as\n%s\nwant\n%s", name, back.Canonical(), s.Canonical())
		}
		a := alertOf("pay-web", "a\"\\\n", correlate.Error)
		if got, want := back.Resolve(a), s.Resolve(a); got.Rule.Name != want.Rule.Name {
			t.Errorf("%s: resolved to %s, want %s", name, got.Rule.Name, want.Rule.Name)
		}
	}
	for name, source := range map[string]string{"no JSON": "x", "no rule": `{"rules":[{"name":""}]}`} {
		if _, err := Parse([]byte(source)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestResolveConcurrently(t *testing.T) {
	s := mustCompile(t, shop())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				if r := s.Resolve(alertOf("pay-core", "prod", correlate.Error)); r.Owner != "core" {
					t.Errorf("owner %q", r.Owner)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestResolveAllocatesNothing(t *testing.T) {
	s := mustCompile(t, shop())
	a := alertOf("pay-core", "prod", correlate.Error)
	if n := testing.AllocsPerRun(100, func() { s.Resolve(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkResolve(b *testing.B) {
	spec := shop()
	for i := range 100 {
		spec.Rules = append(spec.Rules, Rule{Name: fmt.Sprint("x", i),
			Match: Match{fmt.Sprintf(`service="x%d"`, i)}})
	}
	s := mustCompile(b, spec)
	for name, a := range map[string]*correlate.Alert{
		"pattern": alertOf("pay-core", "prod", correlate.Error),
		"indexed": alertOf("x77", "prod", correlate.Error),
		"default": alertOf("other", "prod", correlate.Error),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Resolve(a)
			}
		})
	}
}
