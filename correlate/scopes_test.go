package correlate_test

import (
	"fmt"
	"testing"

	. "quell/correlate"
)

// twoRoutes sends the alerts of every other scope to another route, which pages for less.
type twoRoutes struct{ oneRule }

func (r *twoRoutes) Resolve(a *Alert) Resolution {
	if (a.Scope[len(a.Scope)-1]-'0')%2 == 1 {
		return Resolution{Rule: &r.rule, PageAt: Warning, Route: "odd"}
	}
	return Resolution{Rule: &r.rule, PageAt: Critical, Route: "even"}
}

// However many scopes there are, the engine has only so many incidents and one more for each rule and
// route. No page is lost, and none goes to another route.
func TestScopesAreBounded(t *testing.T) {
	const scopes, most = 3000, 100
	set := &twoRoutes{oneRule{name: "r1", rule: newRule()}}
	e, err := New(Options{Clock: ClockAppend, RuleSet: set, Limits: Limits{Incidents: most}})
	if err != nil {
		t.Fatal(err)
	}
	s := newScribe()
	var records []Record
	for i := range scopes {
		a := args{"t": fmt.Sprint(i, "ms"), "fp": fmt.Sprint("f", i), "scope": fmt.Sprint("s", i)}
		if a["sev"] = "warning"; i%2 == 0 {
			a["sev"] = "critical"
		}
		records = append(records, s.alert(t, a))
	}
	fx := new(Effects)
	if err := e.Step(lives(records, base, base.Add(Minute)), fx); err != nil {
		t.Fatal(err)
	}
	st := e.Stats()
	if st.Incidents != most || st.Groups != most+2 || st.Over.Incidents != scopes-most {
		t.Errorf("%+v", st)
	}
	paged := map[string]bool{}
	for i := range fx.Pages {
		paged[fx.Pages[i].ID] = true
	}
	if len(paged) != most+2 {
		t.Errorf("%d incidents have paged", len(paged))
	}
	routes := map[string]string{}
	for i := range fx.Incidents {
		routes[fx.Incidents[i].ID] = fx.Incidents[i].Route
	}
	for i := range fx.Disposed {
		d := &fx.Disposed[i]
		if want := set.Resolve(d.Alert).Route; routes[d.Incident] != want || !paged[d.Incident] {
			t.Fatalf("the alert of scope %s went to %q, want %q", d.Alert.Scope, routes[d.Incident], want)
		}
		if over := d.Disposition == OverLimit; over != (i >= most) {
			t.Fatalf("alert %d is %s", i, d.Disposition)
		}
	}
}
