package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quell/cmd/quell/internal/audit"
)

// The mistakes in a call to audit: exit 2, before anything is connected.
func TestAuditUsage(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"a time that is none", []string{"--from", "yesterday"}},
		{"times the wrong way round", []string{"--from", "2026-11-21T00:00:00Z", "--to", "2026-11-20T00:00:00Z"}},
		{"a negative wait", []string{"--wait", "-1s"}},
		{"a list of nothing", []string{"--limit", "0"}},
		{"an argument", []string{"everything"}},
		{"a configuration that is not there", []string{"--config", filepath.Join(t.TempDir(), "none.yaml")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := newRoot()
			root.SetArgs(append([]string{"audit"}, c.args...))
			err := root.ExecuteContext(t.Context())
			if coded, ok := err.(*exitError); !ok || coded.code != exitUsage {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRealAudit audits the embedded servers of a service: through the process that runs them while
// it does, and on their directory after it was killed.
func TestRealAudit(t *testing.T) {
	data, listen := t.TempDir(), freeAddr(t)
	config := settings{kafka: "embedded", clickhouse: "embedded", listen: listen}.file(t)
	call := func(code int, args ...string) string {
		t.Helper()
		return quell(t, code, append(args, "--config", config, "--data", data)...)
	}
	if _, errs := quellWith(t, nil, exitFailure, "audit", "--config", config, "--data", data); !strings.Contains(errs, "no archive in") {
		t.Errorf("before there is anything: %s", errs)
	}
	s := startWith(t, nil, "run", "--config", config, "--data", data)
	s.waitReady(listen)
	var lines strings.Builder
	for i := range 50 {
		fmt.Fprintln(&lines, event(fmt.Sprint("e", i), fmt.Sprint("s", i%5), "pod", "critical", "firing"))
	}
	call(exitOK, "produce", write(t, "events.jsonl", lines.String()))
	out := call(exitOK, "audit")
	if !strings.Contains(out, "\naudit ok: 50 records, 50 rows, 5 incidents") {
		t.Errorf("it says\n%s", out)
	}
	day := time.Now().UTC().Format(time.DateOnly)
	call(exitOK, "sql", "INSERT INTO events (topic, partition, offset, received, verdict, "+
		"archive_day) SELECT 'quell.events', 0, 999, now(), 'duplicate', '"+day+"'")
	s.kill()
	var r audit.Report
	out = call(exitFailure, "audit", "--json", "--wait", "1s")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err, out)
	}
	if r.OK || r.WrongTotal != 1 || len(r.Wrong) != 1 || r.Wrong[0].Kind != audit.RowBehindLog || *r.Wrong[0].First != 999 {
		t.Errorf("it says %s", out)
	}
	if from := time.Now().Add(time.Hour).UTC().Format(time.RFC3339); !strings.Contains(
		call(exitFailure, "audit", "--from", from), "audit FAILED: 1 wrong in 0 records") {
		t.Error("a row behind the log is wrong whenever it was received")
	}
}
