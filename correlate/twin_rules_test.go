package correlate_test

import (
	"bytes"
	"slices"

	. "quell/correlate"
)

// twinRules are the rule sets of a transcript as the twin sees them. It forgets none that was
// replaced: a transcript has fewer than an engine remembers.
type twinRules struct {
	sets     map[string]*oneRule
	force    string
	replaced []string
}

// rules returns the rule sets that the commands made, r1 in force.
func (p *player) rules() *twinRules { return &twinRules{sets: p.sets, force: "r1"} }

func (r *twinRules) of(string) *Rule { return &r.sets[r.force].rule }

func (r *twinRules) change(c *RuleChange) string {
	from, to := ruleName(c.Previous), ruleName(c.Hash)
	if to == r.force {
		return "repeated"
	}
	if from != r.force {
		return "stale"
	}
	if slices.Contains(r.replaced, to) && !c.Explicit {
		return "replaced"
	}
	r.replaced = slices.DeleteFunc(r.replaced, func(name string) bool { return name == to })
	r.replaced = append(r.replaced, r.force)
	r.force = to
	return "applied"
}

func ruleName(h RuleHash) string { return string(bytes.TrimRight(h[:], "\x00")) }

func saysChange(c *RuleChange) string { return "rules " + ruleName(c.Hash) + " " }
