package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// broken are records with the reason that each must be rejected for; "" is accepted.
var broken = []struct{ name, reason, value string }{
	{"10 MB", "too_large", `{"summary":"` + strings.Repeat("x", 10<<20) + `"}`},
	{"100k arrays for a label", "bad_type", `{"labels":{"a":` + strings.Repeat("[", 100_000) +
		strings.Repeat("]", 100_000) + `}}`},
	{"100k arrays in an unknown field", "too_deep", `{"a":` + strings.Repeat("[", 100_000) +
		strings.Repeat("]", 100_000) + `}`},
	{"100k arrays alone", "too_deep", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)},
	{"an open end of 100k arrays", "too_deep", `{"a":` + strings.Repeat("[", 100_000)},
	{"invalid UTF-8", "invalid_utf8", "{\"service\":\"\xff\xfe\"}"},
	{"half of a surrogate pair", "invalid_utf8", `{"service":"\ud800"}`},
	{"duplicate keys", "duplicate_key", `{"service":"a","service":"b"}`},
	{"duplicate keys by escapes", "duplicate_key", `{"service":"a","servic\u0065":"b"}`},
	{"NUL bytes alone", "invalid_json", "\x00\x00\x00\x00"},
	{"a NUL byte in a string", "invalid_json", "{\"service\":\"a\x00b\"}"},
	{"an escaped NUL", "", `{"service":"meh-nul\u0000","severity":"info"}`},
	{"year 1", "bad_time", `{"service":"meh","time":"0001-01-01T00:00:00Z"}`},
	{"year 9999", "bad_time", `{"service":"meh","time":"9999-12-31T23:59:59Z"}`},
	{"year 9999 in seconds, or 1978 in milliseconds", "", `{"service":"meh-1978","severity":"info","time":253402300799}`},
	{"nothing at all", "empty_payload", ""},
	{"an array", "not_an_object", `[{"service":"meh"}]`},
	{"two values", "trailing_bytes", `{"service":"meh"}{"service":"meh"}`},
	{"no severity of ours", "bad_severity", `{"service":"meh","severity":"dreadful"}`},
}

// brokenInput sends what a hostile producer would, past `quell produce`.
func (w *world) brokenInput(t *testing.T) {
	type verdict struct{ name, reason string }
	want := map[string]verdict{}
	for _, b := range broken {
		r := w.produce("quell.events", []byte(b.value))[0]
		want[fmt.Sprintf("%d/%d", r.Partition, r.Offset)] = verdict{b.name, b.reason}
	}
	tomb := w.produce("quell.events", nil)[0]
	want[fmt.Sprintf("%d/%d", tomb.Partition, tomb.Offset)] = verdict{"a tombstone", "empty_payload"}
	settled(t, w.cluster, w.clickhouse.address(), "quell.events")

	got := map[string]string{}
	for _, row := range sqlRows(t, w.clickhouse.address(),
		"SELECT partition, offset, reason, size, length(payload), detail FROM rejected") {
		at := fmt.Sprintf("%v/%v", row[0], row[1])
		got[at] = row[2].(string)
		if row[5].(string) == "" {
			t.Errorf("%s: %s without a detail", at, row[2])
		}
		if n, _ := row[4].(json.Number).Int64(); n > 64<<10 {
			t.Errorf("%s: %d bytes of payload are kept", at, n)
		}
	}
	for at, v := range want {
		if got[at] != v.reason {
			t.Errorf("%s (at %s) was rejected as %q, want %q", v.name, at, got[at], v.reason)
		}
	}
	if len(got) != len(want)-1 { // two of them are accepted, and the file had a broken line
		t.Errorf("%d rejected records, want %d", len(got), len(want)-1)
	}
	eventually(t, "copies of all rejected records are in quell.rejected", func() bool {
		return len(w.records("quell.rejected")) == len(got)
	})
	for _, r := range w.records("quell.rejected") {
		var c struct {
			Partition, Offset int64
			Reason            string
		}
		if err := json.Unmarshal(r.Value, &c); err != nil ||
			got[fmt.Sprintf("%d/%d", c.Partition, c.Offset)] != c.Reason {
			t.Errorf("a rejected copy that the archive does not know (%v): %s", err, tail(string(r.Value), 300))
		}
	}
	rows := sqlRows(t, w.clickhouse.address(), "SELECT hex(service) FROM events WHERE service LIKE 'meh-nul%'")
	if fmt.Sprint(rows) != "[[6D65682D6E756C00]]" {
		t.Errorf("a service with a NUL byte is archived as %v", rows)
	}
	const old = "SELECT count() FROM events WHERE service = 'meh-1978' AND clamped"
	if n := sqlCount(t, w.clickhouse.address(), old); n != 1 {
		t.Error("an event of 1978 was not clamped to its record's time")
	}
}
