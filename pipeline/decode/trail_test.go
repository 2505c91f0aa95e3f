package decode

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"quell/correlate"
)

// outcome is all that decoding a payload gives.
type outcome struct {
	event     correlate.Event
	notes     Notes
	rejection Rejection
}

func outcomeOf(d *Decoder, payload string) (o outcome) {
	var rejection *Rejection
	if o.notes, rejection = d.Decode([]byte(payload), benchMeta, &o.event); rejection != nil {
		o.rejection = *rejection
	}
	return o
}

// What a decoder saw before must not change what it makes of a payload: each payload of a sequence
// is held against a decoder that never saw anything.
func checkTrail(t *testing.T, f *Format, payloads ...string) {
	t.Helper()
	d := f.NewDecoder()
	for i, p := range payloads {
		got, want := outcomeOf(d, p), outcomeOf(f.NewDecoder(), p)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("payload %d, %s, behind %q:\n%+v\nalone:\n%+v", i, p, payloads[max(0, i-1):i], got, want)
		}
	}
}

func TestTrail(t *testing.T) {
	for _, c := range []struct{ name, first, then string }{
		{"the same", alert550, alert550},
		{"a member is missing", `{"a":"1","b":"2","service":"x"}`, `{"a":"1","service":"x"}`},
		{"many members are missing", `{"a":1,"b":2,"c":3,"d":4,"e":5}`, `{"a":1,"e":5}`},
		{"a member more", `{"a":1,"service":"x"}`, `{"a":1,"b":2,"service":"y"}`},
		{"another order", `{"a":1,"b":2,"c":3}`, `{"c":1,"b":2,"a":3}`},
		{"a double at once", `{"a":1,"b":2}`, `{"a":1,"a":2}`},
		{"a double behind a name that was not expected", `{"a":1,"b":2}`, `{"b":1,"a":2,"b":3}`},
		{"a double of an unexpected name", `{"a":1,"b":2}`, `{"c":1,"a":2,"b":3,"c":4}`},
		{"an expected double of an unexpected name", `{"a":1,"b":2,"c":3}`, `{"a":1,"c":2,"b":3,"c":4}`},
		{"a double written with escapes", `{"a":1,"b":2}`, `{"a":1,"\u0061":2}`},
		{"equal names in two objects, then in one", `{"x":{"a":1},"y":{"a":2}}`, `{"x":{"a":1,"a":2}}`},
		{"equal names in an array's objects, then in one", `{"x":[{"a":1},{"a":2}]}`, `{"x":[{"a":1,"a":2}]}`},
		{"a field's name inside of another object", `{"x":1,"service":"s"}`, `{"x":{"service":"s"}}`},
		{"a field's name that moves out", `{"x":{"service":"s"}}`, `{"x":1,"service":"s"}`},
		{"a value of another kind", `{"service":"x","labels":{"a":"b"}}`, `{"service":["x"],"labels":"a"}`},
		{"white space at the colon", `{"a":1,"service":"x"}`, `{"a" :1,"service" : "y"}`},
		{"white space behind the colon", `{"a":1,"service":"x"}`, `{"a": 1,"service":	"y"}`},
		{"it ends at the name", `{"a":1,"service":"x"}`, `{"a":1,"service":`},
		{"behind a rejected one", `{"a":1,"a":2}`, `{"a":1,"b":2}`},
		{"a name that begins like the expected one", `{"a":1,"b":2}`, `{"ab":1,"b":2}`},
		{"an object that ends early", `{"labels":{"a":"1","b":"2"},"service":"x"}`,
			`{"labels":{"a":"1"},"service":"y"}`},
		{"an empty object", `{"labels":{"a":"1","b":"2"},"service":"x"}`, `{"labels":{},"service":"y"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range []*Format{Native(Options{}, KeepUnknown), Native(Options{}, RefuseUnknown)} {
				checkTrail(t, f, c.first, c.then, c.first, c.then, c.then)
			}
		})
	}
}

// Random payloads of few names, so that names repeat, move and go missing all the time.
func TestTrailRandomly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	names := []string{"a", "b", "service", "labels", "longer_than_a_word", `\u0061`, "time", "x"}
	var object func(depth, most int) string
	object = func(depth, most int) string {
		var members []string
		for _, n := range r.Perm(len(names))[:r.IntN(most+1)] {
			name := names[n]
			if r.IntN(3) > 0 {
				name = names[len(members)%len(names)] // mostly in order
			}
			value := fmt.Sprint(r.IntN(100))
			switch {
			case depth > 0 && (name == "labels" || r.IntN(4) == 0):
				value = object(depth-1, 4)
			case depth > 0 && r.IntN(6) == 0:
				value = "[" + object(depth-1, 3) + "," + object(depth-1, 3) + "]"
			case r.IntN(2) == 0:
				value = `"v"`
			}
			members = append(members, fmt.Sprintf("%q:%s", name, value))
			members[len(members)-1] = strings.ReplaceAll(members[len(members)-1], `\\`, `\`)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	payloads := make([]string, 20_000)
	accepted := 0
	f := Native(Options{Limits: Limits{MaxFields: 12}}, KeepUnknown)
	for i := range payloads {
		payloads[i] = object(2, 6)
		if outcomeOf(f.NewDecoder(), payloads[i]).rejection.Reason == 0 {
			accepted++
		}
	}
	if accepted < 2000 || accepted > 18_000 {
		t.Fatalf("%d of %d payloads are accepted: the test says little", accepted, len(payloads))
	}
	checkTrail(t, f, payloads...)
}

func FuzzTrail(f *testing.F) {
	f.Add(alert550, alert550)
	f.Add(`{"a":1,"b":{"c":2}}`, `{"a":1,"b":{"c":2,"c":3}}`)
	f.Add(`{"x":[{"a":1},{"a":2}]}`, `{"x":[{"a":1,"a":2}]}`)
	format := Native(Options{}, KeepUnknown)
	f.Fuzz(func(t *testing.T, a, b string) { checkTrail(t, format, a, b, a, b) })
}
