package correlate_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	. "quell/correlate"
)

// An engine remembers the last 64 rule sets that were replaced, in its snapshots too.
func TestReplacedRulesAreBounded(t *testing.T) {
	named := func(i int) RuleHash { return (&oneRule{name: fmt.Sprint("r", i)}).Hash() }
	o := Options{Clock: ClockAppend, RuleSet: &oneRule{name: "r0", rule: newRule()},
		RuleSets: func(h RuleHash) (RuleSet, bool) {
			return &oneRule{name: string(bytes.TrimRight(h[:], "\x00")), rule: newRule()}, true
		}}
	var records []Record
	change := func(from, to int) {
		records = append(records, Record{Kind: KindRuleChange, Offset: int64(len(records)),
			RuleChange: RuleChange{Previous: named(from), Hash: named(to)}})
	}
	for i := range 70 {
		change(i, i+1)
	}
	e, fx := run(t, o, records, 7)
	var want []RuleHash
	for i := 6; i < 70; i++ {
		want = append(want, named(i))
	}
	if !slices.Equal(e.Replaced(), want) {
		t.Fatalf("%d rule sets are remembered, the first is %s", len(e.Replaced()), e.Replaced()[0])
	}
	restored, err := Restore(o, e.Snapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(restored.Replaced(), want) {
		t.Fatal("the snapshot forgets rule sets")
	}
	for _, c := range []struct {
		name string
		to   int
		want RuleOutcome
	}{
		{"the oldest that is known", 6, RulesReplaced}, {"one that is in force", 70, RulesRepeated},
		{"one that is forgotten", 5, RulesApplied},
	} {
		t.Run(c.name, func(t *testing.T) {
			fx.Reset()
			r := Record{Kind: KindRuleChange, Offset: restored.Position(),
				RuleChange: RuleChange{Previous: named(70), Hash: named(c.to)}}
			if err := restored.Step([]Record{r}, fx); err != nil {
				t.Fatal(err)
			}
			if len(fx.Changed) != 1 || fx.Changed[0].Outcome != c.want {
				t.Fatalf("%+v, want %s", fx.Changed, c.want)
			}
		})
	}
}
