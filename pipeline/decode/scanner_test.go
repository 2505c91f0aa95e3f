package decode

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quell/correlate"
)

// strictSeeds are payloads on which JSON libraries disagree, or that are hard to scan.
var strictSeeds = []string{
	``, ` `, `{}`, ` { } `, `{"a":1}`, `{"a":1}x`, `{"a":1} {}`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`,
	`{"a":1 "b":2}`, `[1,2]`, `[1,]`, `[1 2]`, `"a"`, `1`, `01`, `-0`, `-`, `1.`, `.5`, `1e5`, `1E+5`,
	`1e`, `1e+`, `0x1`, `1_0`, `NaN`, `-Infinity`, `true`, `tru`, `nulll`, `{"a":tru}`, `null`,
	`{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":1,"\u0061":2}`, `{"\u0061":1,"\u0061":2}`,
	`{"":1,"":2}`, `{"a\u0000":1,"a":2}`, `[{"x":1,"x":1}]`, `{"a":[{"b":{"c":1,"c":1}}]}`,
	`{"abcdefgh1":1,"abcdefgh2":2}`, `{"abcdefgh12345678":1,"abcdefgh12345678":2}`,
	`{"abcdefghX12345678":1,"abcdefghY12345678":2}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`,
	`{"a":"\ude00\ud83d"}`, `{"a":"\ud83dx"}`, `{"a":"\ud83d\u0041"}`, `{"a":"\ud83d\u00"}`,
	`{"a":"\uD83D\uDE00"}`, `{"\ud83d":1}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12g4"}`, `{"a":"\`,
	`{"a":"\"}`, `{"a":"b\\"}`, `{"a":"\/\b\f\n\r\t\"\\"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\t\"}",
	"{\"a\":\"\x7f\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}",
	"{\"a\":\"\xed\xa0\x80\"}", "{\"\xff\":1}", "\xef\xbb\xbf{}", "\xfe\xff", "{\"a\":\"\u00e4\u20ac\U0001f600\"}",
	"{\"aaaaaaaaa\":\"bbbbbbbbbbbbbbb\\u0000ccccccccc\"}", `{"a":"` + strings.Repeat("x", 100) + `"}`,
	"{\"a\"\r\n:\t1\n,\"b\" : [ ] }", "{\"a\":1\f}", "{\"a\":1\u00a0}", `{'a':1}`, `{a:1}`, `{"a":1}//`,
	`[[[[]]]]`, `[[[[]]]`, `{"a":{"b":{"c":{}}}}`, `]`, `}`, `{"a":]`, `["a":1]`, `{"a"}`, `{"a":}`,
	`{"a":"b","c":"\"` + strings.Repeat("y", 20) + `\\"}`, wideObjectJSON(40, -1), wideObjectJSON(40, 7),
}

// wideObjectJSON returns an object with n members whose hashes are equal (they differ in the
// middle), and once more the one with number twice.
func wideObjectJSON(n, twice int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"abcdefgh%06dhgfedcba":1,`, i)
	}
	if twice >= 0 {
		fmt.Fprintf(&b, `"abcdefgh%06dhgfedcb\u0061":1,`, twice)
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

// wideScanner returns a scanner whose bounds no test payload reaches.
func wideScanner() *scanner {
	return &scanner{limits: Limits{MaxBytes: 1 << 28, MaxDepth: 1000, MaxFields: 1 << 24}}
}

func TestScannerAgreesWithOracle(t *testing.T) {
	for _, s := range strictSeeds {
		compareWithOracle(t, []byte(s))
	}
}

// FuzzScan holds the scanner against the oracle: both accept, or both reject.
func FuzzScan(f *testing.F) {
	for _, s := range strictSeeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(alert550))
	f.Fuzz(func(t *testing.T, p []byte) { compareWithOracle(t, p) })
}

func compareWithOracle(t *testing.T, p []byte) {
	t.Helper()
	_, err := readStrictly(p)
	rejection := wideScanner().scan(p, nil)
	if accepted := rejection == nil || rejection.Reason == NotAnObject; accepted != (err == nil) {
		t.Errorf("%q: the scanner says %v, the oracle says %v", p, rejection, err)
	}
}

// TestJSONTestSuite runs the public suite: n_ must be rejected as JSON by both kinds of format, y_
// must be accepted as JSON (but for a name that occurs twice, which we refuse), and what i_ files
// become is written down here.
func TestJSONTestSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedData(t, "vectors", "json-test-suite", "test_parsing"), "*.json"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files of the suite, %v", len(files), err)
	}
	mapped, problems := CompileMapping(MappingSpec{Unmapped: "labels",
		Fields: map[string]ValueSpec{"check": {Paths: Strings{"a"}}}}, Options{})
	if problems != nil {
		t.Fatal(problems)
	}
	formats := map[string]*Format{"native": Native(Options{}, KeepUnknown), "mapping": mapped}
	for _, file := range files {
		name := filepath.Base(file)
		p, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for kind, format := range formats {
			t.Run(kind+"/"+name, func(t *testing.T) {
				var ev correlate.Event
				_, rejection := format.NewDecoder().Decode(p, benchMeta, &ev)
				checkSuite(t, name, rejection)
			})
		}
	}
}

func checkSuite(t *testing.T, name string, rejection *Rejection) {
	accepted := rejection == nil || rejection.Reason == NotAnObject || rejection.Reason == BadType
	switch {
	case strings.HasPrefix(name, "n_"):
		if accepted {
			t.Errorf("%s must be rejected as JSON, but is %v", name, rejection)
		}
	case strings.HasPrefix(name, "y_object_duplicated_key"):
		if rejection == nil || rejection.Reason != DuplicateKey {
			t.Errorf("%s must be rejected as duplicate_key, but is %v", name, rejection)
		}
	case strings.HasPrefix(name, "y_"), strings.HasPrefix(name, "i_number"):
		// Numbers of any size are text to us.
		if !accepted {
			t.Errorf("%s must be accepted as JSON, but is %v", name, rejection)
		}
	case name == "i_structure_500_nested_arrays.json":
		if rejection == nil || rejection.Reason != TooDeep {
			t.Errorf("%s must be too_deep, but is %v", name, rejection)
		}
	case accepted:
		// i_string: invalid UTF-8 and surrogates, UTF-16; i_structure: a byte order mark.
		t.Errorf("%s must be rejected as JSON, but is %v", name, rejection)
	}
}

func TestReasonsOfJSON(t *testing.T) {
	deep := strings.Repeat(`[`, 100_000)
	for _, c := range []struct {
		name, payload string
		want          Reason
	}{
		{"tombstone", "", EmptyPayload},
		{"only space", "  ", InvalidJSON},
		{"ten megabytes", `{"summary":"` + strings.Repeat("x", 10<<20) + `"}`, TooLarge},
		{"100k open arrays", deep, TooDeep},
		{"100k arrays in an unknown field", `{"a":` + deep + strings.Repeat(`]`, 100_000) + `}`, TooDeep},
		{"100k objects", strings.Repeat(`{"a":`, 100_000), TooDeep},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", InvalidUTF8},
		{"half of a surrogate pair", `{"a":"\ud83d"}`, InvalidUTF8},
		{"UTF-16", "\xff\xfe{\x00}\x00", InvalidUTF8},
		{"byte order mark", "\xef\xbb\xbf{}", InvalidJSON},
		{"raw control character", "{\"a\":\"\x1f\"}", InvalidJSON},
		{"truncated", `{"service":"check`, InvalidJSON},
		{"two values", `{} {}`, TrailingBytes},
		{"a comment behind", `{} // x`, TrailingBytes},
		{"name twice", `{"a":1,"b":2,"a":3}`, DuplicateKey},
		{"name twice, once escaped", `{"service":1,"servic\u0065":2}`, DuplicateKey},
		{"name twice in a label set", `{"labels":{"a":"1","a":"2"}}`, DuplicateKey},
		{"name twice deep inside", `{"a":[{"b":{"c":0,"d":1,"c":2}}]}`, DuplicateKey},
		{"name twice in a wide object", wideObjectJSON(5000, 1234), DuplicateKey},
		{"too many members", wideObjectJSON(17000, -1), OverLimit},
		{"array", `[{}]`, NotAnObject},
		{"string", `"{}"`, NotAnObject},
		{"null", `null`, NotAnObject},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ev correlate.Event
			_, rejection := Native(Options{}, KeepUnknown).NewDecoder().
				Decode([]byte(c.payload), benchMeta, &ev)
			if rejection == nil || rejection.Reason != c.want {
				t.Fatalf("got %v, want %v", rejection, c.want)
			}
			if len(rejection.Error()) > 300 {
				t.Errorf("a rejection of %d bytes is not bounded", len(rejection.Error()))
			}
		})
	}
}

// TestWideObjects: names that all have one hash are told apart, and found when one occurs twice,
// on both sides of the width at which searching gives way to sorting.
func TestWideObjects(t *testing.T) {
	for _, n := range []int{2, wideObject - 1, wideObject, wideObject + 1, wideObject + 2, 16000} {
		if rejection := wideScanner().scan([]byte(wideObjectJSON(n, -1)), nil); rejection != nil {
			t.Errorf("%d names: %v", n, rejection)
		}
		for _, twice := range []int{0, n / 2, n - 1} {
			rejection := wideScanner().scan([]byte(wideObjectJSON(n, twice)), nil)
			if rejection == nil || rejection.Reason != DuplicateKey {
				t.Errorf("%d names, number %d twice: %v", n, twice, rejection)
			}
		}
	}
}

func TestHashOfTrieAgreesWithScanner(t *testing.T) {
	// Names of all lengths are found, wherever in the payload they stand.
	for n := range 40 {
		name := strings.Repeat("k", n)
		for _, p := range []string{`{"` + name + `":"v"}`, `{"` + name + `":"` + strings.Repeat("v", 50) + `"}`,
			`{"a":1,"` + name + "\" : \"v\" ,\"b\":2}"} {
			f, problems := CompileMapping(MappingSpec{Fields: map[string]ValueSpec{
				"check": {Paths: Strings{`"` + name + `"`}}}}, Options{})
			if problems != nil {
				t.Fatal(problems)
			}
			var ev correlate.Event
			if _, rejection := f.NewDecoder().Decode([]byte(p), benchMeta, &ev); rejection != nil ||
				!strings.HasPrefix(ev.Check, "v") {
				t.Errorf("%s: check is %q, %v", p, ev.Check, rejection)
			}
		}
	}
}
