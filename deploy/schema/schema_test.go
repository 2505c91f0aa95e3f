// Package schema_test holds the JSON Schemas in this directory against what quell really writes and
// reads. The schemas are for those who produce events and consume pages in other languages.
package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"quell/correlate"
	"quell/pipeline/decode"
	"quell/sinks/page"
)

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s.Validate(v)
}

// storm returns an incident's page with everything in it that r happens to choose.
func storm(r *rand.Rand) *correlate.Page {
	time := func() correlate.Time {
		return correlate.Time(r.Int64N(2)) * correlate.Time(1_600_000_000_000+r.Int64N(1e11))
	}
	text := func() string {
		return strings.Repeat("zażółć <b>\n\t\"\\\x00 ", r.IntN(3))
	}
	in := correlate.Incident{
		ID: fmt.Sprintf("%d-%020x", r.IntN(20), r.Uint64()), Revision: 1 + r.Uint32N(9), At: time(),
		Cause: correlate.Causes()[r.IntN(len(correlate.Causes()))], Scope: "default", Rule: "r",
		State: correlate.State(1 + r.IntN(4)), Severity: correlate.Severity(1 + r.IntN(4)),
		Route: text(), Service: text(), Summary: text(), Owner: text(), Runbook: text(),
		FirstEvent: time(), LastEvent: time(), Detected: time(), Opened: time(), Paged: time(),
		Acknowledged: time(), ResolvedAt: time(), Events: r.Uint64(), Alerts: r.Uint64N(9),
		Firing: r.Uint64N(9), LateSeen: r.Uint64N(9), Reopened: r.Uint32N(9), Pages: r.Uint32N(9),
		Transient: r.IntN(2) == 0, ReturnedToNormal: r.IntN(2) == 0, By: text(), Assignee: text(),
		Note: text(),
	}
	for i := range r.IntN(4) {
		in.Group = append(in.Group, correlate.Label{Name: fmt.Sprint("n", i), Value: text()})
		in.Services = append(in.Services, fmt.Sprint("s", i))
		in.Priority = "P1"
	}
	p := &correlate.Page{Incident: in,
		Reason: correlate.PageReasons()[r.IntN(len(correlate.PageReasons()))]}
	for range r.IntN(correlate.TopAlerts + 1) {
		p.Top = append(p.Top, correlate.PageAlert{Fingerprint: correlate.Fingerprint{1, 2, 3},
			Service: text(), Entity: text(), Check: text(), Severity: correlate.Severity(1 + r.IntN(4)),
			Status: correlate.Status(1 + r.IntN(2)), Summary: text(), URL: text(), Value: text(),
			First: time(), Last: time(), Events: r.Uint64()})
	}
	return p
}

// TestOutput validates what the encoder writes about hundreds of different incidents.
func TestOutput(t *testing.T) {
	incidents, pages := schema(t, "incident.schema.json"), schema(t, "page.schema.json")
	encoder, err := page.New(page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := storm(r)
		in, err := encoder.AppendIncident(nil, &p.Incident)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, incidents, in); err != nil {
			t.Fatalf("incident %s\n%v", in, err)
		}
		out, err := encoder.AppendPage(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, pages, out); err != nil {
			t.Fatalf("page %s\n%v", out, err)
		}
		if validate(t, incidents, out) == nil {
			t.Fatal("the incident's schema accepts a page: it is not closed")
		}
	}
}

// change is one thing that makes a valid document invalid.
type change struct {
	name  string
	apply func(map[string]any)
}

func set(key string, value any) func(map[string]any) {
	return func(m map[string]any) { m[key] = value }
}

func without(key string) func(map[string]any) {
	return func(m map[string]any) { delete(m, key) }
}

// TestChangedOutputIsRefused: the schemas are tight enough to notice what consumers would trip over.
func TestChangedOutputIsRefused(t *testing.T) {
	encoder, err := page.New(page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := storm(rand.New(rand.NewPCG(1, 1)))
	p.Top = append(p.Top[:0:0], correlate.PageAlert{Severity: correlate.Error, Status: correlate.Firing})
	incident, err := encoder.AppendIncident(nil, &p.Incident)
	if err != nil {
		t.Fatal(err)
	}
	out, err := encoder.AppendPage(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		schema  string
		valid   []byte
		changes []change
	}{
		{"incident.schema.json", incident, []change{
			{"unknown state", set("state", "closed")},
			{"unknown cause", set("cause", "because")},
			{"unknown severity", set("severity", "fatal")},
			{"id without partition", set("id", "0123456789abcdef0123")},
			{"revision 0", set("revision", 0)},
			{"no time", without("opened")},
			{"time of a wrong form", set("at", "2026-11-21 08:00:00")},
			{"month 13", set("at", "2026-13-21T08:00:00.000Z")},
			{"negative count", set("events", -1)},
			{"group as an object", set("group", map[string]any{"service": "a"})},
			{"services null", set("services", nil)},
			{"priority", set("priority", "high")},
			{"unknown name", set("colour", "red")},
			{"no id", without("id")},
		}},
		{"page.schema.json", out, []change{
			{"unknown reason", set("reason", "whim")},
			{"no title", without("title")},
			{"title of two lines", set("title", "a\nb")},
			{"empty text", set("text", "")},
			{"unknown state", set("state", "closed")},
			{"unknown name", set("colour", "red")},
			{"alert without fingerprint", func(m map[string]any) {
				delete(m["top_alerts"].([]any)[0].(map[string]any), "fingerprint")
			}},
			{"alert with an unknown name", func(m map[string]any) {
				m["top_alerts"].([]any)[0].(map[string]any)["x"] = 1
			}},
			{"six alerts", func(m map[string]any) {
				one := m["top_alerts"].([]any)[0]
				m["top_alerts"] = []any{one, one, one, one, one, one}
			}},
		}},
		{"response.schema.json",
			[]byte(`{"incident":"0-0123456789abcdef0123","action":"resolve","by":"me","at":null}`),
			[]change{
				{"unknown action", set("action", "ignore")},
				{"nobody", without("by")},
				{"no incident", without("incident")},
				{"note without text", set("action", "note")},
				{"assigned to nobody", set("action", "assign")},
				{"unknown name", set("colour", "red")},
			}},
	} {
		compiled := schema(t, s.schema)
		if err := validate(t, compiled, s.valid); err != nil {
			t.Errorf("%s refuses %s: %v", s.schema, s.valid, err)
		}
		for _, c := range s.changes {
			var m map[string]any
			if err := json.Unmarshal(s.valid, &m); err != nil {
				t.Fatal(err)
			}
			c.apply(m)
			changed, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if validate(t, compiled, changed) == nil {
				t.Errorf("%s: %s is accepted: %s", s.schema, c.name, changed)
			}
		}
	}
}

// TestResponsesAreRead: what the schema allows is what the noun reads, and comes back the same.
func TestResponsesAreRead(t *testing.T) {
	s := schema(t, "response.schema.json")
	for _, action := range []correlate.Action{correlate.ActionAcknowledge, correlate.ActionResolve,
		correlate.ActionNote, correlate.ActionAssign} {
		in := correlate.Response{Incident: "12-0123456789abcdef0123", Action: action, By: "me",
			At: 1_700_000_000_123, Note: "n", To: "you"}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var back correlate.Response
		if err := json.Unmarshal(text, &back); err != nil || back != in {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
}

// TestEnumerations: every word that quell can write is in the schemas, and no other.
func TestEnumerations(t *testing.T) {
	incident, pages := schema(t, "incident.schema.json").Ref, schema(t, "page.schema.json")
	for _, c := range []struct {
		name   string
		schema *jsonschema.Schema
		want   []string
	}{
		{"cause", incident.Properties["cause"], words(correlate.Causes())},
		{"reason", pages.Properties["reason"], words(correlate.PageReasons())},
		{"state", incident.Properties["state"], words([]correlate.State{correlate.Pending,
			correlate.Open, correlate.Acknowledged, correlate.ResolvedDone})},
		{"severity", incident.Properties["severity"].Ref, words([]correlate.Severity{correlate.Info,
			correlate.Warning, correlate.Error, correlate.Critical})},
	} {
		var got []string
		for _, v := range c.schema.Enum.Values {
			got = append(got, v.(string))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the schema has %q, quell has %q", c.name, got, c.want)
		}
	}
}

func words[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	slices.Sort(out)
	return out
}

// TestEventsAreRead: schema and decoder agree on events that a producer might send.
func TestEventsAreRead(t *testing.T) {
	s := schema(t, "event.schema.json")
	d := decode.Native(decode.Options{}, decode.KeepUnknown).NewDecoder()
	long := strings.Repeat("x", 1025)
	for _, c := range []struct {
		name, event string
		ok          bool
	}{
		{"empty", `{}`, true},
		{"everything", `{"id":"1","dedup_key":"k","time":"2026-11-21T08:00:00Z","scope":"s","source":"m",
			"service":"a","entity":"b","check":"c","severity":"error","status":"resolved","summary":"t",
			"url":"https://x","value":"1","labels":{"a":"b","n":1.50,"t":true,"z":null}}`, true},
		{"unix time", `{"time":1700000000}`, true},
		{"unix time as text", `{"time":"1700000000123"}`, true},
		{"number as value", `{"value":98.6}`, true},
		{"nulls", `{"id":null,"time":null,"severity":null,"status":null,"labels":null,"value":null}`, true},
		{"empty words", `{"severity":"","status":"","service":""}`, true},
		{"unknown fields", `{"other":{"nested":[1]},"x":1}`, true},
		{"number as service", `{"service":1}`, false},
		{"unknown severity", `{"severity":"fatal"}`, false},
		{"severity in capitals", `{"severity":"ERROR"}`, false},
		{"unknown status", `{"status":"open"}`, false},
		{"boolean time", `{"time":true}`, false},
		{"empty time", `{"time":""}`, false},
		{"labels as a list", `{"labels":["a"]}`, false},
		{"nested label", `{"labels":{"a":{"b":"c"}}}`, false},
		{"a list", `[{}]`, false},
		{"a text", `"event"`, false},
		{"long key", `{"dedup_key":"` + long + `"}`, false},
		{"long service", `{"service":"` + long + `"}`, false},
		{"list as summary", `{"summary":[]}`, false},
		{"object as value", `{"value":{}}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var event correlate.Event
			_, rejection := d.Decode([]byte(c.event), decode.RecordMeta{Topic: "t", Time: 1e12}, &event)
			err := validate(t, s, []byte(c.event))
			if (rejection == nil) != c.ok || (err == nil) != c.ok {
				t.Errorf("decoder: %v; schema: %v; want accepted %v", rejection, err, c.ok)
			}
		})
	}
}
