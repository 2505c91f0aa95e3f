package decode

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"quell/correlate"
)

const wazuhSpec = `
fields:
  id: {paths: id}
  time: {paths: timestamp, layouts: [iso8601]}
  entity: {paths: [agent.name, manager.name]}
  check: {paths: rule.id}
  severity: {paths: rule.level, table: {"0-3": info, "4-6": warning, "7-11": error, "12+": critical}}
  summary: {paths: rule.description}
labels:
  group: {paths: "rule.groups[0]"}
  attacker: {paths: [data.srcip, data.src_ip]}
`

const faultSpec = `
fields:
  time: {paths: time, layouts: [epoch_ms]}
  service: {match: {path: entity, re2: "^(.*?)-?[0-9]*$"}}
  entity: {paths: [entity, caller]}
  check: {template: ["${metric} ${direction}", "${operation} ${symptom}"]}
  severity: {paths: symptom, table: {"400": warning, "500": error, PD: warning}, default: info}
  summary: {template: ["${metric} of ${entity} on ${host:-?} is ${direction}", "${caller} to ${callee}: ${operation} ${symptom}"]}
labels:
  host: {paths: host}
  callee: {paths: callee}
`

const aitSpec = `
fields:
  time: {paths: time, layouts: [epoch]}
  service: {match: {path: host, re2: "([^_]+)$"}}
  entity: {paths: host}
  check: {match: {path: name, re2: "^(?P<tool>[A-Za-z]+): (?P<text>.*)$"}, template: ["${text}", "${name}"]}
  source: {match: {path: name, re2: "^(\\w+): "}}
  severity: {paths: short, table: {"*-Sys-*": info, "W-*": warning, "A-*": warning, "S-*": error}, default: warning}
  summary: {paths: name}
labels:
  ip: {paths: ip}
`

// lines calls do with every line of a file, unpacked.
func lines(t testing.TB, do func(line []byte), elem ...string) int {
	t.Helper()
	path := sharedData(t, elem...)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	s, n := bufio.NewScanner(r), 0
	s.Buffer(nil, 1<<20)
	for ; s.Scan(); n++ {
		do(s.Bytes())
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return n
}

// TestWazuhLines decodes every line of a real Wazuh file, escaped and nested as they are.
func TestWazuhLines(t *testing.T) {
	d := compileYAML(t, wazuhSpec).NewDecoder()
	severities := map[correlate.Severity]int{}
	n := lines(t, func(line []byte) {
		var ev correlate.Event
		notes, rejection := d.Decode(line, benchMeta, &ev)
		if rejection != nil || notes != 0 {
			t.Fatalf("%s: %v, %q", line, rejection, notes)
		}
		var want struct {
			Timestamp string
			Rule      struct{ Description, ID string }
			Agent     struct{ Name string }
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		if ev.Summary != want.Rule.Description || ev.Check != want.Rule.ID ||
			ev.Entity != want.Agent.Name || !strings.HasPrefix(want.Timestamp, ev.Time.String()[:23]) {
			t.Fatalf("got %+v of %s", ev, line)
		}
		severities[ev.Severity]++
		d.Reset()
	}, "storms", "ait-ldsv1-wazuh-raw", "ossec_spiral.json")
	if n != 865 || len(severities) < 3 {
		t.Errorf("%d lines, severities %v", n, severities)
	}
}

// TestFaultLines decodes the flat fault alerts of both systems.
func TestFaultLines(t *testing.T) {
	d := compileYAML(t, faultSpec).NewDecoder()
	total := 0
	for _, system := range []string{"MicroSS", "Online-Boutique-cloudbed-1"} {
		total += lines(t, func(line []byte) {
			var ev correlate.Event
			_, rejection := d.Decode(line, benchMeta, &ev)
			if rejection != nil {
				t.Fatalf("%s: %v", line, rejection)
			}
			trace := strings.Contains(string(line), `"kind":"trace"`)
			if ev.Entity == "" || ev.Check == "" || ev.Summary == "" || ev.Time < 1600000000000 ||
				(label(ev, "callee") != "") != trace || (ev.Service == "") != trace {
				t.Fatalf("%+v of %s", ev, line)
			}
			d.Reset()
		}, "storms", "fault-alerts", system, "alerts.jsonl.gz")
	}
	if total != 26354 {
		t.Errorf("%d lines", total)
	}
}

// TestCSVLines decodes a storm whose lines come as JSON objects of strings, epochs included.
func TestCSVLines(t *testing.T) {
	file, err := os.Open(sharedData(t, "storms", "ait-ads", "russellmitchell_alerts.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unpacked).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	d := compileYAML(t, aitSpec).NewDecoder()
	sources := map[string]int{}
	for _, row := range rows[1:] {
		object := map[string]string{}
		for i, name := range rows[0] {
			object[name] = row[i]
		}
		p, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var ev correlate.Event
		_, rejection := d.Decode(p, benchMeta, &ev)
		if rejection != nil {
			t.Fatalf("%s: %v", p, rejection)
		}
		if ev.Summary != row[1] || ev.Entity != row[3] || label(ev, "ip") != row[2] ||
			ev.Time.Std().Unix() < 1642000000 || ev.Check == "" {
			t.Fatalf("%+v of %s", ev, p)
		}
		sources[strings.Clone(ev.Source)]++
		d.Reset()
	}
	if len(rows) != 45545 || sources["Wazuh"] == 0 || sources["Suricata"] == 0 || sources["AMiner"] == 0 {
		t.Errorf("%d rows, sources %v", len(rows), sources)
	}
}
