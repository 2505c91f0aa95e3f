package rules

import (
	"fmt"
	"slices"

	"quell/correlate"
)

// The rule and window kinds that quell will know, so that using one says when, not what.
var (
	laterKinds = []string{"event_count", "value_count", "temporal", "temporal_ordered", "absence",
		"flapping", "storm", "topology"}
	laterWindows = []string{"rolling", "half"}
)

const (
	longest  = 365 * Day // of every duration, so that no sum of them overflows
	maxGroup = 16        // names in group_by
)

// rule compiles r, with the defaults filled in.
func (c *compiler) rule(r Rule, path string) *correlate.Rule {
	c.kind(r.Kind, path)
	w := c.window(r.Window, path+".window")
	out := &correlate.Rule{
		Name:          r.Name,
		Kind:          correlate.RuleGroup,
		GroupBy:       c.groupBy(r.GroupBy, path+".group_by"),
		Window:        w,
		GroupWait:     c.length(r.GroupWait, DefaultGroupWait, 0, path+".group_wait"),
		GroupInterval: c.length(r.GroupInterval, DefaultGroupInterval, 1, path+".group_interval"),
		Repeat:        c.length(r.Repeat, DefaultRepeat, 1, path+".repeat_interval"),
		ReopenWindow:  c.length(r.ReopenWindow, DefaultReopenWindow, 0, path+".reopen_window"),
		AckTimeout:    c.length(r.AckTimeout, DefaultAckTimeout, 1, path+".acknowledge_timeout"),
		PageAt:        DefaultPageAt,
	}
	quiet := Duration(max(w.Gap, w.Length)) // of which one is zero
	out.ResolveAfter = c.length(r.ResolveAfter, quiet, 1, path+".resolve_after")
	if r.PageAt != nil {
		out.PageAt = *r.PageAt
	}
	if out.Repeat < out.GroupInterval {
		c.warn(path+".repeat_interval", "%s is shorter than group_interval (%s) and works as if it"+
			" were equal: pages repeat at the ticks of group_interval",
			Duration(out.Repeat), Duration(out.GroupInterval))
	}
	return out
}

func (c *compiler) kind(kind, path string) {
	switch {
	case kind == "" || kind == "group":
	case slices.Contains(laterKinds, kind):
		c.wrong(path+".kind", "%q is not available yet; group is the only kind so far", kind)
	default:
		c.wrong(path+".kind", "%q is no kind of rule; write group", kind)
	}
}

func (c *compiler) window(w Window, path string) correlate.Window {
	switch w.Kind {
	case "", "session":
		if w.Length != nil {
			c.wrong(path+".length", "a session window has no length; remove it or write kind: fixed")
		}
		out := correlate.Window{
			Kind:    correlate.WindowSession,
			Gap:     c.length(w.Gap, DefaultGap, 1, path+".gap"),
			MaxLife: c.length(w.MaxLife, DefaultMaxLife, 1, path+".max_life"),
		}
		if out.MaxLife < out.Gap {
			at := path + ".max_life"
			if w.MaxLife == nil {
				at = path + ".gap"
			}
			c.wrong(at, "max_life (%s) is shorter than gap (%s); write a max_life of at least the"+
				" gap", Duration(out.MaxLife), Duration(out.Gap))
		}
		return out
	case "fixed":
		if w.Gap != nil {
			c.wrong(path+".gap", "a fixed window has no gap; remove it or write kind: session")
		}
		if w.MaxLife != nil {
			c.wrong(path+".max_life", "a fixed window has no max_life; remove it or write kind:"+
				" session")
		}
		return correlate.Window{
			Kind:   correlate.WindowFixed,
			Length: c.length(w.Length, DefaultLength, 1, path+".length"),
		}
	}
	if slices.Contains(laterWindows, w.Kind) {
		c.wrong(path+".kind", "%q is not available yet; write session or fixed", w.Kind)
	} else {
		c.wrong(path+".kind", "%q is no kind of window; write session or fixed", w.Kind)
	}
	return correlate.Window{Kind: correlate.WindowSession}
}

// length returns *d, or def if d is nil, and checks least (in milliseconds) and longest.
func (c *compiler) length(d *Duration, def, least Duration, path string) correlate.Duration {
	if d == nil {
		return correlate.Duration(def)
	}
	if *d < least {
		c.wrong(path, "%s is too short; write at least %s, such as %s", *d, least, def)
	}
	if *d > longest {
		c.wrong(path, "%s is too long; write at most %s", *d, longest)
	}
	return correlate.Duration(*d)
}

// groupBy checks the group key's names; nil means [service].
func (c *compiler) groupBy(names *[]string, path string) []string {
	if names == nil {
		return c.defaultGroup()
	}
	if len(*names) == 0 {
		c.warn(path, "an empty group_by puts all alerts of a scope into one incident; write"+
			" group_by: [service] unless that is what you want")
	}
	if len(*names) > maxGroup {
		c.wrong(path, "%d names are too many; write at most %d", len(*names), maxGroup)
	}
	for i, name := range *names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch why := c.vocabulary.refuse(name); {
		case name == "":
			c.wrong(at, "an empty name; write a field such as service or a label")
		case slices.Index(*names, name) < i:
			c.wrong(at, "%q is there twice; remove one", name)
		case name == "status":
			c.wrong(at, "grouping by status would part an alert from its own resolution; remove it")
		case why != "":
			c.wrong(at, "%s", why)
		case name == "severity":
			c.warn(at, "grouping by severity moves an alert to another incident when its severity"+
				" changes; group by what is affected instead")
		}
	}
	return slices.Clone(*names)
}

// defaultGroup is [service], or nothing where services are not part of the identity.
func (c *compiler) defaultGroup() []string {
	if c.vocabulary.refuse("service") != "" {
		return []string{}
	}
	return []string{"service"}
}
