package try

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/servers"
)

const root = "../../../.."

func options(t *testing.T, cfg string, files ...string) Options {
	t.Helper()
	c, problems, err := config.Load(cfg, config.Overrides{})
	if err != nil || c == nil {
		t.Fatal(err, problems)
	}
	return Options{Config: c, Files: files, Progress: func(string, int64, int64) {},
		Incidents: filepath.Join(t.TempDir(), "incidents.jsonl"),
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A day of a small shop: a fault that resolves, a rejected line, a duplicate file order.
func shop(t *testing.T) string {
	var b strings.Builder
	day := time.Date(2022, 1, 26, 8, 0, 0, 0, time.UTC)
	line := func(after time.Duration, service, entity, severity, status string) {
		fmt.Fprintf(&b, `{"time":%q,"service":%q,"entity":%q,"check":"http","severity":%q,"status":%q}`+"\n",
			day.Add(after).Format(time.RFC3339), service, entity, severity, status)
	}
	for i := range 30 {
		line(time.Duration(i)*time.Second, "shop", fmt.Sprint("pod-", i%3), "critical", "firing")
	}
	b.WriteString("no json\n")
	for i := range 3 {
		line(5*time.Minute, "shop", fmt.Sprint("pod-", i), "critical", "resolved")
	}
	line(-time.Hour, "blog", "pod-9", "error", "firing") // out of order: taken first
	return write(t, "day.jsonl", b.String())
}

func readIncidents(t *testing.T, path string) (out []incidentLine) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var in incidentLine
		if err := json.Unmarshal([]byte(l), &in); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		out = append(out, in)
	}
	return out
}

type incidentLine struct {
	ID                                    string
	Rule, Severity, State                 string
	FirstEvent                            int64 `json:"first_event"`
	Opened, Paged, Resolved, Acknowledged *int64
	Pages                                 []struct {
		At     int64
		Reason string
	}
	Alerts []struct{ Events int }
	Lines  map[string][][2]int
}

func TestRealShop(t *testing.T) {
	o := options(t, write(t, "quell.yaml", "rules: [{name: default, group_by: [service]}]\n"), shop(t))
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Events != 35 || sum.Archived != 34 || sum.Rejected != 1 || sum.Incidents != 2 || sum.Pages != 4 {
		t.Errorf("summary %+v", sum.Funnel)
	}
	got := readIncidents(t, o.Incidents)
	if len(got) != 2 {
		t.Fatalf("%d incidents", len(got))
	}
	start := time.Date(2022, 1, 26, 8, 0, 0, 0, time.UTC).UnixMilli()
	in := got[1]
	if in.FirstEvent != start || *in.Opened != start || *in.Paged != start+30_000 || *in.Resolved != start+300_000 {
		t.Errorf("times %+v", in)
	}
	if in.Acknowledged != nil || in.State != "resolved" || in.Severity != "critical" {
		t.Errorf("state %+v", in)
	}
	if want := [][2]int{{1, 30}, {32, 34}}; fmt.Sprint(in.Lines["day.jsonl"]) != fmt.Sprint(want) {
		t.Errorf("lines %v, want %v", in.Lines, want)
	}
	if in.Pages[0].Reason != "first" || in.Pages[1].Reason != "all_resolved" || in.Pages[1].At != start+330_000 {
		t.Errorf("pages %+v", in.Pages)
	}
	if fmt.Sprint(got[0].Lines["day.jsonl"]) != "[[35 35]]" {
		t.Errorf("lines of the earlier one %v", got[0].Lines)
	}
}

// There is no shorter way than through Kafka: every stage's topic holds what the archive shows.
func TestRealWholeWay(t *testing.T) {
	o := options(t, write(t, "quell.yaml", "rules: [{name: default, group_by: [service]}]\n"), shop(t))
	tr, err := prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.cleanUp()
	set, err := servers.Start(t.Context(), servers.Want{Kafka: true, ClickHouse: true, Fresh: true,
		DataDir: tr.dir, Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = set.Stop() }()
	if err := tr.open(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	if err := tr.produce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := records(t, tr, o.Config.Topics.Alerts); n != 0 {
		t.Fatalf("%d alerts before the service ran", n)
	}
	if _, err := tr.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := tr.archive.Funnel(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	topics := &o.Config.Topics
	if n := records(t, tr, topics.Raw[0].Name); n != int64(f.Events) {
		t.Errorf("%d raw records, %d archived or rejected", n, f.Events)
	}
	// Transactions add a control record each, watermarks and positions come on top: at least.
	for topic, least := range map[string]uint64{topics.Alerts: f.AlertRecords, topics.Pages: f.Pages,
		topics.Incidents: f.Incidents, topics.Rejected: f.Rejected, topics.Archive: 1, topics.Dispositions: 1} {
		if n := records(t, tr, topic); n < int64(least) {
			t.Errorf("%s holds %d records, the archive shows at least %d", topic, n, least)
		}
	}
}

func records(t *testing.T, tr *trial, topic string) (n int64) {
	t.Helper()
	ends, err := tr.adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ends[topic] {
		n += o.Offset
	}
	return n
}

// The real alerts of one scenario: everything is archived, twice gives the same bytes, and the
// number of partitions changes nothing but ids.
func TestRealAlerts(t *testing.T) {
	file := filepath.Join(root, "../shared/data/storms/ait-ads/russellmitchell_alerts.csv.gz")
	if _, err := os.Stat(file); err != nil {
		t.Skip("real alerts are missing:", err)
	}
	var want, wantStory string
	for _, partitions := range []int32{2, 2, 1, 7} {
		o := options(t, filepath.Join(root, "deploy/examples/ait-ads/quell.yaml"), file)
		o.Partitions = partitions
		sum, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if sum.Events != 45544 || sum.Events != sum.Archived+sum.Rejected {
			t.Errorf("%d events, %d archived, %d rejected", sum.Events, sum.Archived, sum.Rejected)
		}
		b, err := os.ReadFile(o.Incidents)
		if err != nil {
			t.Fatal(err)
		}
		story := withoutIDs(t, readIncidents(t, o.Incidents))
		if want == "" {
			want, wantStory = string(b), story
			t.Logf("%d incidents, %d pages, compression %.4f", sum.Incidents, sum.Pages, sum.Compression)
		}
		if partitions == 2 && string(b) != want {
			t.Error("the second run gave other bytes")
		}
		if story != wantStory {
			t.Errorf("%d partitions gave other incidents", partitions)
		}
	}
}

// withoutIDs tells everything about the incidents but their ids, which contain raw positions.
func withoutIDs(t *testing.T, all []incidentLine) string {
	t.Helper()
	lines := map[string]int{}
	var b strings.Builder
	for _, in := range all {
		in.ID = ""
		line, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		lines[string(line)]++
	}
	b.WriteString(fmt.Sprint(lines))
	return b.String()
}
