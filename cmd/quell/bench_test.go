package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// benchReport is what a reader of bench --json relies on.
type benchReport struct {
	Workload, Kafka *string
	Rows            []map[string]any
	IntakeOverBare  *float64            `json:"intake_over_bare"`
	PageLatency     map[string]*float64 `json:"page_latency_ms"`
	ResidentMiB     *float64            `json:"resident_mib"`

	Events      int64
	Checkpoints bool
	Live        struct {
		Probes  int
		Unpaged int     `json:"probes_without_page"`
		Cores   float64 `json:"quell_cores"`
	}
	Disk struct {
		Archive float64 `json:"clickhouse_bytes_per_event"`
	}
	Peers []struct{ Name, Absent string }
}

// TestRealBench: a small run has every row and every figure, and they fit each other.
func TestRealBench(t *testing.T) {
	const events = 30_000
	var r benchReport
	out, errs := quellWith(t, []string{"PATH=/nowhere"}, exitOK, "bench", "--json", "--events", "30000", "--rate",
		"2000", "--rules", "20", "--peers", "--profiles", t.TempDir())
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Workload == nil || *r.Workload != "storm" || r.Kafka == nil || *r.Kafka != "embedded" || r.Events != events || !r.Checkpoints {
		t.Errorf("it calls itself %s", tail(out, 500))
	}
	names := []string{"bare_consumer", "intake", "correlate", "archive", "whole"}
	if len(r.Rows) != len(names) {
		t.Fatalf("%d rows, want %v", len(r.Rows), names)
	}
	for i, row := range r.Rows {
		if row["name"] != names[i] {
			t.Errorf("row %d is %v, want %s", i, row["name"], names[i])
		}
		for _, field := range []string{"events", "events_per_second", "cpu_us_per_event", "allocs_per_event",
			"bytes_per_event", "seconds", "resident_mib", "broker_cpu_us_per_event"} {
			v, ok := row[field].(float64)
			if !ok || v < 0 || v == 0 && field != "broker_cpu_us_per_event" && field != "allocs_per_event" {
				t.Errorf("%s: %s is %v", names[i], field, row[field])
			}
		}
		n, rate, took := row["events"].(float64), row["events_per_second"].(float64), row["seconds"].(float64)
		if math.Abs(n/took-rate) > rate/1000 || n > events {
			t.Errorf("%s: %v events in %v s are not %v a second", names[i], n, took, rate)
		}
		_, engine := row["engine_cpu_us_per_event"].(float64)
		if want := names[i] == "archive" || names[i] == "whole"; engine != want {
			t.Errorf("%s: the engine's time is %v", names[i], row["engine_cpu_us_per_event"])
		}
	}
	if r.IntakeOverBare == nil || *r.IntakeOverBare <= 0 || r.ResidentMiB == nil || *r.ResidentMiB < 20 || r.Disk.Archive <= 0 {
		t.Errorf("intake over bare, resident memory, disk: %s", tail(out, 1500))
	}
	p50, p99, most := r.PageLatency["p50"], r.PageLatency["p99"], r.PageLatency["max"]
	if p50 == nil || p99 == nil || most == nil || *p50 <= 0 || *p50 > *p99 || *p99 > *most {
		t.Errorf("page latency is %v", r.PageLatency)
	}
	if r.Live.Probes < 100 || r.Live.Unpaged != 0 || r.Live.Cores <= 0 {
		t.Errorf("under load: %+v", r.Live)
	}
	if len(r.Peers) != 2 || r.Peers[0].Absent == "" || r.Peers[1].Absent == "" {
		t.Errorf("peers that are not on PATH: %+v", r.Peers)
	}
	if !strings.Contains(errs, "page latency at 2000 events/s") {
		t.Errorf("it says nothing of what it does: %s", errs)
	}
}

func TestRealBenchRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"a workload that does not exist":     {"--workload", "tempest"},
		"checkpoints that are neither":       {"--checkpoints", "maybe"},
		"more fingerprints than events":      {"--events", "10", "--fingerprints", "11"},
		"a ClickHouse of somebody else":      {"--clickhouse", "http://127.0.0.1:8123"},
		"no partition":                       {"--partitions", "0"},
		"a directory that nothing is put in": {"--data", t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			if out, errs := quellWith(t, nil, exitUsage, append([]string{"bench"}, args...)...); out != "" || !strings.Contains(errs, "--") && !strings.Contains(errs, "tempest") && !strings.Contains(errs, "fingerprints") {
				t.Errorf("it says %q %q", out, errs)
			}
		})
	}
}
