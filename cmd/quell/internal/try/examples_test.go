package try

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quell/bench/workload"
	"quell/cmd/quell/internal/config"
)

// example returns the path of a shipped example configuration, which must be without so much as a
// warning: operators copy it.
func example(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(root, "deploy/examples", name, "quell.yaml")
	if _, problems, err := config.Load(path, config.Overrides{}); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return path
}

// storm returns the path of real alerts.
func storm(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(root, "../shared/data/storms", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("real alerts are missing:", err)
	}
	return path
}

// TestRealSamples runs each example on the invented lines beside it. The lines hold what the rules
// are about, and what the author of a configuration cannot know: values that no table lists, empty
// fields, a line that is cut off.
func TestRealSamples(t *testing.T) {
	for _, c := range []struct {
		name, sample            string
		events, rejected, pages uint64
		alerts                  uint64
		incidents               string // how many of each rule
		paged                   string // how many of each rule were paged
		unknown                 []int  // lines with what no table lists: they must be in incidents
		wantRejected            []int  // lines that no incident may have
	}{
		{name: "ait-ads", sample: "sample.csv", events: 53, pages: 12, alerts: 21,
			incidents: "background:1 default:4 dns:1 logins:1 network-scan:1 privileges:2" +
				" web-attack:2 web-shell:1",
			paged:   "network-scan:1 privileges:2 web-attack:2 web-shell:1",
			unknown: []int{12, 53, 54}},
		{name: "wazuh", sample: "sample.json", events: 33, rejected: 1, pages: 8, alerts: 16,
			incidents: "background:1 default:5 posture:2", paged: "default:4",
			unknown: []int{31, 32, 33}, wantRejected: []int{10}},
		{name: "faults", sample: "sample.jsonl", events: 30, pages: 6, alerts: 30,
			incidents: "default:4 machines:2", paged: "default:3", unknown: []int{29, 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := example(t, c.name)
			o := options(t, cfg, filepath.Join(filepath.Dir(cfg), c.sample))
			sum, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Events != c.events || sum.Rejected != c.rejected || sum.Pages != c.pages ||
				sum.Archived != c.events-c.rejected || sum.Alerts != c.alerts {
				t.Errorf("summary %+v", sum.Funnel)
			}
			all := readIncidents(t, o.Incidents)
			if got := ofRules(all, false); got != c.incidents {
				t.Errorf("incidents %s, want %s", got, c.incidents)
			}
			if got := ofRules(all, true); got != c.paged {
				t.Errorf("paged %s, want %s", got, c.paged)
			}
			lines := memberLines(t, all, c.sample)
			for _, n := range c.unknown {
				if lines[n] == 0 {
					t.Errorf("line %d is in no incident", n)
				}
			}
			for _, n := range c.wantRejected {
				if lines[n] != 0 {
					t.Errorf("line %d is in an incident", n)
				}
			}
		})
	}
}

// ofRules counts incidents by rule: all, or those that were paged.
func ofRules(all []incidentLine, paged bool) string {
	count := map[string]int{}
	for _, in := range all {
		if !paged || len(in.Pages) > 0 {
			count[in.Rule]++
		}
	}
	var out []string
	for _, rule := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s:%d", rule, count[rule]))
	}
	return strings.Join(out, " ")
}

// memberLines returns the incident of each line of a file, counted from 1.
func memberLines(t *testing.T, all []incidentLine, file string) map[int]int {
	t.Helper()
	lines := map[int]int{}
	for i, in := range all {
		for _, r := range in.Lines[file] {
			for n := r[0]; n <= r[1]; n++ {
				if lines[n] != 0 {
					t.Fatalf("line %d is in two incidents", n)
				}
				lines[n] = i + 1
			}
		}
	}
	return lines
}

// TestRealStorms holds the examples to what they are for: all lines archived, the true incidents
// found, few pages. The bounds leave room; the configurations are for storms that they never saw,
// so none is meant to fit one of these to the last percent.
func TestRealStorms(t *testing.T) {
	for _, c := range []struct {
		name, example, alerts string
		truth, label          string // file and column of the true incidents
		events                uint64
		faults                int
		purity, ari           float64 // at least
		fragments             float64 // incidents of each true one, at most
		pages                 uint64  // at most
	}{
		{"wheeler", "ait-ads", "ait-ads/wheeler_alerts.csv.gz", "", "event_label",
			616_161, 7, 0.995, 0.85, 18, 50},
		{"santos", "ait-ads", "ait-ads/santos_alerts.csv.gz", "", "event_label",
			130_779, 9, 0.995, 0.95, 18, 36},
		{"shaw", "ait-ads", "ait-ads/shaw_alerts.csv.gz", "", "event_label",
			70_782, 8, 0.99, 0.9, 18, 36},
		{"MicroSS", "faults", "fault-alerts/MicroSS/alerts.jsonl.gz", "alerts_truth.csv.gz",
			"fault_id", 8_302, 147, 0.99, 0.9, 2, 420},
		{"Online-Boutique", "faults", "fault-alerts/Online-Boutique-cloudbed-1/alerts.jsonl.gz",
			"alerts_truth.csv.gz", "fault_id", 18_052, 70, 0.94, 0.88, 4, 220},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, first := storm(t, c.alerts), 2 // below the header
			truth := file
			if c.truth != "" {
				truth, first = filepath.Join(filepath.Dir(file), c.truth), 1
			}
			o := options(t, example(t, c.example), file)
			sum, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if sum.Events != c.events || sum.Archived != c.events || sum.Rejected != 0 {
				t.Errorf("%d events, %d archived, %d rejected", sum.Events, sum.Archived, sum.Rejected)
			}
			all := readIncidents(t, o.Incidents)
			q := quality(t, memberLines(t, all, filepath.Base(file)), labels(t, truth, c.label), first)
			t.Logf("%d pages, %d alerts, %s: %+v", sum.Pages, sum.Alerts, ofRules(all, true), q)
			if q.Faults != c.faults || q.Missed != 0 || q.Unassigned != 0 {
				t.Errorf("%d of %d missed, %d events in no incident", q.Missed, q.Faults, q.Unassigned)
			}
			if q.Purity < c.purity || q.ARI < c.ari || q.IncidentsPerFault > c.fragments {
				t.Errorf("purity %.4f, adjusted Rand index %.4f, fragmentation %.1f", q.Purity, q.ARI,
					q.IncidentsPerFault)
			}
			if sum.Pages == 0 || sum.Pages > c.pages {
				t.Errorf("%d pages, want at most %d", sum.Pages, c.pages)
			}
			if sum.Incidents <= 1 || sum.Incidents >= sum.Alerts {
				t.Errorf("%d incidents of %d alerts", sum.Incidents, sum.Alerts)
			}
		})
	}
}

// labels returns the column of a CSV file, gzipped, that says which true incident each line is of.
func labels(t *testing.T, path, column string) (out []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(header, column)
	for {
		row, err := r.Read()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Clone(row[at]))
	}
}

// quality scores incidents by line against the true incidents; the first label is that of the line
// with the number first. The label - is background.
func quality(t *testing.T, incidents map[int]int, truth []string, first int) workload.Quality {
	t.Helper()
	fault := map[string]int32{"-": workload.Noise}
	rows := map[workload.Row]int64{}
	for i, label := range truth {
		if _, ok := fault[label]; !ok {
			fault[label] = int32(len(fault)) // 1 is the first, as background is there already
		}
		row := workload.Row{Fault: fault[label]}
		if n := incidents[i+first]; n != 0 {
			row.Incident = fmt.Sprint(n)
		}
		rows[row]++
	}
	q, err := workload.Score(len(fault)-1, func(yield func(workload.Row) bool) {
		for row, n := range rows {
			row.Events = n
			if !yield(row) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestRealWazuh: the steps of the one recorded attack are incidents of their own, in their order.
func TestRealWazuh(t *testing.T) {
	file := storm(t, "ait-ldsv1-wazuh-raw/ossec_spiral.json")
	o := options(t, example(t, "wazuh"), file)
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Events != 865 || sum.Archived != 865 || sum.Rejected != 0 {
		t.Errorf("%d events, %d archived, %d rejected", sum.Events, sum.Archived, sum.Rejected)
	}
	all := readIncidents(t, o.Incidents)
	if len(all) < 3 || uint64(len(all)) >= sum.Alerts/2 || sum.Pages > 12 {
		t.Errorf("%d incidents of %d alerts, %d pages", len(all), sum.Alerts, sum.Pages)
	}
	if got := len(memberLines(t, all, filepath.Base(file))); got != 865 {
		t.Errorf("%d lines are in incidents", got)
	}
	largest := slices.MaxFunc(all, func(a, b incidentLine) int { return events(a) - events(b) })
	if n := events(largest); n < 800 || n > 850 || len(largest.Pages) == 0 {
		t.Errorf("the guessing of passwords has %d events and %d pages", n, len(largest.Pages))
	}
}

func events(in incidentLine) (n int) {
	for _, a := range in.Alerts {
		n += a.Events
	}
	return n
}
