package rules

import (
	"fmt"

	"quell/correlate"
)

// Drop is the source of a drop rule, which discards events at intake with the verdict dropped.
type Drop struct {
	Name  string `yaml:"name" json:"name"`
	Match Match  `yaml:"match" json:"match"`
}

// Drops is a compiled list of drop rules, immutable. Unlike rules, which see alerts, drop rules
// see single events and may read every field of them (id, dedup_key, scope, source, service,
// entity, check, severity, status, summary, url, value) and any label.
type Drops struct {
	names   []string
	entries []matchers
}

// CompileDrops compiles drops. Problem paths begin with path, as in "dedup.drop[1].match". The
// result is nil if there are problems.
func CompileDrops(drops []Drop, path string) (*Drops, []Problem) {
	var problems []Problem
	out := &Drops{}
	seen := map[string]int{}
	for i, d := range drops {
		at := fmt.Sprintf("%s[%d]", path, i)
		ms, found := compileMatch(d.Match, at+".match")
		problems = append(problems, found...)
		if len(ms) == 0 && len(found) == 0 {
			problems = append(problems, Problem{Path: at + ".match", Text: "a drop rule without" +
				` matchers would discard every event; write one, such as check="heartbeat"`})
		}
		first, twice := seen[d.Name]
		switch {
		case d.Name == "":
			problems = append(problems, Problem{Path: at + ".name",
				Text: "a drop rule needs a name; it is counted under it"})
		case twice:
			problems = append(problems, Problem{Path: at + ".name", Text: fmt.Sprintf(
				"the name %q is taken by %s[%d]; write another", d.Name, path, first)})
		default:
			seen[d.Name] = i
		}
		out.names, out.entries = append(out.names, d.Name), append(out.entries, ms)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return out, nil
}

// Len returns the number of drop rules.
func (d *Drops) Len() int { return len(d.entries) }

// Find returns the name of the first drop rule that matches e. It keeps nothing of e.
func (d *Drops) Find(e *correlate.Event) (name string, ok bool) {
	for i, ms := range d.entries {
		if ms.event(e) {
			return d.names[i], true
		}
	}
	return "", false
}

func (ms matchers) event(e *correlate.Event) bool {
	for i := range ms {
		if !ms[i].holds(eventField(e, ms[i].Name)) {
			return false
		}
	}
	return true
}

func eventField(e *correlate.Event, name string) string {
	switch name {
	case "id":
		return e.ID
	case "dedup_key":
		return e.DedupKey
	case "scope":
		return e.Scope
	case "source":
		return e.Source
	case "service":
		return e.Service
	case "entity":
		return e.Entity
	case "check":
		return e.Check
	case "severity":
		return e.Severity.String()
	case "status":
		return e.Status.String()
	case "summary":
		return e.Summary
	case "url":
		return e.URL
	case "value":
		return e.Value
	}
	for i := range e.Labels {
		if e.Labels[i].Name == name {
			return e.Labels[i].Value
		}
	}
	return ""
}
