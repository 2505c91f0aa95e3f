package bench

import (
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quell/bench/workload"
)

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		name   string
		values []float64
		p      int
		want   float64
	}{
		{"of nothing", nil, 50, 0},
		{"of one", []float64{7}, 99, 7},
		{"the median of a hundred", hundred, 50, 50},
		{"the 99th of a hundred", hundred, 99, 99},
		{"the largest", hundred, 100, 100},
		{"the 99th of two", []float64{2, 1}, 99, 2},
		{"the median of two is the lower", []float64{2, 1}, 50, 1},
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("the values were sorted in place")
	}
}

func TestMeterRow(t *testing.T) {
	m := &meter{broker: 1, first: usage{at: time.Unix(10, 0), cpu: time.Second, broker: time.Second, machine: time.Minute, objects: 100, bytes: 1000}}
	r := m.row("x", usage{at: time.Unix(12, 0), cpu: 3 * time.Second, broker: 1500 * time.Millisecond,
		machine: time.Minute + 7*time.Second/2, objects: 600, bytes: 5000}, 1_000_000)
	if r.EventsPerSecond != 500_000 || r.CPU != 2 || *r.BrokerCPU != 0.5 || r.EngineCPU != nil ||
		r.Allocs != 0.0005 || r.Bytes != 0.004 || r.Seconds != 2 || r.Others != 0.5 {
		t.Errorf("%+v", r)
	}
}

func TestProcess(t *testing.T) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); n++ {
		if after, err := processorTime(os.Getpid()); err != nil || after > before {
			break
		}
	}
	after, err := processorTime(os.Getpid())
	if err != nil || after <= before || after > time.Hour {
		t.Errorf("%d looks took from %v to %v of processor time (%v)", n, before, after, err)
	}
	if mib := residentPeak(); mib < 1 || mib > 10_000 {
		t.Errorf("a resident peak of %v MiB", mib)
	}
	if m := machine(); m.Cores < 1 || m.MemoryMiB < 100 || m.Processor == "" {
		t.Errorf("%+v", m)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if pid := listener(l.Addr().String()); pid != os.Getpid() {
		t.Errorf("process %d listens on our port, not %d", pid, os.Getpid())
	}
	if pid := listener("192.0.2.1:9092"); pid != 0 {
		t.Errorf("process %d listens on another machine's address", pid)
	}
}

// Every workload's configuration is one that quell accepts, and has the rules that were asked for.
func TestConfigurations(t *testing.T) {
	for _, k := range workload.LoadKinds() {
		t.Run(k.Name, func(t *testing.T) {
			o := Options{Workload: k.Name, Rules: 300, Partitions: 3}
			s := setting{prefix: "p", raw: "r", database: "d", update: "10ms", o: &o}
			c, err := parse(s.yaml(), "127.0.0.1:1", "http://127.0.0.1:2")
			if err != nil {
				t.Fatal(err)
			}
			if n := len(c.Rules); n < 301 || c.Topics.Raw[0].Partitions != 3 || c.Topics.Pages != "p.pages" {
				t.Errorf("%d rules, topics %+v", n, c.Topics)
			}
		})
	}
}

func TestProbeOf(t *testing.T) {
	for _, c := range []struct {
		name, page string
		want       int
		ok         bool
	}{
		{"a probe's", `{"summary":"a probe","group":[{"name":"entity","value":"probe-17"}]}`, 17, true},
		{"another's", `{"group":[{"name":"service","value":"service-001"},{"name":"cluster","value":"c"}]}`, 0, false},
		{"one that only mentions it", `{"summary":"probe-1","group":[{"name":"service","value":"x"}]}`, 0, false},
		{"no JSON", `probe-1`, 0, false},
	} {
		if n, ok := probeOf([]byte(c.page)); n != c.want || ok != c.ok {
			t.Errorf("%s: %d %v", c.name, n, ok)
		}
	}
}

// made is a report of a whole run with given costs.
func made(size float64, alerts int64, cpu, broker, engine, resident, disk float64) *Report {
	return &Report{EventBytes: size, Fingerprints: alerts, ResidentMiB: resident, Kafka: "4.3",
		Disk: Disk{Archive: disk},
		Rows: []Row{{Name: rowBare, EventsPerSecond: 2e6}, {Name: rowIntake, CPU: cpu / 2, EventsPerSecond: 800_000},
			{Name: rowCorrelate, CPU: 2}, {Name: rowArchive, CPU: 0.4},
			{Name: rowWhole, CPU: cpu, BrokerCPU: &broker, EngineCPU: &engine, EventsPerSecond: 300_000}}}
}

func TestModel(t *testing.T) {
	storm := made(400, 100_000, 4, 2, 3, 400, 40)
	huge := made(10_400, 6_000, 24, 7, 3, 500, 1040)
	distinct := made(400, 400_000, 5, 2, 3, 700, 40)
	brokers, engines := 0.3, 0.2
	storm.Live = Live{Achieved: 100_000, Cores: 0.6, Broker: &brokers, Engine: &engines}
	m, err := NewModel(storm, huge, distinct)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*max(1, want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("quell's byte", m.Quell.Byte, 0.002)     // 20 us for 10,000 bytes
	near("quell's event", m.Quell.Event, 3.2)     // 4 - 400 * 0.002
	near("quell's fixed", m.Quell.Fixed, 0.2)     // 0.6 - 100,000 * 4 us
	near("the engine's fixed", m.Engine.Fixed, 0) // it used less than the drain says: no negative cores
	near("an alert", m.MemoryPerAlert, 300*1<<20/300_000.)
	near("memory", m.MemoryMiB, 300)
	n := m.Need(100_000, 400, 1_000_000)
	near("the cores that it came from", n.Quell, 0.6)
	near("a million alerts", n.MemoryMiB, 1300)
	near("a day's disk", n.DiskPerDay, 86_400*100_000*40)
	near("the disk of half an event", m.disk(200), 20)
	near("the disk between what was measured", m.disk(5400), 540)
	if n.Partitions != 1 { // 0.2 cores of intake
		t.Errorf("%d partitions", n.Partitions)
	}
	if n := m.Need(500_000, 400, 0); n.Partitions != 4 {
		t.Errorf("one core of intake at a quarter each: %d partitions", n.Partitions)
	}
	if _, err := NewModel(storm, storm, distinct); err == nil {
		t.Error("one size of events made a line")
	}
}

func TestRendering(t *testing.T) {
	storm := made(400, 100_000, 4, 2, 3, 400, 40)
	storm.PageLatency = Latency{P50: 50, P99: 400}
	storm.Peers = []Peer{{Name: "bento", Version: "1", CPU: 16, Over: 8}, {Name: "sec", Absent: "not on PATH"}}
	huge, distinct := made(10_400, 6_000, 24, 7, 3, 500, 1040), made(400, 400_000, 5, 2, 3, 700, 40)
	rs := &Results{Embedded: storm, Kafka: storm, Apart: distinct, Distinct: distinct, Huge: huge, Check: storm}
	targets := rs.Targets()
	for _, want := range []string{"| page latency p50, ms | <= 60 | 50 | 50 |",
		"| page latency p99, ms | <= 250 | 400 (missed) | 400 (missed) |",
		"| Bento's CPU an event over intake's | >= 8 | 8.0 | 8.0 |",
		"| SEC's CPU an event over intake's | >= 3.5 | not measured | not measured |",
		"| intake, events/s | >= 1,000,000 | 800,000 (missed) | 800,000 (missed) |"} {
		if !strings.Contains(targets, want) {
			t.Errorf("no %q in\n%s", want, targets)
		}
	}
	if page := rs.Markdown(); !strings.Contains(page, "| sec |") || !strings.Contains(page, "not on PATH") {
		t.Errorf("an absent peer is not named:\n%s", page)
	}
	if text, err := rs.Capacity(); err != nil || strings.Count(text, "\n| ") != 5 {
		t.Errorf("%v\n%s", err, text)
	}
}

// What peers that read text get is the same storm.
func TestWriteLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	if err := writeLines(path, workload.LoadOptions{Events: 100}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 100 || !strings.Contains(lines[0], " service-000 service-000-7d9f8b6c5-000000 http_5xx_rate ") {
		t.Errorf("%d lines, the first is %s", len(lines), lines[0])
	}
}

func TestRunPartRefusesOthers(t *testing.T) {
	if err := RunPart(t.Context(), strings.NewReader("hello"), os.Stdout, nil, func() {}); err == nil ||
		!strings.Contains(err.Error(), "quell bench") {
		t.Errorf("somebody who calls the hidden command is told %v", err)
	}
}
