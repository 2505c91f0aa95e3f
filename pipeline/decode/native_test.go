package decode

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"quell/correlate"
)

func decodeOne(t testing.TB, f *Format, payload string) (correlate.Event, Notes, *Rejection) {
	t.Helper()
	var ev correlate.Event
	notes, rejection := f.NewDecoder().Decode([]byte(payload), benchMeta, &ev)
	return ev, notes, rejection
}

func TestNative(t *testing.T) {
	at := correlate.Time(1795248000123) // 2026-11-21T08:00:00.123Z
	defaults := correlate.Event{Time: benchMeta.Time, Scope: "default", Source: "alerts.native",
		Severity: correlate.Warning, Status: correlate.Firing}
	with := func(change func(*correlate.Event)) correlate.Event {
		ev := defaults
		change(&ev)
		return ev
	}
	for _, c := range []struct {
		name, payload string
		want          correlate.Event
	}{
		{"nothing but defaults", `{}`, defaults},
		{"null is no field", `{"service":null,"time":null,"severity":null,"labels":null,"value":null}`,
			defaults},
		{"empty text is no field", `{"scope":"","source":"","severity":"","status":"","id":""}`, defaults},
		{"all text fields", `{"id":"i","dedup_key":"d","scope":"s","source":"o","service":"v","entity":"e",
			"check":"c","summary":"u","url":"l","value":"7"}`,
			with(func(ev *correlate.Event) {
				ev.ID, ev.DedupKey, ev.Scope, ev.Source, ev.Service = "i", "d", "s", "o", "v"
				ev.Entity, ev.Check, ev.Summary, ev.URL, ev.Value = "e", "c", "u", "l", "7"
			})},
		{"words", `{"severity":"critical","status":"resolved"}`, with(func(ev *correlate.Event) {
			ev.Severity, ev.Status = correlate.Critical, correlate.Resolved
		})},
		{"time in text", `{"time":"2026-11-21T09:00:00.1239+01:00"}`,
			with(func(ev *correlate.Event) { ev.Time = at })},
		{"time in seconds", `{"time":1795248000.1239}`, with(func(ev *correlate.Event) { ev.Time = at })},
		{"time in milliseconds", `{"time":1795248000123}`, with(func(ev *correlate.Event) { ev.Time = at })},
		{"time in a string of seconds", `{"time":"1795248000.123"}`,
			with(func(ev *correlate.Event) { ev.Time = at })},
		{"value as it is written", `{"value":1.50e3}`, with(func(ev *correlate.Event) { ev.Value = "1.50e3" })},
		{"escapes", `{"serv\u0069ce":"a\u0000\u00e9\ud83d\ude00\n\"","labels":{"\u006b\/":"\u0076"}}`,
			with(func(ev *correlate.Event) {
				ev.Service = "a\x00\u00e9\U0001f600\n\""
				ev.Labels = []correlate.Label{{Name: "k/", Value: "v"}}
			})},
		{"labels sorted, scalars as text", `{"labels":{"z":"1","a":true,"m":-0.50,"n":null,"b":false}}`,
			with(func(ev *correlate.Event) {
				ev.Labels = []correlate.Label{{Name: "a", Value: "true"}, {Name: "b", Value: "false"},
					{Name: "m", Value: "-0.50"}, {Name: "z", Value: "1"}}
			})},
		{"unknown fields become labels", `{"team":"x","a":{"b":[1,{"c":"d"}],"n":null},"e":[],"labels":{"team":"y"}}`,
			with(func(ev *correlate.Event) {
				ev.Labels = []correlate.Label{{Name: "a.b[0]", Value: "1"}, {Name: "a.b[1].c", Value: "d"},
					{Name: "team", Value: "y"}}
			})},
		{"names have case", `{"Service":"x"}`, with(func(ev *correlate.Event) {
			ev.Labels = []correlate.Label{{Name: "Service", Value: "x"}}
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, rejection := decodeOne(t, Native(Options{}, KeepUnknown), c.payload)
			if rejection != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, rejection, c.want)
			}
		})
	}
}

func TestNativeRejections(t *testing.T) {
	long := strings.Repeat("x", 1025)
	many := ""
	for i := range 65 {
		many += fmt.Sprintf(`,"l%d":"v"`, i)
	}
	for _, c := range []struct {
		name, payload string
		unknown       Unknown
		want          Reason
	}{
		{"number for text", `{"service":5}`, KeepUnknown, BadType},
		{"object for text", `{"service":{"name":"x"}}`, KeepUnknown, BadType},
		{"boolean for value", `{"value":true}`, KeepUnknown, BadType},
		{"array of labels", `{"labels":["a","b"]}`, KeepUnknown, BadType},
		{"nested label", `{"labels":{"a":{"b":"c"}}}`, KeepUnknown, BadType},
		{"severity of another scale", `{"severity":"CRITICAL"}`, KeepUnknown, BadSeverity},
		{"severity as a number", `{"severity":3}`, KeepUnknown, BadType},
		{"status of another system", `{"status":"open"}`, KeepUnknown, BadStatus},
		{"no time", `{"time":"yesterday"}`, KeepUnknown, BadTime},
		{"empty time", `{"time":""}`, KeepUnknown, BadTime},
		{"time as an object", `{"time":{}}`, KeepUnknown, BadType},
		{"year 1", `{"time":"0001-01-01T00:00:00Z"}`, KeepUnknown, BadTime},
		{"year 9999", `{"time":"9999-12-31T23:59:59Z"}`, KeepUnknown, BadTime},
		{"epoch zero", `{"time":0}`, KeepUnknown, BadTime},
		{"before the epoch", `{"time":-1}`, KeepUnknown, BadTime},
		{"unknown field", `{"team":"x"}`, RefuseUnknown, UnknownField},
		{"long identity", `{"entity":"` + long + `"}`, KeepUnknown, OverLimit},
		{"long dedup key", `{"dedup_key":"` + long + `"}`, KeepUnknown, OverLimit},
		{"long label", `{"labels":{"a":"` + long + `"}}`, KeepUnknown, OverLimit},
		{"long label name", `{"labels":{"` + long + `":"a"}}`, KeepUnknown, OverLimit},
		{"too many labels", `{"labels":{` + many[1:] + `}}`, KeepUnknown, OverLimit},
		{"exact label that is cut", `{"host":"` + long + `"}`, KeepUnknown, OverLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, _, rejection := decodeOne(t, Native(Options{Exact: []string{"host"}}, c.unknown), c.payload)
			if rejection == nil || rejection.Reason != c.want {
				t.Fatalf("got %v, want %v", rejection, c.want)
			}
			if !reflect.DeepEqual(ev, correlate.Event{}) {
				t.Errorf("a rejected event is not empty: %+v", ev)
			}
		})
	}
}

func TestNativeBounds(t *testing.T) {
	long := strings.Repeat("\u20ac", 3000) // 9,000 bytes; neither 1,024 nor 4,096 is a multiple of 3
	many := ""
	for i := range 70 {
		many += fmt.Sprintf(`"l%02d":"v",`, i)
	}
	for _, c := range []struct {
		name, payload string
		want          Notes
		check         func(ev correlate.Event) bool
	}{
		{"summary is cut at a rune", `{"summary":"` + long + `"}`, CutText,
			func(ev correlate.Event) bool { return ev.Summary == long[:4095] }},
		{"label that came along is cut at a rune", `{"a":"` + long + `"}`, CutLabel,
			func(ev correlate.Event) bool { return label(ev, "a") == long[:1023] }},
		{"long name that came along is dropped", `{"` + long + `":"a","b":"c"}`, DroppedLabels,
			func(ev correlate.Event) bool { return len(ev.Labels) == 1 && label(ev, "b") == "c" }},
		{"the first 64 that came along are kept", `{` + many + `"z":"v"}`, DroppedLabels,
			func(ev correlate.Event) bool {
				return len(ev.Labels) == 64 && label(ev, "l00") == "v" && label(ev, "l63") == "v"
			}},
		{"named labels take the place of those that came along",
			`{` + many + `"labels":{"a":"1","zz":"2"}}`, DroppedLabels,
			func(ev correlate.Event) bool {
				return len(ev.Labels) == 64 && label(ev, "a") == "1" && label(ev, "zz") == "2" &&
					label(ev, "l61") == "v" && label(ev, "l62") == ""
			}},
		{"an exact label is never dropped", `{` + many + `"host":"h"}`, DroppedLabels,
			func(ev correlate.Event) bool { return len(ev.Labels) == 64 && label(ev, "host") == "h" }},
		{"two paths with one name", `{"a.b":"1","a":{"b":"2"}}`, ClashedLabels,
			func(ev correlate.Event) bool { return len(ev.Labels) == 1 && label(ev, "a.b") == "1" }},
		{"named label and field with one name", `{"a":"1","labels":{"a":"2"}}`, ClashedLabels,
			func(ev correlate.Event) bool { return len(ev.Labels) == 1 && label(ev, "a") == "2" }},
		{"nothing", `{"a":"1","labels":{"b":"2"}}`, 0,
			func(ev correlate.Event) bool { return len(ev.Labels) == 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, notes, rejection := decodeOne(t, Native(Options{Exact: []string{"host"}}, KeepUnknown), c.payload)
			if rejection != nil {
				t.Fatal(rejection)
			}
			if notes != c.want || !c.check(ev) {
				t.Errorf("notes %q, want %q; event %+v", notes, c.want, ev)
			}
		})
	}
}

// TestResetReusesMemory decodes two batches: the first batch's events stay intact until Reset.
func TestResetReusesMemory(t *testing.T) {
	d := Native(Options{}, KeepUnknown).NewDecoder()
	for batch := range 3 {
		events := make([]correlate.Event, 2000)
		for i := range events {
			p := fmt.Sprintf(`{"service":"s\u0020%d","a":{"b":"c\u0020%d"}}`, i, i)
			if _, rejection := d.Decode([]byte(p), benchMeta, &events[i]); rejection != nil {
				t.Fatal(rejection)
			}
		}
		for i, ev := range events {
			if want := fmt.Sprintf("s %d", i); ev.Service != want || len(ev.Labels) != 1 ||
				ev.Labels[0] != (correlate.Label{Name: "a.b", Value: fmt.Sprintf("c %d", i)}) {
				t.Fatalf("batch %d, event %d: %+v", batch, i, ev)
			}
		}
		d.Reset()
	}
}

func TestNoAllocationInSteadyState(t *testing.T) {
	d := Native(Options{}, KeepUnknown).NewDecoder()
	p := []byte(strings.Replace(alert550, `"checkout"`, `"check\u006fut"`, 1))
	var ev correlate.Event
	n := testing.AllocsPerRun(2000, func() {
		for range 10 {
			if _, rejection := d.Decode(p, benchMeta, &ev); rejection != nil {
				t.Fatal(rejection)
			}
		}
		d.Reset()
	})
	if n != 0 {
		t.Errorf("%v allocations in a batch of 10 events", n)
	}
}

// FuzzNative holds the native format against its slow twin.
func FuzzNative(f *testing.F) {
	f.Add([]byte(alert550), false)
	for _, s := range strictSeeds {
		f.Add([]byte(s), false)
	}
	f.Add([]byte(`{"team":"x","a":{"b":[1,{"c":"d"}]},"a.b[0]":true,"labels":{"team":"y","z":1.0}}`), false)
	f.Add([]byte(`{"time":"2016-12-31T23:59:60.5z","severity":"info","status":"resolved"}`), true)
	f.Add([]byte(`{"time":1.643156730123e9,"value":-0,"id":"\ud83d\ude00"}`), true)
	keep, refuse := Native(Options{}, KeepUnknown), Native(Options{}, RefuseUnknown)
	f.Fuzz(func(t *testing.T, p []byte, strict bool) {
		format := keep
		if strict {
			format = refuse
		}
		d := format.NewDecoder()
		for range 2 { // the second time by a stencil
			var ev correlate.Event
			notes, rejection := d.Decode(p, benchMeta, &ev)
			compareWithTwin(t, p, ev, notes, rejection, twinNative)
		}
	})
}

// compareWithTwin checks that the event is the twin's, and that a rejection of JSON is one by the
// oracle and other rejections ones by the twin, as far as no bound was in the way.
func compareWithTwin(t *testing.T, p []byte, ev correlate.Event, notes Notes, rejection *Rejection,
	twin func(tree, RecordMeta) (correlate.Event, error)) {
	t.Helper()
	if notes&^ClashedLabels != 0 {
		return
	}
	var want correlate.Event
	parsed, bad := readStrictly(p)
	err := bad
	if bad == nil {
		want, err = twin(parsed, benchMeta)
	}
	if rejection == nil {
		if err != nil || !reflect.DeepEqual(ev, want) {
			t.Errorf("%q:\ngot  %+v\nwant %+v, %v", p, ev, want, err)
		}
		return
	}
	switch rejection.Reason {
	case TooLarge, TooDeep, OverLimit, UnknownField:
	case EmptyPayload, InvalidUTF8, InvalidJSON, TrailingBytes, DuplicateKey:
		if bad == nil {
			t.Errorf("%q: rejected as %v, but it is strict JSON", p, rejection)
		}
	default:
		if err == nil {
			t.Errorf("%q: rejected as %v, but the twin reads %+v", p, rejection, want)
		}
	}
}

// label returns the value of the named label of ev, or "".
func label(ev correlate.Event, name string) string {
	for _, x := range ev.Labels {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}
