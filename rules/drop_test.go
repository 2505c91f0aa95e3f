package rules

import (
	"strings"
	"testing"

	"quell/correlate"
)

func TestDrops(t *testing.T) {
	d, problems := CompileDrops([]Drop{
		{"heartbeats", Match{`check="heartbeat"`, `status!="resolved"`}},
		{"tests", Match{`{source=~"test-.*"}`}},
		{"label", Match{`user="root",value="1",summary=~"(?i).*drill.*"`}},
	}, "dedup.drop")
	if len(problems) != 0 || d.Len() != 3 {
		t.Fatalf("%v", problems)
	}
	for _, c := range []struct {
		name  string
		event correlate.Event
		want  string
	}{
		{"by check", correlate.Event{Check: "heartbeat", Status: correlate.Firing}, "heartbeats"},
		{"not when resolved", correlate.Event{Check: "heartbeat", Status: correlate.Resolved}, ""},
		{"by source", correlate.Event{Source: "test-1"}, "tests"},
		{"by label", correlate.Event{Value: "1", Summary: "a Drill", Labels: []correlate.Label{
			{Name: "user", Value: "root"}}}, "label"},
		{"by no label", correlate.Event{Value: "1", Summary: "a Drill"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, ok := d.Find(&c.event)
			if name != c.want || ok != (c.want != "") {
				t.Errorf("%q, %v; want %q", name, ok, c.want)
			}
		})
	}
}

func TestDropFields(t *testing.T) {
	e := correlate.Event{ID: "1", DedupKey: "2", Scope: "3", Source: "4", Service: "5", Entity: "6",
		Check: "7", Severity: correlate.Error, Status: correlate.Firing, Summary: "8", URL: "9",
		Value: "10", Labels: []correlate.Label{{Name: "l", Value: "11"}}}
	for name, want := range map[string]string{"id": "1", "dedup_key": "2", "scope": "3", "source": "4",
		"service": "5", "entity": "6", "check": "7", "severity": "error", "status": "firing",
		"summary": "8", "url": "9", "value": "10", "l": "11", "none": ""} {
		if got := eventField(&e, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestDropProblems(t *testing.T) {
	_, problems := CompileDrops([]Drop{{}, {"a", Match{`x`}}, {"a", Match{`x="y"`}}}, "d")
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	want := "d[0].match d[0].name d[1].match d[2].name"
	if strings.Join(got, " ") != want {
		t.Errorf("problems at %v, want %s", got, want)
	}
}
