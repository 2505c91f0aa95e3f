package rules

import (
	"fmt"
	"slices"

	"quell/correlate"
)

// Compile compiles spec. It reports every problem in the order of the source; the set is nil if
// one of them is not a warning. A nil vocabulary lets rules read any name.
func Compile(spec Spec, v *Vocabulary) (*Set, []Problem) {
	c := compiler{vocabulary: v}
	ruleMatchers := c.rules(spec.Rules)
	routeMatchers := c.routes(spec.Routes)
	services, problems := newCatalog(spec.Services)
	c.problems = append(c.problems, problems...)
	if slices.ContainsFunc(c.problems, func(p Problem) bool { return !p.Warning }) {
		return nil, c.problems
	}
	s := &Set{
		rules:      c.compiled,
		ruleTable:  newTable(ruleMatchers),
		routes:     c.compiledRoutes,
		routeTable: newTable(routeMatchers),
		services:   services,
	}
	s.seal()
	return s, c.problems
}

// compiler collects what the parts of a Spec compile to, and all problems.
type compiler struct {
	vocabulary     *Vocabulary
	problems       []Problem
	compiled       []*correlate.Rule
	compiledRoutes []route
}

func (c *compiler) wrong(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (c *compiler) warn(path, format string, args ...any) {
	p := Problem{Path: path, Text: fmt.Sprintf(format, args...), Warning: true}
	c.problems = append(c.problems, p)
}

func (c *compiler) rules(rules []Rule) []matchers {
	order := order{compiler: c, list: "rules", noun: "rule"}
	var out []matchers
	for i := range rules {
		path := fmt.Sprintf("rules[%d]", i)
		ms, ok := c.match(rules[i].Match, path+".match")
		if readsStatus(ms) {
			c.warn(path+".match", "the rule sees the status: once an alert resolves, another rule"+
				" takes it and this rule's incident stays open until it is quiet; match without"+
				" status")
		}
		order.entry(i, len(rules), rules[i].Name, ms, ok)
		c.compiled = append(c.compiled, c.rule(rules[i], path))
		out = append(out, ms)
	}
	if !order.hasDefault {
		c.compiled = append(c.compiled, c.rule(Rule{Name: DefaultName}, "rules"))
		out = append(out, nil)
	}
	return out
}

func (c *compiler) routes(routes []Route) []matchers {
	order := order{compiler: c, list: "routes", noun: "route"}
	var out []matchers
	for i, r := range routes {
		path := fmt.Sprintf("routes[%d]", i)
		ms, ok := c.match(r.Match, path+".match")
		order.entry(i, len(routes), r.Name, ms, ok)
		c.compiledRoutes = append(c.compiledRoutes, compileRoute(r))
		out = append(out, ms)
	}
	if !order.hasDefault {
		c.compiledRoutes = append(c.compiledRoutes, route{name: DefaultName})
		out = append(out, nil)
	}
	return out
}

func compileRoute(r Route) route {
	if r.PageAt == nil {
		return route{name: r.Name}
	}
	return route{name: r.Name, pageAt: *r.PageAt}
}

// match compiles m and holds every name in it against the vocabulary; ok is false if m could not be
// compiled.
func (c *compiler) match(m Match, path string) (ms matchers, ok bool) {
	ms, problems := compileMatch(m, path)
	c.problems = append(c.problems, problems...)
	refused := map[string]bool{}
	for _, one := range ms {
		why := c.vocabulary.refuse(one.Name)
		if why != "" && !refused[one.Name] {
			refused[one.Name] = true
			c.wrong(path, "%s", why)
		}
	}
	return ms, len(problems) == 0
}

func readsStatus(ms matchers) bool {
	for _, m := range ms {
		if m.Name == "status" {
			return true
		}
	}
	return false
}

// order checks what holds for a list of which the first match wins: names are unique, "default"
// comes last and takes everything, and nothing stands behind an entry that takes everything.
type order struct {
	*compiler
	list, noun string
	names      map[string]int
	hasDefault bool
	everything string // the name of the first entry that takes everything
	closed     bool
}

// entry checks the i-th of n entries; compiled is false if its matchers could not be compiled.
func (o *order) entry(i, n int, name string, ms matchers, compiled bool) {
	path := fmt.Sprintf("%s[%d]", o.list, i)
	if o.names == nil {
		o.names = map[string]int{}
	}
	first, twice := o.names[name]
	switch {
	case name == "":
		o.wrong(path+".name", "a %s needs a name; write one that operators will recognise", o.noun)
	case twice:
		o.wrong(path+".name", "the name %q is taken by %s[%d]; write another", name, o.list, first)
	default:
		o.names[name] = i
	}
	if o.closed && name != DefaultName && o.everything != DefaultName {
		o.warn(path, "never reached: the %s %q before it takes every alert; put it earlier",
			o.noun, o.everything)
	}
	if name == DefaultName {
		o.hasDefault = true
		if i != n-1 {
			o.wrong(path+".name", "the %s named %q must be the last; move it to the end or"+
				" rename it", o.noun, DefaultName)
		}
		if len(ms) > 0 {
			o.wrong(path+".match", "the %s named %q takes everything that no other took; remove"+
				" match or rename the %s", o.noun, DefaultName, o.noun)
		}
	}
	if len(ms) == 0 && compiled && !o.closed {
		o.closed, o.everything = true, name
	}
}
