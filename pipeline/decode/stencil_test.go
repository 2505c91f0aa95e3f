package decode

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// What fits is decoded through the stencil, what does not is scanned; either way as if the decoder
// had seen nothing before.
func TestStencil(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, c := range []struct {
		name, first, then string
		fits              bool
	}{
		{"other values", `{"id":"1","service":"checkout"}`, `{"id":"22222222222222222","service":""}`, true},
		{"a value of another kind", `{"id":"1","value":"7"}`, `{"id":"1","value":7.25}`, true},
		{"no value", `{"id":"1","url":"u"}`, `{"id":"1","url":null}`, true},
		{"a value with escapes", `{"id":"1","summary":"u"}`, `{"id":"1","summary":"a\"b\u00e4"}`, true},
		{"a value beyond ASCII", `{"id":"1","summary":"u"}`, `{"id":"1","summary":"ä€😀"}`, true},
		{"a value that is no UTF-8", `{"id":"1","summary":"u"}`, "{\"id\":\"1\",\"summary\":\"a\xff\"}", false},
		{"half a rune at the end of a value", `{"id":"1","url":"u"}`, "{\"id\":\"1\",\"url\":\"a\xc3\"}", false},
		{"a control character", `{"id":"1","summary":"u"}`, "{\"id\":\"1\",\"summary\":\"a\x01\"}", false},
		{"a zero byte", `{"id":"1","summary":"u"}`, "{\"id\":\"1\",\"summary\":\"a\x00\"}", false},
		{"an object for an unknown text", `{"id":"1","x":"u"}`, `{"id":"1","x":{"y":["z",1]}}`, false},
		{"an array in a nested object", `{"id":"1","x":{"y":"z","u":[1]}}`, `{"id":"1","x":{"y":"z","u":["ä",{"v":2}]}}`, true},
		{"a member is missing in the middle", `{"id":"1","url":"u","check":"c"}`, `{"id":"1","check":"c"}`, true},
		{"the last member is missing", `{"id":"1","url":"u"}`, `{"id":"1"}`, true},
		{"the first member is missing", `{"id":"1","url":"u"}`, `{"url":"1"}`, false},
		{"the last of an inner object is missing", `{"labels":{"a":"1","b":"2"},"id":"i"}`, `{"labels":{"a":"1"},"id":"i"}`, true},
		{"all of an inner object is missing", `{"labels":{"a":"1"},"id":"i"}`, `{"labels":{},"id":"i"}`, false},
		{"a text for an inner object", `{"labels":{"a":"1"},"id":"i"}`, `{"labels":"a","id":"i"}`, false},
		{"a text before an inner object", `{"id":"i","z":[1],"x":{"a":"1"}}`, `{"id":"i","z":[1],"x":"y"{"a":"1"}}`, false},
		{"a text before the labels", `{"labels":{"a":"1"},"id":"i"}`, `{"labels":"y"{"a":"1"},"id":"i"}`, false},
		{"an inner object is missing", `{"id":"1","x":{"a":"1"},"url":"u"}`, `{"id":"1","url":"u"}`, false},
		{"the name of an inner object is missing", `{"id":"1","x":{"a":"1"},"url":"u"}`, `{"id":"1"{"a":"1"},"url":"u"}`, false},
		{"one member more", `{"id":"1","url":"u"}`, `{"id":"1","x":"y","url":"u"}`, false},
		{"one member more at the end", `{"id":"1"}`, `{"id":"1","x":"y"}`, false},
		{"a double at the end", `{"id":"1","x":"2"}`, `{"id":"1","x":"2","id":"3"}`, false},
		{"bytes behind", `{"id":"1"}`, `{"id":"1"}x`, false},
		{"white space behind", `{"id":"1"}`, `{"id":"1"} `, false},
		{"it ends early", `{"id":"1","url":"u"}`, `{"id":"1","url":"`, false},
		{"it ends in the punctuation", `{"id":"1","url":"u"}`, `{"id":"1","ur`, false},
		{"white space everywhere", " {\n\t\"id\" : \"1\" , \"x\" : { \"y\" : 2 } } ", " {\n\t\"id\" : \"5\" , \"x\" : { \"y\" : 77 } } ", true},
		{"long names that differ at their end", `{"a_name_that_is_long_1":"1","a_name_that_is_long_2":"2"}`,
			`{"a_name_that_is_long_1":"1","a_name_that_is_long_3":"2"}`, false},
		{"long names", `{"a_name_that_is_long_1":"1","a_name_that_is_long_2":"2"}`,
			`{"a_name_that_is_long_1":"7","a_name_that_is_long_2":"8"}`, true},
		{"a label that is a number", `{"labels":{"a":"1","b":"2"}}`, `{"labels":{"a":1.5,"b":true}}`, true},
		{"a label that is null", `{"labels":{"b":"1","a":"2"}}`, `{"labels":{"b":null,"a":"x"}}`, true},
		{"a label that is an object", `{"labels":{"b":"1","a":"2"}}`, `{"labels":{"b":{},"a":"x"}}`, false},
		{"a label that is too long", `{"labels":{"a":"1"}}`, `{"labels":{"a":"` + long + `"}}`, false},
		{"a label to be cut", `{"a":"1"}`, `{"a":"` + long + `"}`, false},
		{"a text to be cut", `{"summary":"1"}`, `{"summary":"` + long + long + long + long + `"}`, true},
		{"a field that is too long", `{"service":"1"}`, `{"service":"` + long + `"}`, true},
		{"labels and unknown fields", `{"z":"1","labels":{"b":"1","a":"2"},"c":{"d":"e"}}`,
			`{"z":"3","labels":{"b":"4","a":"5"},"c":{"d":"6"}}`, true},
		{"a label and an unknown field of one name", `{"a":"1","labels":{"a":"2"}}`, `{"a":"3","labels":{"a":"4"}}`, true},
		{"nothing is known", `{"a":"1"}`, `{"b":"1"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			format := Native(Options{}, KeepUnknown)
			checkTrail(t, format, c.first, c.then, c.then)
			mapped := "unmapped: labels\nfields: {id: {paths: id}, check: {paths: labels.a, default: x}}\nlabels: {more: {paths: x}}"
			for _, f := range []*Format{format, compileYAML(t, mapped)} {
				checkTrail(t, f, c.first, c.then, c.first, c.then, c.then)
			}
			d := format.NewDecoder()
			if outcomeOf(d, c.first).rejection.Reason != 0 {
				t.Fatal("the first payload is no event")
			}
			before := d.stencil.misses
			if outcomeOf(d, c.then); d.stencil.misses < before != c.fits {
				t.Errorf("misses went from %d to %d, and it fits: %t", before, d.stencil.misses, c.fits)
			}
		})
	}
}

// A stencil that fits too seldom is thrown away, and another one is cut later.
func TestStencilIsGivenUp(t *testing.T) {
	d := Native(Options{}, KeepUnknown).NewDecoder()
	one, other := `{"id":"1","a":"2"}`, `{"b":"1","id":"2"}`
	outcomeOf(d, one)
	for range stencilMisses {
		outcomeOf(d, other)
	}
	if len(d.stencil.holes) > 0 {
		t.Fatal("it is kept")
	}
	for range stencilPause + 1 {
		outcomeOf(d, other)
	}
	if len(d.stencil.holes) != 2 || !strings.Contains(d.stencil.holes[0].text, `"b"`) {
		t.Fatalf("the new form is not followed: %+v", d.stencil.holes)
	}
}

// More members than a stencil has holes, names with escapes and large payloads have no stencil.
func TestNoStencil(t *testing.T) {
	var wide strings.Builder
	for i := range stencilHoles + 1 {
		fmt.Fprintf(&wide, `"m%d":%d,`, i, i)
	}
	for _, c := range []struct{ name, payload string }{
		{"many members", `{` + wide.String() + `"id":"1"}`},
		{"an escaped name", `{"i\u0064":"1"}`},
		{"a large payload", `{"x":[` + strings.Repeat(`"0123456789",`, 6000) + `1],"id":"1"}`},
		{"an empty object", `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Native(Options{}, KeepUnknown)
			d := f.NewDecoder()
			if o := outcomeOf(d, c.payload); o.rejection.Reason != 0 || len(d.stencil.holes) > 0 {
				t.Errorf("%d holes, %v", len(d.stencil.holes), o.rejection)
			}
			checkTrail(t, f, c.payload, c.payload, alert550, c.payload)
		})
	}
}

// Values of every length at every distance from the end.
func TestStencilLengths(t *testing.T) {
	f := Native(Options{}, KeepUnknown)
	payloads := []string{`{"id":"","url":"x"}`}
	for n := range 40 {
		for m := range 40 {
			payloads = append(payloads, fmt.Sprintf(`{"id":"%s","url":"%s"}`,
				strings.Repeat("a", n), strings.Repeat("b", m)))
		}
	}
	checkTrail(t, f, payloads...)
}

// Payloads that were damaged a little, each behind the one that it comes from: what a stencil fits
// must be what a decoder accepts that never saw anything.
func TestStencilDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	mapped := compileYAML(t, "fields: {id: {paths: [id, meta.id]}, check: {paths: labels.a, default: x}}")
	refused := Native(Options{}, RefuseUnknown)
	for _, base := range []string{
		`{"id":"1","labels":{"a":"1","b":"2"},"url":"u"}`,
		`{"id":"1","meta":{"id":"2","more":{"x":"y","z":[1]}},"x":{"a":1},"url":null}`,
		`{"meta":{"id":"2","a":{"b":"c"}},"id":"1","labels":{"a":"long enough for two words","b":""},"a":[{"b":"c"}]}`,
		` { "id" : "1" , "labels" : { "a" : "1" } , "check" : "c" } `,
	} {
		for _, f := range []*Format{Native(Options{}, KeepUnknown), mapped, refused} {
			d, accepted := f.NewDecoder(), 0
			for range 4000 {
				damaged := damage(r, base)
				outcomeOf(d, base)
				got, want := outcomeOf(d, damaged), outcomeOf(f.NewDecoder(), damaged)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("%q behind %q:\n%+v\nalone:\n%+v", damaged, base, got, want)
				}
				if want.rejection.Reason == 0 {
					accepted++
				}
			}
			if f != refused && (accepted < 200 || accepted > 3800) {
				t.Errorf("%d of 4,000 are accepted behind %q: the test says little", accepted, base)
			}
		}
	}
}

// damage removes a piece of the payload, writes one twice, moves one or writes another byte.
func damage(r *rand.Rand, p string) string {
	for range 1 + r.IntN(2) {
		i, at := r.IntN(len(p)), r.IntN(len(p)+1)
		j := min(i+1+r.IntN(12), len(p))
		switch piece, rest := p[i:j], p[:i]+p[j:]; r.IntN(4) {
		case 0:
			p = rest
		case 1:
			p = p[:at] + piece + p[at:]
		case 2:
			at = min(at, len(rest))
			p = rest[:at] + piece + rest[at:]
		case 3:
			const others = `"{}[]:,\\ 0x` + "\x00\xc3"
			p = p[:i] + others[r.IntN(len(others)):][:1] + p[i+1:]
		}
		if p == "" {
			return "{"
		}
	}
	return p
}
