package decode

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"quell/correlate"
)

// fuzzSpec uses every kind of source; twinMapping is the same written by hand.
const fuzzSpec = `
unmapped: labels
fields:
  id: {paths: ["a.b[1].c", uid]}
  time: {paths: [at]}
  service: {paths: ["\"svc.name\"", a.b], default: none}
  entity: {template: ["${host}/${pod:-0}", "${host}"]}
  check: {match: {path: msg, re2: "^([a-z]+):"}}
  severity: {paths: level, table: {"0-3": info, "4+": error, "x*": critical}, default: warning}
  summary: {paths: msg, trim: true}
labels:
  host: {paths: host}
  kind: {const: fuzz}
`

func twinMapping(t tree, r RecordMeta) (ev correlate.Event, err error) {
	if t.kind != kindObject {
		return ev, fmt.Errorf("not an object")
	}
	first := func(texts ...string) string {
		for _, s := range texts {
			if s != "" {
				return s
			}
		}
		return ""
	}
	ev.ID = first(t.get("a").get("b").at(1).get("c").scalar(), t.get("uid").scalar())
	if s := t.get("at").scalar(); s != "" {
		if ev.Time, err = twinTime(s); err != nil {
			return ev, err
		}
	}
	ev.Service = first(t.get("svc.name").scalar(), t.get("a").get("b").scalar(), "none")
	if host := t.get("host").scalar(); host != "" {
		ev.Entity = host + "/" + first(t.get("pod").scalar(), "0")
	}
	if m := regexp.MustCompile("^([a-z]+):").FindStringSubmatch(t.get("msg").scalar()); m != nil {
		ev.Check = m[1]
	}
	ev.Severity = twinLevel(t.get("level"))
	ev.Summary = strings.TrimSpace(t.get("msg").scalar())
	named := map[string]string{"kind": "fuzz"}
	if host := t.get("host").scalar(); host != "" {
		named["host"] = host
	}
	along := &twinLabels{values: map[string]string{}, skip: map[string]bool{"at": true, "uid": true,
		"host": true, "pod": true, "msg": true, "level": true, "svc.name": true, "a.b": true,
		"a.b[1].c": true}}
	for i, name := range t.names {
		along.flatten(name, t.members[i])
	}
	return twinComplete(ev, r, named, along)
}

func twinLevel(t tree) correlate.Severity {
	s := t.scalar()
	for i, name := range []string{"info", "warning", "error", "critical"} {
		if strings.EqualFold(s, name) {
			return correlate.Severity(i + 1)
		}
	}
	// The keys of the table are keys for their own text as well.
	if s == "0-3" {
		return correlate.Info
	} else if s == "4+" {
		return correlate.Error
	} else if strings.HasPrefix(s, "x") {
		return correlate.Critical
	}
	number, err := readStrictly([]byte(s))
	if err != nil || number.kind != kindNumber || number.text != s {
		return correlate.Warning
	}
	switch v, _ := strconv.ParseFloat(s, 64); {
	case v >= 4:
		return correlate.Error
	case v >= 0 && v <= 3:
		return correlate.Info
	}
	return correlate.Warning
}

// FuzzMapping holds a mapping against its slow twin.
func FuzzMapping(f *testing.F) {
	for _, s := range strictSeeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(alert550))
	f.Add([]byte(`{"a":{"b":[0,{"c":"id","d":[[]]},{"c":2}]},"at":"1643156730","svc.name":"s","host":"h","msg":" x: y "}`))
	f.Add([]byte(`{"a":{"b":"s","c":{"d":null,"e":true}},"at":"2022-01-26T00:25:30Z","host":"h","pod":1,"msg":"abc: d","level":3.0}`))
	f.Add([]byte(`{"\u0061":{"\u0062":[1,{"\u0063":"\u0078"}]},"level":"xyz","kind":"k","uid":7,"level2":{"":{"":1}},"":{"":1}}`))
	format := compileYAML(f, fuzzSpec)
	f.Fuzz(func(t *testing.T, p []byte) {
		d := format.NewDecoder()
		var ev correlate.Event
		for range 2 { // the second time captures come from the memo
			notes, rejection := d.Decode(p, benchMeta, &ev)
			compareWithTwin(t, p, ev, notes, rejection, twinMapping)
		}
	})
}
