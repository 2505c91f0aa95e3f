package correlate

import "slices"

// mostReplaced is how many replaced rule sets an engine remembers; the oldest are forgotten first.
// A deployment that is half rolled out has two, so this is enough for the processes of a year that
// nobody stopped.
const mostReplaced = 64

// RuleOutcome is what became of a rule change.
type RuleOutcome uint8

// The outcomes.
const (
	RulesApplied  RuleOutcome = 1 // the rule set is in force from here on
	RulesRepeated RuleOutcome = 2 // it was already
	RulesStale    RuleOutcome = 3 // made against a rule set that is not in force
	// RulesReplaced: refused, it was in force before and was replaced. Whoever asks for it has an
	// older configuration than somebody else, or is a person, who says so (RuleChange.Explicit).
	RulesReplaced RuleOutcome = 4
)

var ruleOutcomeNames = [...]string{"", "applied", "repeated", "stale", "replaced"}

// RuleOutcomes lists all of them, for metrics.
func RuleOutcomes() []RuleOutcome {
	return []RuleOutcome{RulesApplied, RulesRepeated, RulesStale, RulesReplaced}
}

// String returns the outcome's name.
func (o RuleOutcome) String() string { return word(ruleOutcomeNames[:], uint8(o)) }

// Changed is what became of one rule change.
type Changed struct {
	Offset  int64 // in the alerts partition
	At      Time  // engine clock
	Change  RuleChange
	Outcome RuleOutcome
}

// judge returns what becomes of a rule change, and the rule set that it puts in force, if it does.
// An error says that this rule set is unknown here.
func (e *Engine) judge(c RuleChange) (RuleOutcome, RuleSet, error) {
	force := e.rules.Hash()
	switch {
	case c.Hash == force:
		return RulesRepeated, nil, nil
	case c.Previous != force && !(c.Explicit && c.Previous == RuleHash{}):
		return RulesStale, nil, nil
	case !c.Explicit && slices.Contains(e.replaced, c.Hash):
		return RulesReplaced, nil, nil
	}
	next, err := e.options.ruleSet(c.Hash)
	return RulesApplied, next, err
}

// changeRules puts next in force, if the change came to that, and states what became of it. What is
// open keeps the terms that it opened with.
func (e *Engine) changeRules(r *Record, outcome RuleOutcome, next RuleSet) {
	if next != nil {
		hash := r.RuleChange.Hash
		e.replaced = slices.DeleteFunc(e.replaced, func(h RuleHash) bool { return h == hash })
		e.replaced = append(e.replaced, e.rules.Hash())
		e.replaced = slices.Delete(e.replaced, 0, max(0, len(e.replaced)-mostReplaced))
		e.rules = next
	}
	e.fx.Changed = append(e.fx.Changed,
		Changed{Offset: r.Offset, At: e.now, Change: r.RuleChange, Outcome: outcome})
}
