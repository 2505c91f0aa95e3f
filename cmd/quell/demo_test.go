package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quell/bench/workload"
)

// demoSummary is what a reader of demo --json relies on.
type demoSummary struct {
	Events, Rejected, Duplicates, Alerts, Incidents, Pages, Archived *int64

	EventsPerSecond *float64 `json:"events_per_second"`
	Compression     *float64 `json:"compression"`
	MTTA            *float64 `json:"mtta_seconds_p50"`
	MTTR            *float64 `json:"mttr_seconds_p50"`
	Elapsed         *float64 `json:"elapsed_seconds"`
	Truth           struct {
		Incidents, Found, Missed *int64
		Purity                   *float64
		PerFault                 *float64 `json:"incidents_per_fault"`
	}
}

func readDemo(t *testing.T, stdout string) (s demoSummary) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(stdout))
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if err := d.Decode(new(any)); err != io.EOF {
		t.Errorf("more than one object on standard output (%v): %q", err, stdout)
	}
	for name, missing := range map[string]bool{"events": s.Events == nil, "rejected": s.Rejected == nil,
		"duplicates": s.Duplicates == nil, "alerts": s.Alerts == nil, "incidents": s.Incidents == nil,
		"pages": s.Pages == nil, "archived": s.Archived == nil, "compression": s.Compression == nil,
		"events_per_second": s.EventsPerSecond == nil, "mtta_seconds_p50": s.MTTA == nil,
		"mttr_seconds_p50": s.MTTR == nil, "elapsed_seconds": s.Elapsed == nil,
		"truth.incidents": s.Truth.Incidents == nil, "truth.found": s.Truth.Found == nil,
		"truth.missed": s.Truth.Missed == nil, "truth.purity": s.Truth.Purity == nil,
		"truth.incidents_per_fault": s.Truth.PerFault == nil} {
		if missing {
			t.Fatalf("the summary has no %s: %s", name, stdout)
		}
	}
	return s
}

// TestRealDemo tells one story with the binary: every event is archived, every fault found, the
// archive and the truth can be kept, and the archive is not mixed with another demo's.
func TestRealDemo(t *testing.T) {
	t.Parallel()
	const events = 20_000
	data, truth := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "truth.jsonl")
	out := quell(t, exitOK, "demo", "--once", "--json", "--events", "20000", "--seed", "5",
		"--data", data, "--truth", truth)
	s := readDemo(t, out)
	if *s.Events != events || *s.Events != *s.Archived+*s.Rejected || *s.Rejected != 0 {
		t.Errorf("events are missing: %s", out)
	}
	if *s.Truth.Missed != 0 || *s.Truth.Found != *s.Truth.Incidents || *s.Truth.Purity < 0.9 ||
		*s.Truth.PerFault > 4 || *s.Compression < 0.99 {
		t.Errorf("the correlation is bad: %s", out)
	}
	if *s.MTTA < 1 || *s.MTTA > 20 || *s.MTTR <= 0 || *s.MTTR > 100 || *s.Duplicates < events/2 {
		t.Errorf("figures of the responder or the funnel: %s", out)
	}
	if *s.EventsPerSecond <= 0 || *s.Elapsed < 40 || *s.Elapsed > 170 {
		t.Errorf("times: %s", out)
	}
	f, err := os.Open(truth)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	tr, err := workload.ReadTruth(f)
	if err != nil || int64(len(tr.Faults)) != *s.Truth.Incidents {
		t.Errorf("truth file: %d faults, %v; want %d", len(tr.Faults), err, *s.Truth.Incidents)
	}
	quell(t, exitFailure, "demo", "--once", "--events", "1000", "--data", data) // refused
	rows := quell(t, exitOK, "sql", "--data", data, "--json", "SELECT count() AS n FROM events")
	if !strings.Contains(rows, "20000") {
		t.Errorf("quell sql on the kept archive: %s", rows)
	}
}

// TestRealDemoStops: an interrupt ends the stories; what was sent until then is archived and summed
// up. Without a terminal the storm shows as lines.
func TestRealDemoStops(t *testing.T) {
	t.Parallel()
	cmd := command(t, "demo", "--json", "--events", "100000", "--seed", "8")
	var out bytes.Buffer
	shown := &waitFor{text: "  first  ", found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &out, shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-shown.found:
	case <-time.After(time.Minute):
		t.Error("no page within a minute")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("it does not stop\n%s", shown)
	}
	s := readDemo(t, out.String())
	if *s.Events == 0 || *s.Events >= 100_000 || *s.Events != *s.Archived+*s.Rejected || *s.Pages == 0 {
		t.Errorf("after an interrupt: %s", &out)
	}
}

// TestDemoRefuses calls that cannot be meant.
func TestDemoRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"a broker of its own":      {"demo", "--kafka", "127.0.0.1:9092"},
		"an archive of its own":    {"demo", "--clickhouse", "http://127.0.0.1:8123"},
		"no events":                {"demo", "--events", "0"},
		"the truth of all stories": {"demo", "--truth", "truth.jsonl"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(args); got != exitUsage {
				t.Errorf("exit %d, want %d", got, exitUsage)
			}
		})
	}
}

// waitFor is a writer that says when a text has come by.
type waitFor struct {
	text  string
	found chan struct{}

	mu   sync.Mutex
	buf  bytes.Buffer
	said bool
}

func (w *waitFor) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if !w.said && strings.Contains(w.buf.String(), w.text) {
		w.said = true
		close(w.found)
	}
	return len(b), nil
}

func (w *waitFor) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
