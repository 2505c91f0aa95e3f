package decode

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"quell/correlate"
)

// TestFormatIsShared decodes with one format on several goroutines, each with its own decoder.
func TestFormatIsShared(t *testing.T) {
	f := compileYAML(t, fuzzSpec)
	const payload = `{"a":{"b":"s\u0041"},"host":"h","msg":"abc: d","level":3,"more":{"x":[1]}}`
	want, _, rejection := decodeOne(t, f, payload)
	if rejection != nil {
		t.Fatal(rejection)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			d := f.NewDecoder()
			var ev correlate.Event
			for range 500 {
				_, rejection := d.Decode([]byte(payload), benchMeta, &ev)
				if rejection != nil || !reflect.DeepEqual(ev, want) {
					t.Errorf("got %+v, %v\nwant %+v", ev, rejection, want)
					return
				}
				d.Reset()
			}
		})
	}
	wg.Wait()
}

// TestMappingDoesNotAllocate: templates, captures seen before, tables, unmapped labels.
func TestMappingDoesNotAllocate(t *testing.T) {
	d := compileYAML(t, fuzzSpec).NewDecoder()
	p := []byte(`{"a":{"b":"s\u0041"},"at":"1643156730","host":"h","msg":"abc: d","level":3,"x":{"y":[1]}}`)
	var ev correlate.Event
	n := testing.AllocsPerRun(2000, func() {
		if _, rejection := d.Decode(p, benchMeta, &ev); rejection != nil {
			t.Fatal(rejection)
		}
		d.Reset()
	})
	if n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// TestDecoderAfterRejection: what a rejected payload left behind is not seen in the next event.
func TestDecoderAfterRejection(t *testing.T) {
	d := Native(Options{}, KeepUnknown).NewDecoder()
	var ev correlate.Event
	for _, bad := range []string{`{"service":"x","labels":{"a":"b"},"c":{"d":"e"`, `{"entity":"x","time":0}`,
		`{"c":{"d":1,"d":2}}`, `{"c":[[{"d":"\ud800"}]]}`} {
		if _, rejection := d.Decode([]byte(bad), benchMeta, &ev); rejection == nil {
			t.Fatalf("%s is accepted", bad)
		}
		notes, rejection := d.Decode([]byte(`{"check":"ok","x":{"y":"z"}}`), benchMeta, &ev)
		want := correlate.Event{Time: benchMeta.Time, Scope: "default", Source: benchMeta.Topic, Check: "ok",
			Severity: correlate.Warning, Status: correlate.Firing,
			Labels: []correlate.Label{{Name: "x.y", Value: "z"}}}
		if rejection != nil || notes != 0 || !reflect.DeepEqual(ev, want) {
			t.Errorf("after %s: %+v, %q, %v", bad, ev, notes, rejection)
		}
	}
}

// TestTimeOfRecord: an event without a time has its record's, if that is one.
func TestTimeOfRecord(t *testing.T) {
	d := Native(Options{}, KeepUnknown).NewDecoder()
	for _, c := range []struct {
		name   string
		record correlate.Time
		want   bool
	}{
		{"a timestamp", 1643156730000, true}, {"none", 0, false}, {"Kafka's -1", -1, false},
		{"year 2200", latest, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ev correlate.Event
			_, rejection := d.Decode([]byte(`{}`), RecordMeta{Topic: "t", Time: c.record}, &ev)
			if c.want && (rejection != nil || ev.Time != c.record) ||
				!c.want && (rejection == nil || rejection.Reason != BadTime) {
				t.Errorf("got %v, %v", ev.Time, rejection)
			}
			// An event with its own time needs no record's.
			_, rejection = d.Decode([]byte(`{"time":5}`), RecordMeta{Topic: "t", Time: c.record}, &ev)
			if rejection != nil || ev.Time != 5000 {
				t.Errorf("got %v, %v", ev.Time, rejection)
			}
		})
	}
}

func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if name := r.String(); name == "" || seen[name] || strings.Contains(name, "unknown(") {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen[r.String()] = true
	}
	if n := len(Reasons()); n != int(MultipleEvents) {
		t.Errorf("%d reasons", n)
	}
	if got := (CutText | DroppedLabels).String(); got != "cut_text,dropped_labels" {
		t.Errorf("notes are called %q", got)
	}
	if len(AllNotes()) != len(noteNames) {
		t.Errorf("%d notes, %d names", len(AllNotes()), len(noteNames))
	}
	r := Rejection{InvalidJSON, 7, "what"}
	if r.Error() != "invalid_json: what (byte 7)" {
		t.Errorf("got %q", r.Error())
	}
}

func TestLimits(t *testing.T) {
	if p := DefaultLimits().Check(); p != nil {
		t.Errorf("the defaults have problems: %v", p)
	}
	if got := (Limits{}).withDefaults(); got != DefaultLimits() {
		t.Errorf("got %+v", got)
	}
	got := Limits{MaxBytes: 1, MaxLabelValue: 1 << 20}.Check()
	if len(got) != 2 || got[0].Path != "max_bytes" ||
		!strings.Contains(got[0].Text, "1 is out of range: write a number from 64 to") {
		t.Errorf("got %v", got)
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Strings
	}{
		{"one", `a.b`, Strings{"a.b"}}, {"list", `[a, b]`, Strings{"a", "b"}}, {"number", `5`, Strings{"5"}},
		{"an object", `{a: b}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Strings
			err := yaml.Unmarshal([]byte(c.text), &got)
			if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.want != nil) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}
