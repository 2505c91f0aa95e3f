package rules

import (
	"fmt"

	"quell/correlate"
)

// Step is one entry of a list of which the first match wins, and why it was taken or passed over.
type Step struct {
	Name  string `json:"name"`
	Taken bool   `json:"taken"`
	Why   string `json:"why"`
}

// Explanation says how a set resolved an alert: the entries up to and including the one taken.
type Explanation struct {
	Rules   []Step `json:"rules"`
	Routes  []Step `json:"routes"`
	Service string `json:"service,omitempty"` // name of the catalog's entry, or ""
}

// Explain says which rule and route take a, and why the earlier ones did not. It agrees with
// Resolve, but takes its time.
func (s *Set) Explain(a *correlate.Alert) Explanation {
	var e Explanation
	for i, ms := range s.ruleTable.entries {
		e.Rules = append(e.Rules, explain(s.rules[i].Name, ms, a))
		if e.Rules[i].Taken {
			break
		}
	}
	for i, ms := range s.routeTable.entries {
		e.Routes = append(e.Routes, explain(s.routes[i].name, ms, a))
		if e.Routes[i].Taken {
			break
		}
	}
	if entry := s.services.find(a.Service); entry != nil {
		e.Service = entry.Name
	}
	return e
}

func explain(name string, ms matchers, a *correlate.Alert) Step {
	if m := ms.failing(a); m != nil {
		return Step{Name: name, Why: fmt.Sprintf("%s does not hold: %s is %q", m, m.Name,
			a.Field(m.Name))}
	}
	if len(ms) == 0 {
		return Step{Name: name, Taken: true, Why: "it takes everything"}
	}
	return Step{Name: name, Taken: true, Why: "all matchers hold"}
}
