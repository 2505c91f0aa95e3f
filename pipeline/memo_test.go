package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
	"quell/rules"
)

// ruleSet compiles rules with these matchers, and one for the rest.
func ruleSet(t testing.TB, matches ...string) *rules.Set {
	t.Helper()
	var spec rules.Spec
	for i, m := range matches {
		spec.Rules = append(spec.Rules, rules.Rule{Name: fmt.Sprint("r", i), Match: rules.Match{m}})
	}
	set, problems := rules.Compile(spec, nil)
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

// series returns n matchers made with format from their numbers.
func series(n int, format string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

// aboutEntity is an alert with five labels, as a cluster's are.
func aboutEntity(i int) *correlate.Alert {
	a := &correlate.Alert{Scope: "prod", Service: "service-007", Check: "http_5xx_rate",
		Entity: fmt.Sprintf("service-007-7d9f8b6c5-%06d", i), Severity: correlate.Error, Status: correlate.Firing}
	for _, name := range []string{"cluster", "job", "namespace", "region", "team"} {
		a.Labels = append(a.Labels, correlate.Label{Name: name, Value: "eu-west-1-blue"})
	}
	return a
}

func TestMemoise(t *testing.T) {
	memo, err := newMemo(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer memo.Close()
	for _, c := range []struct {
		name    string
		matches []string
		want    bool
	}{
		{"ten thousand rules of which the index excludes all but one", series(10_000, `service="service-%03d"`), false},
		{"a few patterns", series(3, `entity=~"[a-z]+-%d"`), false},
		{"a hundred patterns", series(100, `entity=~"[a-z]+-%d"`), true},
		{"a thousand rules of one service", series(1000, `{service="service-007", entity=~"x%d.*"}`), true},
	} {
		_, is := memoise(ruleSet(t, c.matches...), memo).(*memoised)
		if is != c.want {
			t.Errorf("%s: memoised %v", c.name, is)
		}
	}
}

// What is remembered says what the rule set says, for alerts that differ in one field that it reads,
// and costs no memory.
func TestMemoisedResolve(t *testing.T) {
	memo, err := newMemo(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer memo.Close()
	set := ruleSet(t, slices.Concat(series(100, `entity=~"[a-z]+-%d"`),
		[]string{`{cluster="b", severity="critical"}`, `{cluster="b"}`, `status="resolved"`})...)
	m, ok := memoise(set, memo).(*memoised)
	if !ok {
		t.Fatal("not memoised")
	}
	if want := []string{"cluster", "entity", "severity", "status"}; !slices.Equal(m.reads, want) {
		t.Errorf("reads %q, want %q", m.reads, want)
	}
	alerts := []*correlate.Alert{
		{Entity: "x-7"}, {Entity: "x-8"}, {Entity: "8"}, {Severity: correlate.Critical},
		{Labels: []correlate.Label{{Name: "cluster", Value: "b"}}},
		{Labels: []correlate.Label{{Name: "cluster", Value: "b"}}, Severity: correlate.Critical},
		{Status: correlate.Resolved}, {Entity: "x-7", Service: "nobody reads it"},
	}
	for range 3 { // evaluated, remembered, remembered
		for i, a := range alerts {
			if got, want := m.Resolve(a), set.Resolve(a); got != want {
				t.Errorf("alert %d resolves to %+v, want %+v", i, got, want)
			}
		}
		memo.Wait()
	}
	if _, ok := memo.Get(xxhash.Sum64(m.appendKey(nil, alerts[0]))); !ok {
		t.Fatal("nothing was remembered")
	}
	if n := testing.AllocsPerRun(1000, func() { m.Resolve(alerts[0]) }); n > 0.1 { // what Ristretto counts with
		t.Errorf("%v allocations a repeat", n)
	}
}

// BenchmarkMemo says what a repeat costs with the memory and without, and what the first costs, by
// what the rule set must try. memoTrials comes from here.
func BenchmarkMemo(b *testing.B) {
	for _, n := range []int{1, 3, 10, 30, 100, 1000} {
		for _, kind := range []struct{ name, format string }{
			{"patterns", `entity=~"[a-z]+-%d"`}, {"beginnings", `{service="service-007", entity=~"x%d.*"}`},
		} {
			benchMemo(b, fmt.Sprintf("%s=%d", kind.name, n), ruleSet(b, series(n, kind.format)...))
		}
	}
}

func benchMemo(b *testing.B, name string, set *rules.Set) {
	memo, err := newMemo(0)
	if err != nil {
		b.Fatal(err)
	}
	defer memo.Close()
	m := &memoised{RuleSet: set, hash: set.Hash(), reads: set.Reads(), memo: memo}
	alerts := make([]*correlate.Alert, 50_000)
	for i := range alerts {
		alerts[i] = aboutEntity(i)
	}
	each := func(set correlate.RuleSet) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				set.Resolve(alerts[i%len(alerts)])
			}
			b.ReportMetric(float64(m.RuleSet.(*rules.Set).Trials()), "trials")
		}
	}
	b.Run(name+"/evaluated", each(set))
	for _, a := range alerts {
		m.Resolve(a)
	}
	memo.Wait()
	b.Run(name+"/remembered", each(m))
	b.Run(name+"/first", func(b *testing.B) {
		b.ReportAllocs()
		a := aboutEntity(0)
		for i := 0; b.Loop(); i++ {
			a.Entity = fmt.Sprintf("service-007-7d9f8b6c5-%08d", 1_000_000+i)
			m.Resolve(a)
		}
	})
}
