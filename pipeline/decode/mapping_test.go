package decode

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"quell/correlate"
)

// compileYAML compiles a mapping as it stands in a configuration.
func compileYAML(t testing.TB, text string) *Format {
	t.Helper()
	var spec MappingSpec
	if err := yaml.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	f, problems := CompileMapping(spec, Options{})
	if problems != nil {
		t.Fatalf("%s\n%v", text, problems)
	}
	return f
}

// TestMappingValue maps one field, check, in all the ways there are.
func TestMappingValue(t *testing.T) {
	for _, c := range []struct{ name, spec, payload, want string }{
		{"one path", `{paths: a}`, `{"a":"x"}`, "x"},
		{"first present wins", `{paths: [a, b, c]}`, `{"c":"3","b":"2"}`, "2"},
		{"null and empty are not present", `{paths: [a, b, c]}`, `{"a":null,"b":"","c":"3"}`, "3"},
		{"an object is not present", `{paths: [a, a.b]}`, `{"a":{"b":"x"}}`, "x"},
		{"deep", `{paths: a.b.c}`, `{"a":{"x":{"c":"no"},"b":{"c":"x","d":1}},"b":{"c":"no"}}`, "x"},
		{"element", `{paths: "a[1].b"}`, `{"a":[{"b":"0"},{"b":"1"},{"b":"2"}]}`, "1"},
		{"elements of elements", `{paths: "a[1][0]"}`, `{"a":[["0"],["1"]]}`, "1"},
		{"missing element", `{paths: "a[7]", default: d}`, `{"a":[1,2]}`, "d"},
		{"quoted name", `{paths: 'a."b.c"."d\"[0]"'}`, `{"a":{"b.c":{"d\"[0]":"x"}}}`, "x"},
		{"quoted name in brackets", `{paths: 'a["b.c"].d'}`, `{"a":{"b.c":{"d":"x"}}}`, "x"},
		{"empty name", `{paths: '""'}`, `{"":"x"}`, "x"},
		{"names with other characters", `{paths: "@event-time x"}`, `{"@event-time x":"x"}`, "x"},
		{"escaped in the payload", `{paths: abc.d}`, `{"\u0061bc":{"\u0064":"\u0078"}}`, "x"},
		{"number as it is written", `{paths: a}`, `{"a":-1.50E+2}`, "-1.50E+2"},
		{"boolean", `{paths: a}`, `{"a":false}`, "false"},
		{"const", `{const: x}`, `{"a":1}`, "x"},
		{"const after paths", `{paths: a, const: x}`, `{}`, "x"},
		{"default", `{paths: a, default: x}`, `{}`, "x"},
		{"template", `{template: "${a} to ${b.c}!"}`, `{"a":"x","b":{"c":7}}`, "x to 7!"},
		{"template with a gap gives none", `{template: "${a} to ${b}", default: d}`, `{"a":"x"}`, "d"},
		{"first whole template", `{template: ["${a}-${b}", "${a}"]}`, `{"a":"x"}`, "x"},
		{"template with a fallback", `{template: "${a}/${b:-none}"}`, `{"a":"x"}`, "x/none"},
		{"template with an empty fallback", `{template: "${a}/${b:-}"}`, `{"a":"x"}`, "x/"},
		{"template with quoted path", `{template: '${"a}".b}'}`, `{"a}":{"b":"x"}}`, "x"},
		{"dollars", `{template: "$$${a}$ $${a}"}`, `{"a":"x"}`, "$${a}$ ${a}"},
		{"captures", `{match: {path: m, re2: "^(?P<tool>\\w+): (?P<rest>.*)$"}, template: "${rest} (${tool})"}`,
			`{"m":"Wazuh: ClamAV update"}`, "ClamAV update (Wazuh)"},
		{"capture and path", `{match: {path: m, re2: "^(?P<tool>\\w+)"}, template: "${tool}@${host}"}`,
			`{"m":"Wazuh: x","host":"mail"}`, "Wazuh@mail"},
		{"only capture", `{match: {path: m, re2: "from ([0-9.]+)"}}`, `{"m":"x from 10.0.0.1 y"}`, "10.0.0.1"},
		{"no match", `{match: {path: m, re2: "from ([0-9.]+)"}, default: d}`, `{"m":"x"}`, "d"},
		{"group that took no part", `{match: {path: m, re2: "a|(b)"}, default: d}`, `{"m":"a"}`, "d"},
		{"trim", `{paths: a, trim: true}`, `{"a":" \t x y\n"}`, "x y"},
		{"lower", `{paths: a, lower: true}`, `{"a":"aBC\u00c4"}`, "abc\u00e4"},
		{"table, exact", `{paths: a, table: {x: "1", "x*": "2"}}`, `{"a":"x"}`, "1"},
		{"table, glob", `{paths: a, table: {"x*": "1", "xy*": "2", "*": "3"}}`, `{"a":"xyz"}`, "2"},
		{"table, question mark", `{paths: a, table: {"x?z": "1"}}`, `{"a":"x\u00e4z"}`, "1"},
		{"table, range", `{paths: a, table: {"0-3": low, "4-11": mid, "12+": high}}`, `{"a":"11"}`, "mid"},
		{"table, range of a number", `{paths: a, table: {"0-3": low, "12+": high}}`, `{"a":12.0}`, "high"},
		{"table, between ranges", `{paths: a, table: {"0-3": low, "4-6": mid}}`, `{"a":3.5}`, "3.5"},
		{"table, bounds", `{paths: a, table: {"<0": n, ">=0": p}}`, `{"a":-0.1}`, "n"},
		{"table, negative range", `{paths: a, table: {"-5..-1": n}}`, `{"a":"-5"}`, "n"},
		{"table, open bound", `{paths: a, table: {">5": n, "<=5": m}}`, `{"a":"5"}`, "m"},
		{"table, text is no number", `{paths: a, table: {"0+": n}}`, `{"a":"5x"}`, "5x"},
		{"table, unknown stays", `{paths: a, table: {x: y}}`, `{"a":"z"}`, "z"},
		{"table, unknown with default", `{paths: a, table: {x: y}, default: d}`, `{"a":"z"}`, "d"},
		{"table after trim and lower", `{paths: a, trim: true, lower: true, table: {x: y}}`, `{"a":" X "}`, "y"},
		{"table can empty", `{paths: a, table: {"N/A": ""}}`, `{"a":"N/A"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := compileYAML(t, "fields: {check: "+c.spec+"}")
			ev, _, rejection := decodeOne(t, f, c.payload)
			if rejection != nil || ev.Check != c.want {
				t.Errorf("got %q, %v, want %q", ev.Check, rejection, c.want)
			}
		})
	}
}

func TestMappingEvent(t *testing.T) {
	const spec = `
fields:
  id: {paths: uid}
  time: {paths: [at, "@timestamp"], layouts: [epoch, iso8601]}
  service: {paths: app.name, required: true}
  severity: {paths: level, scale: syslog, table: {"7": error}, default: info}
  status: {paths: state, table: {closed: resolved}, default: firing}
  summary: {paths: text}
labels:
  region: {paths: where.region}
  zone: {paths: where.zone}
`
	for _, c := range []struct {
		name, unmapped, payload string
		want                    correlate.Event
		reason                  Reason
	}{
		{"labels and defaults", "drop", `{"app":{"name":"a"},"where":{"region":"r"},"more":1}`,
			correlate.Event{Service: "a", Severity: correlate.Info,
				Labels: []correlate.Label{{Name: "region", Value: "r"}}}, 0},
		{"unmapped become labels", "labels", `{"app":{"name":"a","tier":2},"where":{"region":"r"},"list":["x",{"y":"z"}],"region":"other"}`,
			correlate.Event{Service: "a", Severity: correlate.Info,
				Labels: []correlate.Label{{Name: "app.tier", Value: "2"}, {Name: "list[0]", Value: "x"},
					{Name: "list[1].y", Value: "z"}, {Name: "region", Value: "r"}}}, 0},
		{"scale", "drop", `{"app":{"name":"a"},"level":"CRIT"}`,
			correlate.Event{Service: "a", Severity: correlate.Critical}, 0},
		{"the table overrides the scale", "drop", `{"app":{"name":"a"},"level":7}`,
			correlate.Event{Service: "a", Severity: correlate.Error}, 0},
		{"unknown severity has the default", "drop", `{"app":{"name":"a"},"level":"mauve"}`,
			correlate.Event{Service: "a", Severity: correlate.Info}, 0},
		{"status by table", "drop", `{"app":{"name":"a"},"state":"closed"}`,
			correlate.Event{Service: "a", Severity: correlate.Info, Status: correlate.Resolved}, 0},
		{"time by the second path", "drop", `{"app":{"name":"a"},"@timestamp":"2022-01-26 00:25:30,5"}`,
			correlate.Event{Service: "a", Severity: correlate.Info, Time: 1643156730500}, 0},
		{"required is missing", "drop", `{"level":3}`, correlate.Event{}, MissingField},
		{"bad time", "drop", `{"app":{"name":"a"},"at":"soon"}`, correlate.Event{}, BadTime},
		{"year 9999", "drop", `{"app":{"name":"a"},"at":"9999-01-01T00:00:00Z"}`, correlate.Event{}, BadTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, rejection := decodeOne(t, compileYAML(t, "unmapped: "+c.unmapped+spec), c.payload)
			if c.reason != 0 {
				if rejection == nil || rejection.Reason != c.reason {
					t.Errorf("got %v, want %v", rejection, c.reason)
				}
				return
			}
			want := c.want
			want.Scope, want.Source = "default", benchMeta.Topic
			if want.Time == 0 {
				want.Time = benchMeta.Time
			}
			if want.Status == 0 {
				want.Status = correlate.Firing
			}
			if rejection != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, rejection, want)
			}
		})
	}
}

// TestScales walks through every word of every scale that the package documents.
func TestScales(t *testing.T) {
	const none = correlate.Severity(0)
	type expected struct {
		words    string
		severity correlate.Severity
		status   correlate.Status
	}
	for name, rows := range map[string][]expected{
		"syslog": {{"0 1 2 emerg emergency panic alert crit critical CRIT", correlate.Critical, 0},
			{"3 err error", correlate.Error, 0}, {"4 warning warn", correlate.Warning, 0},
			{"5 6 7 notice info informational debug", correlate.Info, 0}},
		"otel": {{"21 22 23 24 FATAL fatal4", correlate.Critical, 0}, {"17 18 19 20 ERROR ERROR2", correlate.Error, 0},
			{"13 14 15 16 WARN WARN3", correlate.Warning, 0},
			{"1 2 3 4 5 6 7 8 9 10 11 12 TRACE DEBUG INFO INFO4", correlate.Info, 0}},
		"x733": {{"critical CRITICAL", correlate.Critical, 0}, {"major", correlate.Error, 0},
			{"minor warning", correlate.Warning, 0}, {"indeterminate", correlate.Info, 0},
			{"cleared Cleared", none, correlate.Resolved}},
		"zabbix": {{"5 Disaster", correlate.Critical, 0}, {"4 High", correlate.Error, 0},
			{"2 3 Warning Average", correlate.Warning, 0}, {"0 1 Information", correlate.Info, 0},
			{"PROBLEM", none, correlate.Firing}, {"OK RESOLVED", none, correlate.Resolved}},
		"icinga": {{"CRITICAL DOWN 2", correlate.Critical, 0}, {"WARNING UNKNOWN UNREACHABLE 1 3", correlate.Warning, 0},
			{"OK UP 0", none, correlate.Resolved}},
		"cloudwatch": {{"ALARM", none, correlate.Firing}, {"OK", none, correlate.Resolved},
			{"INSUFFICIENT_DATA", correlate.Info, correlate.Firing}},
	} {
		f := compileYAML(t, "fields: {severity: {paths: s, scale: "+name+"}, status: {paths: t, scale: "+name+"}}")
		for _, row := range rows {
			for _, word := range strings.Fields(row.words) {
				severity, status := row.severity, row.status
				if severity == none {
					severity = correlate.Warning
				}
				if status == 0 {
					status = correlate.Firing
				}
				for _, payload := range []string{`{"s":"%s"}`, `{"s":"%s","t":"%[1]s"}`} {
					ev, _, rejection := decodeOne(t, f, fmt.Sprintf(payload, word))
					if rejection != nil || ev.Severity != severity || ev.Status != status {
						t.Errorf("%s %s: %v %v, %v; want %v %v", name, word, ev.Severity, ev.Status,
							rejection, severity, status)
					}
				}
			}
		}
		_, _, rejection := decodeOne(t, f, `{"s":"mauve"}`)
		if rejection == nil || rejection.Reason != BadSeverity {
			t.Errorf("%s: an unknown severity is %v", name, rejection)
		}
		_, _, rejection = decodeOne(t, f, `{"t":"mauve"}`)
		if rejection == nil || rejection.Reason != BadStatus {
			t.Errorf("%s: an unknown status is %v", name, rejection)
		}
	}
}

func TestMappingBounds(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name, spec, payload string
		reason              Reason
		notes               Notes
	}{
		{"long identity", `fields: {entity: {paths: a}}`, `{"a":"` + long + `"}`, OverLimit, 0},
		{"long label", `{fields: {check: {paths: b}}, labels: {l: {paths: a}}}`, `{"a":"` + long + `"}`, OverLimit, 0},
		{"long summary", `fields: {summary: {paths: a}}`, `{"a":"` + long + `"}`, 0, CutText},
		{"long text for a pattern", `fields: {summary: {match: {path: a, re2: "(.*)"}}}`, `{"a":"` + long + `"}`,
			OverLimit, 0},
		{"long text for a table", `fields: {summary: {paths: a, table: {"*a*b*c": x}}}`, `{"a":"` + long + `"}`,
			OverLimit, 0},
		{"long unmapped", `{unmapped: labels, fields: {check: {paths: b}}}`, `{"a":"` + long + `"}`, 0, CutLabel},
		{"one element", `{single: alerts, fields: {check: {paths: "alerts[0].name"}}}`,
			`{"alerts":[{"name":"a"}]}`, 0, 0},
		{"two elements", `{single: alerts, fields: {check: {paths: "alerts[0].name"}}}`,
			`{"alerts":[{"name":"a"},{"name":"b"}]}`, MultipleEvents, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, notes, rejection := decodeOne(t, compileYAML(t, c.spec), c.payload)
			if c.reason == 0 && rejection != nil || c.reason != 0 &&
				(rejection == nil || rejection.Reason != c.reason) {
				t.Errorf("got %v, want %v", rejection, c.reason)
			}
			if notes != c.notes {
				t.Errorf("got notes %q, want %q", notes, c.notes)
			}
		})
	}
}

// TestMappingProblems reports every mistake with its place.
func TestMappingProblems(t *testing.T) {
	for _, c := range []struct{ name, spec, path, text string }{
		{"no fields", `{}`, "fields", "there are none"},
		{"unknown field", `fields: {host: {paths: a}}`, "fields.host", `no field "host": write one of id, dedup_key`},
		{"labels is no field", `fields: {labels: {paths: a}}`, "fields.labels", "no field"},
		{"no source", `fields: {check: {default: a}}`, "fields.check", "no source"},
		{"empty path", `fields: {check: {paths: [""]}}`, "fields.check.paths[0]", "a name is missing"},
		{"double dot", `fields: {check: {paths: [a, a..b]}}`, "fields.check.paths[1]", "a name is missing"},
		{"dollar", `fields: {check: {paths: $.a}}`, "fields.check.paths[0]", "leave out the $"},
		{"half a bracket", `fields: {check: {paths: "a[0"}}`, "fields.check.paths[0]", "no closing bracket"},
		{"star", `fields: {check: {paths: "a[*]"}}`, "fields.check.paths[0]", "is no element"},
		{"text behind a bracket", `fields: {check: {paths: "a[0]b"}}`, "fields.check.paths[0]", "write a dot or ["},
		{"open quote", `fields: {check: {paths: 'a."b'}}`, "fields.check.paths[0]", "no closing quote"},
		{"too deep", `fields: {check: {paths: ` + strings.Repeat("a.", 64) + `a}}`, "fields.check.paths[0]", "max_depth"},
		{"open template", `fields: {check: {template: "a ${b"}}`, "fields.check.template[0]", "no closing brace"},
		{"bad path in a template", `fields: {check: {template: ["${a}", "${}"]}}`, "fields.check.template[1]", "a name is missing"},
		{"empty template", `fields: {check: {template: ""}}`, "fields.check.template[0]", "empty"},
		{"bad pattern", `fields: {check: {match: {path: a, re2: "(?<=a)b"}}}`, "fields.check.match.re2", "no RE2 pattern"},
		{"pattern without a capture", `fields: {check: {match: {path: a, re2: "b"}}}`, "fields.check.match.re2", "has 0 captures"},
		{"huge pattern", `fields: {check: {match: {path: a, re2: "((?:abcdef){1,1000})"}}}`,
			"fields.check.match.re2", "write smaller repetitions"},
		{"long pattern", `fields: {check: {match: {path: a, re2: "` + strings.Repeat("a", 3000) + `"}}}`,
			"fields.check.match.re2", "longer than"},
		{"bad path of a match", `fields: {check: {match: {path: "a[", re2: "(b)"}}}`, "fields.check.match.path", "closing bracket"},
		{"overlap", `fields: {check: {paths: a, table: {"0-5": x, "5-9": y}}}`, "fields.check.table.5-9", "overlaps"},
		{"overlap of open ranges", `fields: {check: {paths: a, table: {"<5": x, "4+": y}}}`, "fields.check.table.4+", "overlaps"},
		{"reversed range", `fields: {check: {paths: a, table: {"5-0": x}}}`, "fields.check.table.5-0", "smaller bound first"},
		{"severity in a table", `fields: {severity: {paths: a, table: {x: fatal}}}`, "fields.severity.table.x",
			`"fatal" is no severity: write info, warning, error or critical`},
		{"status in a table", `fields: {status: {paths: a, table: {x: open}}}`, "fields.status.table.x", "write firing or resolved"},
		{"default severity", `fields: {severity: {paths: a, default: high}}`, "fields.severity.default", "is no severity"},
		{"const status", `fields: {status: {const: up}}`, "fields.status.const", "is no status"},
		{"unknown scale", `fields: {severity: {paths: a, scale: windows}}`, "fields.severity.scale", "write syslog"},
		{"scale of text", `fields: {check: {paths: a, scale: syslog}}`, "fields.check.scale", "only severity and status"},
		{"layout without year", `fields: {time: {paths: a, layouts: [epoch, "Jan _2 15:04:05"]}}`,
			"fields.time.layouts[1]", "has no year"},
		{"layout of another language", `fields: {time: {paths: a, layouts: "YYYY-MM-DD HH:mm:ss"}}`,
			"fields.time.layouts[0]", `such as "2006-01-02 15:04:05"`},
		{"layout of a day", `fields: {time: {paths: a, layouts: "2006-01-02"}}`, "fields.time.layouts[0]", "has no hour"},
		{"layout with half a clock", `fields: {time: {paths: a, layouts: "2006-01-02 03:04"}}`, "fields.time.layouts[0]", "does not read"},
		{"layout with an abbreviation", `fields: {time: {paths: a, layouts: "2006-01-02 15:04:05 MST"}}`,
			"fields.time.layouts[0]", "ambiguous"},
		{"layouts of text", `fields: {check: {paths: a, layouts: epoch}}`, "fields.check.layouts", "only time"},
		{"location of text", `fields: {check: {paths: a, location: UTC}}`, "fields.check.location", "only time"},
		{"location", `fields: {time: {paths: a, location: CEST}}`, "fields.time.location", "Europe/Vienna"},
		{"the machine's own location", `fields: {time: {paths: a, location: Local}}`, "fields.time.location", "is no location"},
		{"default time", `fields: {time: {paths: a, default: "0"}}`, "fields.time.default", "record's timestamp"},
		{"table of times", `fields: {time: {paths: a, table: {a: b}}}`, "fields.time.table", "write layouts"},
		{"unmapped", `{unmapped: keep, fields: {check: {paths: a}}}`, "unmapped", "write drop or labels"},
		{"single", `{single: "a[", fields: {check: {paths: a}}}`, "single", "closing bracket"},
		{"bad path of a label", `{fields: {check: {paths: a}}, labels: {l: {paths: "a["}}}`, "labels.l.paths[0]", "closing bracket"},
		{"long label name", `{fields: {check: {paths: a}}, labels: {` + strings.Repeat("l", 129) + `: {paths: a}}}`,
			"labels." + strings.Repeat("l", 129), "max_label_name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var spec MappingSpec
			if err := yaml.Unmarshal([]byte(c.spec), &spec); err != nil {
				t.Fatal(err)
			}
			_, problems := CompileMapping(spec, Options{})
			for _, p := range problems {
				if p.Path == c.path && strings.Contains(p.Text, c.text) {
					return
				}
			}
			t.Errorf("want %s: ...%s..., got %v", c.path, c.text, problems)
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	var spec MappingSpec
	if err := yaml.Unmarshal([]byte(`
unmapped: keep
fields:
  host: {paths: a}
  time: {paths: "a[", layouts: [noon]}
  severity: {paths: b, scale: loud, default: mauve}
`), &spec); err != nil {
		t.Fatal(err)
	}
	_, problems := CompileMapping(spec, Options{Limits: Limits{MaxDepth: -1, MaxLabels: 1 << 30}})
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	want := []string{"limits.max_depth", "limits.max_labels", "fields.host", "fields.time.paths[0]",
		"fields.time.layouts[0]", "fields.severity.scale", "fields.severity.default", "unmapped"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
