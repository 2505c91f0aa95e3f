package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"quell/cmd/quell/internal/bench"
)

// results reads what `make bench` has measured.
func results(t *testing.T) *bench.Results {
	t.Helper()
	read := func(name string) *bench.Report {
		b, err := os.ReadFile(filepath.Join(repository, "bench", "results", name+".json"))
		if err != nil {
			t.Fatalf("%v: run make bench", err)
		}
		r := new(bench.Report)
		if err := json.Unmarshal(b, r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r
	}
	return &bench.Results{Embedded: read("embedded"), Kafka: read("kafka"), Apart: read("apart"), Distinct: read("distinct"),
		Huge: read("huge"), Check: read("check")}
}

func capacityTable(t *testing.T) string {
	t.Helper()
	text, err := results(t).Capacity()
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + text + "\n"
}

// TestResults: bench/RESULTS.md is what was measured, rendered.
func TestResults(t *testing.T) {
	path := filepath.Join(repository, "bench", "RESULTS.md")
	want := results(t).Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what bench/results says: run go test ./cmd/quell -run Results -update", path)
	}
}
