package bench

import (
	"fmt"
	"strings"
)

// Results are the reports that bench/RESULTS.md and the README tell, as `make bench` writes them.
type Results struct {
	Embedded *Report // storm on the embedded broker, with peers
	Kafka    *Report // storm on Apache Kafka
	Apart    *Report // distinct on the embedded broker
	Distinct *Report // on Apache Kafka, as those that follow
	Huge     *Report
	Check    *Report // storm offered at another rate: the model's test
}

// target is one of the figures that quell is built for.
type target struct {
	what, bound string
	of          func(*Report) (float64, bool)
	most        bool // the bound is the most; otherwise the least
	limit       float64
	form        string
}

func perCore(name string) func(*Report) (float64, bool) {
	return func(r *Report) (float64, bool) { return 1e6 / r.Row(name).CPU, true }
}

func over(peer string) func(*Report) (float64, bool) {
	return func(r *Report) (float64, bool) {
		for _, p := range r.Peers {
			if p.Name == peer && p.Absent == "" {
				return p.Over, true
			}
		}
		return 0, false
	}
}

// stormTargets are those that a storm is measured for.
func stormTargets() []target {
	known := func(f func(*Report) float64) func(*Report) (float64, bool) {
		return func(r *Report) (float64, bool) { return f(r), true }
	}
	return []target{
		{what: "intake, events/s per core of CPU time", bound: ">= 700,000", of: perCore(rowIntake), limit: 700_000},
		{what: "intake, events/s", bound: ">= 1,000,000", limit: 1e6,
			of: known(func(r *Report) float64 { return r.Row(rowIntake).EventsPerSecond })},
		{what: "intake over bare consumer", bound: ">= 0.35", limit: 0.35, form: "%.2f",
			of: known(func(r *Report) float64 { return r.IntakeOverBare })},
		{what: "intake, allocations an event", bound: "< 0.02", limit: 0.02, most: true, form: "%.3f",
			of: known(func(r *Report) float64 { return r.Row(rowIntake).Allocs })},
		{what: "Bento's CPU an event over intake's", bound: ">= 8", limit: 8, form: "%.1f", of: over("bento")},
		{what: "SEC's CPU an event over intake's", bound: ">= 3.5", limit: 3.5, form: "%.1f", of: over("sec")},
		{what: "correlate, alerts/s per core", bound: ">= 500,000", of: perCore(rowCorrelate), limit: 500_000},
		{what: "archive, us of its own CPU a row", bound: "<= 0.5", limit: 0.5, most: true, form: "%.2f",
			of: known(func(r *Report) float64 { return r.Row(rowArchive).CPU })},
		{what: "whole system draining, events/s", bound: ">= 250,000", limit: 250_000,
			of: known(func(r *Report) float64 { return r.Row(rowWhole).EventsPerSecond })},
		{what: "page latency p50, ms", bound: "<= 60", limit: 60, most: true,
			of: known(func(r *Report) float64 { return r.PageLatency.P50 })},
		{what: "page latency p99, ms", bound: "<= 250", limit: 250, most: true,
			of: known(func(r *Report) float64 { return r.PageLatency.P99 })},
	}
}

func (t *target) cell(r *Report) string {
	v, ok := t.of(r)
	if !ok {
		return "not measured"
	}
	s := grouped(v)
	if t.form != "" {
		s = fmt.Sprintf(t.form, v)
	}
	if t.most && v > t.limit || !t.most && v < t.limit {
		return s + " (missed)"
	}
	return s
}

// Targets is the table of targets, the missed ones among them.
func (rs *Results) Targets() string {
	rows := [][]string{{"measure", "target", "embedded broker", "Apache Kafka " + rs.Kafka.Kafka}}
	add := func(t target, embedded string) {
		rows = append(rows, []string{t.what, t.bound, embedded, t.cell(rs.Kafka)})
	}
	for _, t := range stormTargets() {
		add(t, t.cell(rs.Embedded))
	}
	distinct := target{what: "intake of distinct events, events/s per core", bound: ">= 300,000",
		of: perCore(rowIntake), limit: 300_000}
	rows = append(rows, []string{distinct.what, distinct.bound, distinct.cell(rs.Apart), distinct.cell(rs.Distinct)})
	return markdown(rows, 2)
}

// markdown is a table whose columns from right on are aligned to the right.
func markdown(rows [][]string, right int) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			for k := range row {
				b.WriteString(map[bool]string{false: "|---", true: "|---:"}[k >= right])
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// Markdown is bench/RESULTS.md.
func (rs *Results) Markdown() string {
	var b strings.Builder
	m, v := rs.Embedded.Machine, rs.Embedded.Versions
	fmt.Fprintf(&b, "# Results\n\nMade by `make bench`, which writes [results](results) and renders this page from it.\n\n"+
		"* machine: %s, %d cores, %s MiB, %s; other work on it takes its part\n* quell %s, %s, Apache Kafka %s\n\n",
		m.Processor, m.Cores, grouped(float64(m.MemoryMiB)), m.System, v.Quell, v.Go, rs.Kafka.Kafka)
	b.WriteString("How it is measured: `go doc ./cmd/quell/internal/bench`. Times are processor time an event, in\n" +
		"microseconds; ratios within one run travel from machine to machine, the rest does not.\n\n" +
		"## Against the targets\n\n" + rs.Targets())
	for _, r := range []*Report{rs.Embedded, rs.Kafka, rs.Apart, rs.Distinct, rs.Huge, rs.Check} {
		b.WriteString(r.markdown())
	}
	b.WriteString("\n## Left out\n\n")
	for _, s := range rs.Embedded.LeftOut {
		b.WriteString("* " + s + "\n")
	}
	return b.String()
}

// markdown is one report's section.
func (r *Report) markdown() string {
	var b strings.Builder
	broker := "Apache Kafka " + r.Kafka
	if r.Kafka == "embedded" {
		broker = "the embedded broker"
	}
	fmt.Fprintf(&b, "\n## %s on %s\n\n`%s`: %s events of %.0f bytes, %s alerts, %d partitions, %d rules.\n\n", r.Workload,
		broker, r.Command, grouped(float64(r.Events)), r.EventBytes, grouped(float64(r.Fingerprints)), r.Partitions, r.Rules)
	rows := [][]string{append(append([]string{}, header...), "resident MiB")}
	for i := range r.Rows {
		rows = append(rows, append(r.Rows[i].cells(), grouped(r.Rows[i].ResidentMiB)))
	}
	b.WriteString(markdown(rows, 1))
	l := &r.Live
	fmt.Fprintf(&b, "\nIntake reaches %.0f %% of the bare consumer. Raw append to page visible, at %s events/s (offered %s, "+
		"wanted %s):\np50 %.0f ms, p99 %.0f ms, max %.0f ms of %d probes, %d without a page; the generator was %.0f ms late (p99).\n"+
		"Cores used then: quell %.2f, broker %s, engine %s. In ClickHouse an event takes %.1f bytes.\n",
		100*r.IntakeOverBare, grouped(l.Achieved), grouped(l.Offered), grouped(l.Wanted), r.PageLatency.P50,
		r.PageLatency.P99, r.PageLatency.Max, l.Probes, l.Unpaged, l.Late, l.Cores, orUnknown(l.Broker),
		orUnknown(l.Engine), r.Disk.Archive)
	if len(r.Peers) > 0 {
		b.WriteString("\n" + r.peerTable())
	}
	return b.String()
}

func (r *Report) peerTable() string {
	rows := [][]string{{"peer", "what it does", "events/s", "us CPU/event", "over intake's"}}
	for i := range r.Peers {
		p := &r.Peers[i]
		if p.Absent != "" {
			rows = append(rows, []string{p.Name, p.What, p.Absent, "", ""})
			continue
		}
		rows = append(rows, []string{p.Name + " " + p.Version, p.What, grouped(p.EventsPerSecond),
			fmt.Sprintf("%.2f", p.CPU), fmt.Sprintf("%.1f", p.Over)})
	}
	return markdown(rows, 2)
}

// Capacity is the README's table of what loads need, and the model's test.
func (rs *Results) Capacity() (string, error) {
	m, err := NewModel(rs.Kafka, rs.Huge, rs.Distinct)
	if err != nil {
		return "", err
	}
	rows := [][]string{{"events/s", "bytes", "alerts known", "quell cores", "Kafka cores", "ClickHouse cores",
		"quell memory", "raw partitions", "ClickHouse a day"}}
	for _, load := range [][3]float64{{1000, 400, 20_000}, {10_000, 400, 100_000}, {100_000, 400, 500_000},
		{10_000, 4000, 100_000}, {500_000, 400, 1_000_000}} {
		n := m.Need(load[0], load[1], load[2])
		rows = append(rows, []string{grouped(load[0]), grouped(load[1]), grouped(load[2]),
			fmt.Sprintf("%.2f", n.Quell), fmt.Sprintf("%.2f", n.Broker), fmt.Sprintf("%.2f", n.Engine),
			grouped(n.MemoryMiB) + " MiB", fmt.Sprint(n.Partitions), fmt.Sprintf("%.1f GB", n.DiskPerDay/1e9)})
	}
	l := &rs.Check.Live
	n := m.Need(l.Achieved, rs.Check.EventBytes, 0)
	return markdown(rows, 0) + fmt.Sprintf("\nChecked by `%s`, whose figures the model has not seen: at %s events/s it says "+
		"%.2f, %.2f and %.2f cores of quell, Kafka and ClickHouse, and %.2f, %s and %s were used; it says %.0f bytes "+
		"an event in ClickHouse, and it was %.0f.\n", rs.Check.Command, grouped(l.Achieved), n.Quell, n.Broker, n.Engine,
		l.Cores, orUnknown(l.Broker), orUnknown(l.Engine), m.disk(rs.Check.EventBytes),
		rs.Check.Disk.Archive), nil
}
