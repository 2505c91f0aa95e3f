package config

import (
	"quell/pipeline/decode"
	"quell/rules"
)

// compiled is what a checked configuration's descriptions became.
type compiled struct {
	rules   *rules.Set
	drops   *rules.Drops
	formats []*decode.Format
}

// compile compiles rules, drop rules and formats and reports what is wrong with them.
func (c *Config) compile(v *checker) {
	routes := make([]rules.Route, len(c.Routes))
	for i, r := range c.Routes {
		routes[i] = r.Route
	}
	spec := rules.Spec{Rules: c.Rules, Routes: routes, Services: c.Services}
	set, problems := rules.Compile(spec, c.Dedup.vocabulary())
	v.rules(problems)
	drops, problems := rules.CompileDrops(c.Dedup.Drop, "dedup.drop")
	v.rules(problems)
	c.compiled = compiled{rules: set, drops: drops, formats: c.compileFormats(v)}
}

// rules takes over the problems of the rule language, whose paths are those of the file.
func (v *checker) rules(problems []rules.Problem) {
	for _, p := range problems {
		severity := SeverityError
		if p.Warning {
			severity = SeverityWarning
		}
		v.add(p.Path, severity, p.Text)
	}
}

// RuleSet returns the compiled rules, routes and services.
func (c *Config) RuleSet() *rules.Set { return c.compiled.rules }

// Drops returns the compiled drop rules.
func (c *Config) Drops() *rules.Drops { return c.compiled.drops }

// Formats returns the compiled formats of Topics.Raw, in its order.
func (c *Config) Formats() []*decode.Format { return c.compiled.formats }
