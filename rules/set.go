package rules

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"quell/correlate"
)

// Set is a compiled rule set. It implements correlate.RuleSet.
type Set struct {
	rules      []*correlate.Rule
	ruleTable  table
	routes     []route
	routeTable table
	services   catalog
	source     []byte
	hash       correlate.RuleHash
}

type route struct {
	name   string
	pageAt correlate.Severity // zero: the rule's
}

var _ correlate.RuleSet = (*Set)(nil)

// Hash names the set: the first 16 bytes of the SHA-256 of Canonical.
func (s *Set) Hash() correlate.RuleHash { return s.hash }

// Canonical returns the set's canonical source, JSON that Parse compiles to an equal set. The
// caller must not change it.
func (s *Set) Canonical() []byte { return s.source }

// Rules returns the compiled rules in order; the last takes everything. The caller must not change
// them.
func (s *Set) Rules() []*correlate.Rule { return s.rules }

// Resolve returns the first rule and the first route that match a, and the catalog's entry of its
// service.
func (s *Set) Resolve(a *correlate.Alert) correlate.Resolution {
	rule := s.rules[s.ruleTable.find(a)]
	to := &s.routes[s.routeTable.find(a)]
	r := correlate.Resolution{Rule: rule, Route: to.name, PageAt: rule.PageAt}
	if to.pageAt != 0 {
		r.PageAt = to.pageAt
	}
	if entry := s.services.find(a.Service); entry != nil {
		r.Owner, r.Priority = entry.Owner, entry.Priority
		r.Runbook = entry.runbook(a.Service)
	}
	return r
}

// seal writes the canonical source and hashes it.
func (s *Set) seal() {
	source, err := json.Marshal(s.spec())
	if err != nil {
		panic(fmt.Sprintf("rules: a spec of strings and numbers must have a JSON form: %v", err))
	}
	sum := sha256.Sum256(source)
	s.source = source
	copy(s.hash[:], sum[:])
}

// spec writes the set as a Spec in which nothing is left to a default.
func (s *Set) spec() Spec {
	out := Spec{Services: s.services.entries}
	for i, r := range s.rules {
		out.Rules = append(out.Rules, ruleSpec(r, s.ruleTable.entries[i]))
	}
	for i, r := range s.routes {
		to := Route{Name: r.name, Match: s.routeTable.entries[i].strings()}
		if r.pageAt != 0 {
			to.PageAt = &r.pageAt
		}
		out.Routes = append(out.Routes, to)
	}
	return out
}

func ruleSpec(r *correlate.Rule, ms matchers) Rule {
	w := Window{Kind: r.Window.Kind.String()}
	if r.Window.Kind == correlate.WindowFixed {
		w.Length = new(Duration(r.Window.Length))
	} else {
		w.Gap, w.MaxLife = new(Duration(r.Window.Gap)), new(Duration(r.Window.MaxLife))
	}
	return Rule{
		Name: r.Name, Kind: "group", Match: ms.strings(), GroupBy: &r.GroupBy, Window: w,
		GroupWait:     new(Duration(r.GroupWait)),
		GroupInterval: new(Duration(r.GroupInterval)),
		Repeat:        new(Duration(r.Repeat)),
		PageAt:        &r.PageAt,
		ResolveAfter:  new(Duration(r.ResolveAfter)),
		ReopenWindow:  new(Duration(r.ReopenWindow)),
		AckTimeout:    new(Duration(r.AckTimeout)),
	}
}

// Parse compiles what Canonical returned, by this release or an earlier one.
func Parse(source []byte) (*Set, error) {
	var spec Spec
	if err := json.Unmarshal(source, &spec); err != nil {
		return nil, fmt.Errorf("the source of a rule set is damaged: %w", err)
	}
	s, problems := Compile(spec, nil)
	if s == nil {
		for _, p := range problems {
			if !p.Warning {
				return nil, fmt.Errorf("the source of a rule set is damaged: %w", p)
			}
		}
	}
	return s, nil
}
