package config

import (
	"fmt"
	"slices"

	"quell/pipeline/dedup"
	"quell/rules"
)

// Dedup says what makes two events one alert, and what becomes of repeats.
type Dedup struct {
	Key            Secret       `yaml:"key"`    // of fingerprints; "" is a public default
	Fields         []string     `yaml:"fields"` // of service, entity, check; the scope is always part
	Labels         []string     `yaml:"labels"` // labels that are part of the identity
	PassOn         []string     `yaml:"pass_on"`
	Window         Duration     `yaml:"window"`
	UpdateInterval Duration     `yaml:"update_interval"`
	MaxSkew        Duration     `yaml:"max_skew"`
	Drop           []rules.Drop `yaml:"drop"`
}

func defaultDedup() Dedup {
	return Dedup{Fields: []string{"service", "entity", "check"}, Window: 5 * minute,
		UpdateInterval: 10 * second, MaxSkew: 10 * minute}
}

// eventFields are the names that no label can have.
var eventFields = []string{"id", "dedup_key", "time", "scope", "source", "service", "entity",
	"check", "severity", "status", "summary", "url", "value", "labels"}

func (d *Dedup) check(v *checker) {
	if d.Key.IsSet() {
		if _, err := dedup.ParseKey(d.Key.Reveal()); err != nil {
			v.wrong("dedup.key", "%s", err)
		}
	}
	for i, f := range d.Fields {
		path := fmt.Sprintf("dedup.fields[%d]", i)
		switch {
		case f == "scope":
			v.wrong(path, "the scope is always part of the identity; remove it")
		case f == "source":
			v.wrong(path, "the source is never part of the identity: two replicas of one monitoring"+
				" system must collapse; remove it")
		case !slices.Contains([]string{"service", "entity", "check"}, f):
			v.wrong(path, "%q is not a field of the identity; write service, entity or check here,"+
				" and labels under dedup.labels", f)
		case slices.Index(d.Fields, f) < i:
			v.wrong(path, "%q is there twice; remove one", f)
		}
	}
	if len(d.Fields)+len(d.Labels) == 0 {
		v.warn("dedup.fields", "nothing but the scope tells alerts apart: all events of a scope are"+
			" one alert; write fields: [service, entity, check]")
	}
	checkLabels(v, "dedup.labels", d.Labels)
	checkLabels(v, "dedup.pass_on", d.PassOn)
	for i, name := range d.PassOn {
		if slices.Contains(d.Labels, name) {
			v.warn(fmt.Sprintf("dedup.pass_on[%d]", i), "%q is in dedup.labels: with another value it"+
				" is another alert, so no alert's ever changes; remove it here", name)
		}
	}
	d.checkTimes(v)
}

func checkLabels(v *checker, path string, names []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case name == "":
			v.wrong(at, "an empty name; write a label's name or remove it")
		case slices.Contains(eventFields, name):
			v.wrong(at, "%q is a field of the event, not a label; only labels belong here", name)
		case slices.Index(names, name) < i:
			v.wrong(at, "%q is there twice; remove one", name)
		}
	}
	within(v, path, len(names), 0, 32)
}

func (d *Dedup) checkTimes(v *checker) {
	within(v, "dedup.window", d.Window, 10*millisecond, 30*day)
	within(v, "dedup.max_skew", d.MaxSkew, millisecond, year)
	if !v.written("dedup.update_interval") {
		d.UpdateInterval = min(d.UpdateInterval, d.Window)
	}
	if within(v, "dedup.update_interval", d.UpdateInterval, 10*millisecond, day) &&
		d.UpdateInterval > d.Window {
		v.wrong("dedup.update_interval", "%s is longer than the window (%s), so no count would ever"+
			" be passed on; write at most the window", d.UpdateInterval, d.Window)
	}
}

// vocabulary says which names rules may read.
func (d *Dedup) vocabulary() *rules.Vocabulary {
	return &rules.Vocabulary{Fields: append([]string{"scope"}, d.Fields...), Labels: d.Labels,
		PassOn: d.PassOn}
}
