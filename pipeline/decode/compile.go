package decode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const maxTableKeys = 4096

// compiler turns a MappingSpec into a format and gathers what is wrong with it.
type compiler struct {
	format   *Format
	mapping  *mapping
	problems []Problem
}

// CompileMapping returns the format that a spec describes, or all that is wrong with it. The
// problems' paths begin at the spec ("fields.time.layouts[1]").
func CompileMapping(spec MappingSpec, o Options) (*Format, []Problem) {
	c := &compiler{format: newFormat(o), mapping: &mapping{}}
	c.format.root, c.format.maker = &node{slot: -1}, c.mapping
	for _, p := range o.Limits.Check() {
		c.problem("limits."+p.Path, "%s", p.Text)
		c.format.limits = DefaultLimits() // so that the rest is not blamed for it
	}
	c.fields(spec.Fields)
	c.labels(spec.Labels)
	if spec.Single != "" {
		if n, err := place(c.format.root, spec.Single, c.format.limits.MaxDepth); err != nil {
			c.problem("single", "%v", err)
		} else {
			n.single = true
		}
	}
	switch spec.Unmapped {
	case "", "drop":
		c.format.root.compile(nil)
	case "labels":
		c.format.root.compile(flatNode())
	default:
		c.problem("unmapped", "%s is unknown: write drop or labels", quote(spec.Unmapped))
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return c.format, nil
}

func (c *compiler) problem(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (c *compiler) fields(specs map[string]ValueSpec) {
	if len(specs) == 0 {
		c.problem("fields", "there are none: a mapping needs at least one, such as check: "+
			"{paths: name}")
	}
	known := fieldNames[:fieldLabels]
	for _, name := range sortedKeys(specs) {
		if !slices.Contains(known, name) {
			c.problem("fields."+name, "an event has no field %s: write one of %s, or put it under "+
				"labels", quote(name), strings.Join(known, ", "))
		}
	}
	for i, name := range known {
		if spec, ok := specs[name]; ok {
			v := c.value("fields."+name, spec, field(i))
			c.mapping.fields = append(c.mapping.fields, v)
		}
	}
}

func (c *compiler) labels(specs map[string]ValueSpec) {
	l := c.format.limits
	if len(specs) > l.MaxLabels {
		c.problem("labels", "%d labels are more than max_labels %d", len(specs), l.MaxLabels)
	}
	for _, name := range sortedKeys(specs) {
		if name == "" || len(name) > l.MaxLabelName {
			c.problem("labels."+name, "a label's name has 1 to max_label_name %d bytes",
				l.MaxLabelName)
		}
		v := c.value("labels."+name, specs[name], fieldLabels)
		v.label = name
		c.mapping.labels = append(c.mapping.labels, v)
	}
}

// value compiles one spec; at is its path.
func (c *compiler) value(at string, spec ValueSpec, f field) value {
	v := value{field: f, literal: spec.Const, byDefault: spec.Default, trim: spec.Trim,
		lower: spec.Lower, required: spec.Required, location: time.UTC}
	if len(spec.Paths) == 0 && len(spec.Template) == 0 && spec.Match == nil && spec.Const == "" {
		c.problem(at, "it has no source: write paths, template, match or const")
	}
	for i, path := range spec.Paths {
		if slot, err := c.slot(path); err != nil {
			c.problem(fmt.Sprintf("%s.paths[%d]", at, i), "%v", err)
		} else {
			v.slots = append(v.slots, slot)
		}
	}
	c.templates(at, spec, &v)
	c.table(at, spec, &v)
	c.scale(at, spec, &v)
	c.time(at, spec, &v)
	return v
}

// slot returns the slot of the scalar at a path; equal places share one.
func (c *compiler) slot(path string) (int, error) {
	n, err := place(c.format.root, path, c.format.limits.MaxDepth)
	if err != nil {
		return 0, err
	}
	if n.role != roleSlot {
		n.role, n.slot = roleSlot, c.format.slots
		c.format.slots++
	}
	return n.slot, nil
}

// templates compiles template and match. A match without a template gives its only capture.
func (c *compiler) templates(at string, spec ValueSpec, v *value) {
	index := -1
	if spec.Match != nil {
		var err error
		if index, err = c.matcher(at, *spec.Match); err != nil {
			return
		}
	}
	for i, text := range spec.Template {
		parts, err := parseTemplate(text, func(name string) (part, error) {
			return c.reference(index, name)
		})
		if err == nil && len(parts) == 0 {
			err = errors.New("the template is empty")
		}
		if err != nil {
			c.problem(fmt.Sprintf("%s.template[%d]", at, i), "%v", err)
			continue
		}
		v.templates = append(v.templates, parts)
	}
	if index < 0 || len(spec.Template) > 0 {
		return
	}
	if n := c.mapping.matchers[index].re.NumSubexp(); n != 1 {
		c.problem(at+".match.re2", "%s has %d captures: without a template it needs one, which is "+
			"the value, such as (.*)", quote(spec.Match.RE2), n)
		return
	}
	v.templates = [][]part{{{slot: -1, matcher: index, group: 1}}}
}

// matcher returns the index of a compiled match; equal ones share one.
func (c *compiler) matcher(at string, spec MatchSpec) (int, error) {
	slot, err := c.slot(spec.Path)
	if err != nil {
		c.problem(at+".match.path", "%v", err)
		return -1, err
	}
	re, err := compilePattern(spec.RE2)
	if err != nil {
		c.problem(at+".match.re2", "%v", err)
		return -1, err
	}
	for i, m := range c.mapping.matchers {
		if m.slot == slot && m.re.String() == spec.RE2 {
			return i, nil
		}
	}
	c.mapping.matchers = append(c.mapping.matchers, matcher{slot, re})
	return len(c.mapping.matchers) - 1, nil
}

// reference resolves a reference of a template: a capture of its match, else a path.
func (c *compiler) reference(matcher int, name string) (part, error) {
	if matcher >= 0 {
		if group := c.mapping.matchers[matcher].re.SubexpIndex(name); group > 0 {
			return part{slot: -1, matcher: matcher, group: group}, nil
		}
	}
	slot, err := c.slot(name)
	return part{slot: slot, matcher: -1}, err
}

func (c *compiler) table(at string, spec ValueSpec, v *value) {
	switch {
	case len(spec.Table) == 0:
		return
	case v.field == fieldTime:
		c.problem(at+".table", "a time has no table: write layouts")
		return
	case len(spec.Table) > maxTableKeys:
		c.problem(at+".table", "%d keys are more than %d", len(spec.Table), maxTableKeys)
		return
	}
	var problems []Problem
	v.table, problems = compileTable(spec.Table)
	for _, p := range problems {
		c.problem(at+".table."+p.Path, "%s", p.Text)
	}
	for _, k := range sortedKeys(spec.Table) {
		c.word(at+".table."+k, v.field, spec.Table[k])
	}
}

// word checks a word that the spec itself gives to severity or status.
func (c *compiler) word(at string, f field, word string) {
	own, _ := compileScale("")
	g, ok := own[word]
	switch {
	case f == fieldSeverity && (!ok || g.severity == 0 && word != "resolved"):
		c.problem(at, "%s is no severity: write info, warning, error or critical (or resolved, "+
			"which is a status that a severity may tell)", quote(word))
	case f == fieldStatus && (!ok || g.status == 0):
		c.problem(at, "%s is no status: write firing or resolved", quote(word))
	}
}

// scale compiles what is only for severity and status.
func (c *compiler) scale(at string, spec ValueSpec, v *value) {
	if v.field != fieldSeverity && v.field != fieldStatus {
		if spec.Scale != "" {
			c.problem(at+".scale", "%s: only severity and status have a scale", quote(spec.Scale))
		}
		return
	}
	var ok bool
	if v.grades, ok = compileScale(spec.Scale); !ok {
		c.problem(at+".scale", "%s is unknown: write %s", quote(spec.Scale), scaleNames)
	}
	if v.field == fieldStatus && spec.Scale == "" {
		for word, g := range v.grades {
			if g.status == 0 {
				delete(v.grades, word)
			}
		}
	}
	if spec.Default != "" {
		c.word(at+".default", v.field, spec.Default)
	}
	if spec.Const != "" && len(spec.Table) == 0 && spec.Scale == "" {
		c.word(at+".const", v.field, spec.Const)
	}
}

// time compiles what is only for time.
func (c *compiler) time(at string, spec ValueSpec, v *value) {
	if v.field != fieldTime {
		if len(spec.Layouts) > 0 {
			c.problem(at+".layouts", "only time has layouts")
		}
		if spec.Location != "" {
			c.problem(at+".location", "only time has a location")
		}
		return
	}
	if spec.Default != "" {
		c.problem(at+".default", "%s: an event without a time gets its record's timestamp; leave "+
			"default out", quote(spec.Default))
	}
	layouts := spec.Layouts
	if len(layouts) == 0 {
		layouts = Strings{"rfc3339", "epoch"}
	}
	for i, text := range layouts {
		l, err := compileLayout(text)
		if err != nil {
			c.problem(fmt.Sprintf("%s.layouts[%d]", at, i), "%v", err)
		}
		v.layouts = append(v.layouts, l)
	}
	var err error
	if v.location, err = compileLocation(spec.Location); err != nil {
		c.problem(at+".location", "%v", err)
	}
}
