package pipeline_test

import (
	"testing"

	"quell/correlate"
	"quell/pipeline"
	"quell/rules"
)

// ruleSet compiles a rule set that pages from a severity on.
func ruleSet(t *testing.T, pageAt correlate.Severity) pipeline.RuleBody {
	t.Helper()
	set, problems := rules.Compile(rules.Spec{Rules: []rules.Rule{{Name: "by-service", Kind: "group",
		GroupBy: new([]string{"service"}), GroupWait: new(0 * rules.Second), PageAt: new(pageAt)}}}, nil)
	if set == nil {
		t.Fatal(problems)
	}
	return set
}

// A rule set that was replaced stays replaced, whoever starts with it; a person's word brings it back,
// also where it had never been seen.
func TestRulesDoNotFlipFlop(t *testing.T) {
	older, newer := ruleSet(t, correlate.Critical), ruleSet(t, correlate.Warning)
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) { o.Roles.Archive = false })
	warning := func(service string) { w.send(0, event(service, "pod-1", "warning", "firing")) }
	told := 0
	tell := func(s *pipeline.Service, paged bool, service string) {
		t.Helper()
		warning(service)
		w.send(0, event(service+"-critical", "pod-1", "critical", "firing"))
		told++ // the critical one pages in any case, behind the warning
		if paged {
			told++
		}
		eventually(t, "pages about "+service, func() bool { return len(w.pages()) >= told })
		if n := len(w.pages()); n != told {
			t.Errorf("%d pages, want %d: a warning of %s should page: %v", n, told, service, paged)
		}
	}
	changes := 0
	with := func(set pipeline.RuleBody, changed, paged bool, service string) {
		t.Helper()
		w.options.Correlate.Rules = set
		s, stop := w.start()
		if changed {
			changes++
		}
		// The change has its place in the log: an alert that came before it is judged by the rules
		// before it, and the owner may begin later than intake does.
		eventually(t, "the rules change for "+service, func() bool { return w.ruleChanges() == changes })
		tell(s, paged, service)
		stop()
	}
	with(older, false, false, "a") // the first rules of a partition are no change
	with(newer, true, true, "b")
	with(older, false, true, "c") // a process that was not updated
	if n := w.ruleChanges(); n != changes {
		t.Errorf("%d changes of the rules, want %d", n, changes)
	}

	w.options.Correlate.Rules = newer
	s, stop := w.start()
	defer stop()
	o := w.options
	o.Correlate.Rules = older
	if err := pipeline.ApplyRules(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	tell(s, false, "d")
	o.Correlate.Rules = ruleSet(t, correlate.Error) // which no process was started with
	if err := pipeline.ApplyRules(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	tell(s, false, "e")
	o.Correlate.Rules = newer
	if err := pipeline.ApplyRules(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	tell(s, true, "f")
}

// ruleChanges returns how many changes of the rules the alerts topic has.
func (w *world) ruleChanges() (n int) {
	w.t.Helper()
	for _, r := range w.read(w.options.Topics.Alerts) {
		if w.decode(r).Kind == correlate.KindRuleChange {
			n++
		}
	}
	return n
}
