package correlate

import (
	"errors"
	"fmt"
)

// ClockMode says where the engine's time comes from.
type ClockMode uint8

// The clocks.
const (
	// ClockAppend: the engine's clock is the greatest record timestamp so far; records apply in
	// the order of the log.
	ClockAppend ClockMode = 1
	// ClockEvent: record timestamps are stream times; alerts and responses are put in the order
	// of those and apply behind the lowest watermark. For files, replays and backtests.
	ClockEvent ClockMode = 2
)

var clockNames = [...]string{"", "append", "event"}

// String returns the clock's name.
func (c ClockMode) String() string { return word(clockNames[:], uint8(c)) }

// MarshalText returns the name.
func (c ClockMode) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts the names only.
func (c *ClockMode) UnmarshalText(b []byte) error { return unword(clockNames[:], b, c) }

// Limits bounds what one engine holds. A zero means the default. Lengths are engine clock.
type Limits struct {
	Incidents         int      // not resolved or taking alerts (200,000); more share overflow incidents
	OpenIncidents     int      // not resolved, in one scope (100,000); more share overflow incidents
	GroupsPerRule     int      // of one rule in one scope (50,000); more share an overflow incident
	AlertsPerIncident int      // tracked members (10,000); more are counted: over_limit
	LiveAlerts        int      // tracked in all (1,000,000); more are counted: over_limit
	ClosedGroups      int      // kept for late evidence (100,000); the oldest go first
	Lateness          Duration // how long a closed group takes late evidence (1h)
	AlertMemory       Duration // how long a resolved incident and its alerts are known (1h)
	MergeBuffer       int      // event clock: records that wait (1,000,000); then the oldest apply
	StepBytes         int      // about what one record brings about (8 MiB); the rest comes after it
}

func (l Limits) withDefaults() Limits {
	for _, n := range [...]struct {
		value   *int
		initial int
	}{
		{&l.Incidents, 200_000}, {&l.OpenIncidents, 100_000}, {&l.AlertsPerIncident, 10_000}, {&l.LiveAlerts, 1_000_000},
		{&l.ClosedGroups, 100_000}, {&l.MergeBuffer, 1_000_000}, {&l.GroupsPerRule, 50_000},
		{&l.StepBytes, 8 << 20},
	} {
		if *n.value == 0 {
			*n.value = n.initial
		}
	}
	for _, d := range [...]*Duration{&l.Lateness, &l.AlertMemory} {
		if *d == 0 {
			*d = Hour
		}
	}
	return l
}

func (l Limits) check() error {
	for _, v := range [...]struct {
		name  string
		value int64
	}{
		{"Incidents", int64(l.Incidents)},
		{"OpenIncidents", int64(l.OpenIncidents)}, {"GroupsPerRule", int64(l.GroupsPerRule)},
		{"AlertsPerIncident", int64(l.AlertsPerIncident)},
		{"LiveAlerts", int64(l.LiveAlerts)}, {"ClosedGroups", int64(l.ClosedGroups)},
		{"Lateness", int64(l.Lateness)}, {"AlertMemory", int64(l.AlertMemory)},
		{"MergeBuffer", int64(l.MergeBuffer)}, {"StepBytes", int64(l.StepBytes)},
	} {
		if v.value < 0 {
			return fmt.Errorf("correlate: Limits.%s is %d: give a positive number, or 0 for the "+
				"default", v.name, v.value)
		}
	}
	return nil
}

// Options is what an engine is made from.
type Options struct {
	Partition int32     // the alerts partition: incident ids begin with it
	Clock     ClockMode // where time comes from
	Limits    Limits
	RuleSet   RuleSet // in force at the beginning

	// RuleSets finds a rule set by its hash, for a RuleChange and for a snapshot that was written
	// under another rule set than RuleSet. The caller has loaded it before Step or Restore.
	RuleSets func(RuleHash) (RuleSet, bool)
}

func (o *Options) check() error {
	if o.RuleSet == nil {
		return errors.New("correlate: Options.RuleSet is nil: an engine needs a rule set to begin with")
	}
	if o.Clock != ClockAppend && o.Clock != ClockEvent {
		return fmt.Errorf("correlate: Options.Clock is %d: give ClockAppend or ClockEvent", o.Clock)
	}
	return o.Limits.check()
}

// ruleSet finds the rule set with the hash h, the one to begin with included.
func (o *Options) ruleSet(h RuleHash) (RuleSet, error) {
	if o.RuleSet.Hash() == h {
		return o.RuleSet, nil
	}
	if o.RuleSets != nil {
		if rs, ok := o.RuleSets(h); ok {
			return rs, nil
		}
	}
	return nil, fmt.Errorf("rule set %s is unknown here: load it from the rules topic, "+
		"then try again", h)
}
