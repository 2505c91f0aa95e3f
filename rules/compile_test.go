package rules

import (
	"strings"
	"testing"

	"quell/correlate"
)

// known is the vocabulary of the tests.
var known = &Vocabulary{
	Fields: []string{"scope", "service", "entity", "check"},
	Labels: []string{"cluster"},
	PassOn: []string{"env", "team"},
}

func minutes(n int) *Duration { return new(Duration(n) * Minute) }

// TestEmptySpec pins the implicit rule and route, which every set ends with.
func TestEmptySpec(t *testing.T) {
	s, problems := Compile(Spec{}, known)
	if len(problems) != 0 {
		t.Fatalf("problems: %v", problems)
	}
	got := s.Resolve(&correlate.Alert{Service: "pay", Severity: correlate.Info})
	want := correlate.Rule{
		Name: "default", Kind: correlate.RuleGroup, GroupBy: []string{"service"},
		Window: correlate.Window{Kind: correlate.WindowSession,
			Gap: 10 * correlate.Minute, MaxLife: 24 * correlate.Hour},
		GroupWait: 30 * correlate.Second, GroupInterval: 5 * correlate.Minute,
		Repeat: 4 * correlate.Hour, ResolveAfter: 10 * correlate.Minute,
		ReopenWindow: 5 * correlate.Minute, AckTimeout: 30 * correlate.Minute,
		PageAt: correlate.Error,
	}
	if r := got.Rule; r.Name != want.Name || r.Window != want.Window ||
		strings.Join(r.GroupBy, ",") != "service" || r.GroupWait != want.GroupWait ||
		r.GroupInterval != want.GroupInterval || r.Repeat != want.Repeat ||
		r.ResolveAfter != want.ResolveAfter || r.ReopenWindow != want.ReopenWindow ||
		r.AckTimeout != want.AckTimeout || r.PageAt != want.PageAt || r.Kind != want.Kind {
		t.Errorf("rule %+v, want %+v", *r, want)
	}
	if got.Route != "default" || got.PageAt != correlate.Error || got.Owner != "" {
		t.Errorf("resolution %+v", got)
	}
}

func TestResolveAfterFollowsTheWindow(t *testing.T) {
	s, problems := Compile(Spec{Rules: []Rule{
		{Name: "s", Match: Match{`service="s"`}, Window: Window{Gap: minutes(3)}},
		{Name: "f", Match: Match{`service="f"`}, Window: Window{Kind: "fixed", Length: minutes(7)}},
		{Name: "own", Window: Window{Gap: minutes(3)}, ResolveAfter: minutes(1)},
	}}, known)
	if s == nil || len(problems) != 0 {
		t.Fatal(problems)
	}
	for i, want := range []correlate.Duration{3, 7, 1, 10} {
		if r := s.Rules()[i]; r.ResolveAfter != want*correlate.Minute {
			t.Errorf("%s: resolve_after %s, want %d minutes", r.Name, r.ResolveAfter, want)
		}
	}
}

func TestProblems(t *testing.T) {
	everything := Rule{Name: "all"}
	for _, c := range []struct {
		name string // of the case
		spec Spec
		want string // "path: beginning of the text", with "warning " before it for a warning
	}{
		{"no name", Spec{Rules: []Rule{{}}}, "rules[0].name: a rule needs a name"},
		{"same name", Spec{Rules: []Rule{
			{Name: "a", Match: Match{`env="1"`}}, {Name: "a", Match: Match{`env="2"`}}}},
			`rules[1].name: the name "a" is taken by rules[0]`},
		{"later kind", Spec{Rules: []Rule{{Name: "a", Kind: "event_count"}}},
			`rules[0].kind: "event_count" is not available yet`},
		{"no kind", Spec{Rules: []Rule{{Name: "a", Kind: "grupo"}}},
			`rules[0].kind: "grupo" is no kind of rule`},
		{"later window", Spec{Rules: []Rule{{Name: "a", Window: Window{Kind: "half"}}}},
			`rules[0].window.kind: "half" is not available yet`},
		{"no window", Spec{Rules: []Rule{{Name: "a", Window: Window{Kind: "x"}}}},
			`rules[0].window.kind: "x" is no kind of window`},
		{"length in a session", Spec{Rules: []Rule{{Name: "a", Window: Window{Length: minutes(1)}}}},
			"rules[0].window.length: a session window has no length"},
		{"gap in a fixed window", Spec{Rules: []Rule{{Name: "a",
			Window: Window{Kind: "fixed", Gap: minutes(1)}}}},
			"rules[0].window.gap: a fixed window has no gap"},
		{"life in a fixed window", Spec{Rules: []Rule{{Name: "a",
			Window: Window{Kind: "fixed", MaxLife: minutes(1)}}}},
			"rules[0].window.max_life: a fixed window has no max_life"},
		{"life shorter than gap", Spec{Rules: []Rule{{Name: "a",
			Window: Window{Gap: minutes(5), MaxLife: minutes(4)}}}},
			"rules[0].window.max_life: max_life (4m) is shorter than gap (5m)"},
		{"gap longer than the default life", Spec{Rules: []Rule{{Name: "a",
			Window: Window{Gap: new(2 * Day)}}}},
			"rules[0].window.gap: max_life (1d) is shorter than gap (2d)"},
		{"zero gap", Spec{Rules: []Rule{{Name: "a", Window: Window{Gap: minutes(0)}}}},
			"rules[0].window.gap: 0s is too short; write at least 1ms, such as 10m"},
		{"endless timer", Spec{Rules: []Rule{{Name: "a", GroupWait: new(366 * Day)}}},
			"rules[0].group_wait: 366d is too long; write at most 1y"},
		{"no acknowledgement timeout", Spec{Rules: []Rule{{Name: "a", AckTimeout: minutes(0)}}},
			"rules[0].acknowledge_timeout: 0s is too short"},
		{"repeats below the tick", Spec{Rules: []Rule{{Name: "a", Repeat: minutes(1)}}},
			"warning rules[0].repeat_interval: 1m is shorter than group_interval (5m)"},
		{"broken matcher", Spec{Rules: []Rule{{Name: "a", Match: Match{`service=`}}}},
			"rules[0].match: `service=` is not a matcher"},
		{"second matcher broken", Spec{Rules: []Rule{{Name: "a", Match: Match{`env="a"`, `env~"b"`}}}},
			"rules[0].match[1]: `env~\"b\"` is not a matcher"},
		{"broken pattern", Spec{Rules: []Rule{{Name: "a", Match: Match{`service=~"("`}}}},
			"rules[0].match: `service=~\"(\"` is not a matcher (error parsing regexp"},
		{"single backslash", Spec{Rules: []Rule{{Name: "a", Match: Match{`service=~"a\.b"`}}}},
			"rules[0].match: `service=~\"a\\.b\"` is not a matcher (after 9 characters: \"a\\.b\":" +
				" invalid input; within double quotes a backslash is written \\\\)"},
		{"source", Spec{Rules: []Rule{{Name: "a", Match: Match{`source="x"`}}}},
			`rules[0].match: rules cannot read "source": two replicas`},
		{"summary", Spec{Rules: []Rule{{Name: "a", Match: Match{`summary=~"x.*"`}}}},
			`rules[0].match: rules cannot read "summary": it belongs to a single event`},
		{"unknown label", Spec{Rules: []Rule{{Name: "a", Match: Match{`user="x"`}}}},
			`rules[0].match: rules cannot read the label "user": duplicates with another value` +
				` would never be seen; add it to dedup.pass_on`},
		{"misspelt field", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{"servcie"}}}},
			`rules[0].group_by[0]: rules do not know "servcie"; did you mean "service"?`},
		{"route reads an unknown label", Spec{Routes: []Route{{Name: "a", Match: Match{`user="x"`}}}},
			`routes[0].match: rules cannot read the label "user"`},
		{"group by status", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{"status"}}}},
			"rules[0].group_by[0]: grouping by status"},
		{"group by severity", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{"severity"}}}},
			"warning rules[0].group_by[0]: grouping by severity"},
		{"group by twice", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{"env", "env"}}}},
			`rules[0].group_by[1]: "env" is there twice`},
		{"group by nothing", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{}}}},
			"warning rules[0].group_by: an empty group_by"},
		{"group by an empty name", Spec{Rules: []Rule{{Name: "a", GroupBy: &[]string{""}}}},
			"rules[0].group_by[0]: an empty name"},
		{"matches on status", Spec{Rules: []Rule{{Name: "a", Match: Match{`status="firing"`}}}},
			"warning rules[0].match: the rule sees the status"},
		{"never reached", Spec{Rules: []Rule{everything, {Name: "b", Match: Match{`env="x"`}}}},
			`warning rules[1]: never reached: the rule "all" before it takes every alert`},
		{"default is not last", Spec{Rules: []Rule{{Name: "default"}, {Name: "b"}}},
			`rules[0].name: the rule named "default" must be the last`},
		{"default with matchers", Spec{Rules: []Rule{{Name: "default", Match: Match{`env="x"`}}}},
			`rules[0].match: the rule named "default" takes everything`},
		{"default route with matchers",
			Spec{Routes: []Route{{Name: "default", Match: Match{`env="x"`}}}},
			`routes[0].match: the route named "default" takes everything`},
		{"service without name", Spec{Services: []Service{{}}}, "services[0].name: a service needs"},
		{"service twice", Spec{Services: []Service{{Name: "a"}, {Name: "a"}}},
			`services[1].name: "a" is already services[0]`},
		{"priority", Spec{Services: []Service{{Name: "a", Priority: "high"}}},
			`services[0].priority: "high" is not a priority; write one of P1 (worst) to P5`},
		{"runbook", Spec{Services: []Service{{Name: "a", Runbook: "wiki/${service}"}}},
			`services[0].runbook: "wiki/${service}" is not a web address`},
		{"script as a runbook", Spec{Services: []Service{{Name: "a", Runbook: "javascript://x/y"}}},
			`services[0].runbook: "javascript://x/y" is not a web address`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, problems := Compile(c.spec, known)
			want, warning := strings.CutPrefix(c.want, "warning ")
			if warning != (s != nil) {
				t.Errorf("set %v with problems %v", s, problems)
			}
			for _, p := range problems {
				if strings.HasPrefix(p.Error(), want) && p.Warning == warning {
					return
				}
			}
			t.Errorf("problems %v\nwant %s", problems, c.want)
		})
	}
}

// TestServiceOutsideIdentity: where services are not part of the identity, nothing may read them,
// and the implicit rule groups by scope alone.
func TestServiceOutsideIdentity(t *testing.T) {
	v := &Vocabulary{Fields: []string{"scope", "check"}}
	s, problems := Compile(Spec{}, v)
	if s == nil || len(problems) != 0 || len(s.Rules()[0].GroupBy) != 0 {
		t.Errorf("set %v, problems %v", s, problems)
	}
	_, problems = Compile(Spec{Rules: []Rule{{Name: "a", Match: Match{`service="x"`}}}}, v)
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "dedup.fields") {
		t.Errorf("problems %v", problems)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"service", "severity", "group_by", "gap"}
	for wrong, want := range map[string]string{
		"servcie": "service", "sevirity": "severity", "groupby": "group_by", "Gap": "gap",
		"x": "", "completely": "", "": "",
	} {
		if got := Nearest(wrong, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", wrong, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]Duration{
		"5m": 5 * Minute, "1h30m": 90 * Minute, "2d": 2 * Day, "500ms": 500, "0": 0,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "-5m", "1.5h", "5m1h", "5 m", "300000000y"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was accepted as %s", text, got)
		}
	}
}
