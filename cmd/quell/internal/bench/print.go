package bench

import (
	"fmt"
	"io"
	"strconv"

	"quell/cmd/quell/internal/table"
)

var header = []string{"stage", "events", "events/s", "us CPU/event", "allocs/event", "B/event", "broker us", "engine us", "others' cores"}

// cells are a row's cells under header.
func (r *Row) cells() []string {
	return []string{r.Name, grouped(float64(r.Events)), grouped(r.EventsPerSecond), fmt.Sprintf("%.2f", r.CPU),
		fmt.Sprintf("%.3f", r.Allocs), fmt.Sprintf("%.0f", r.Bytes), known(r.BrokerCPU), known(r.EngineCPU),
		fmt.Sprintf("%.1f", r.Others)}
}

func known(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", *v)
}

// grouped writes a whole number with a comma every three digits.
func grouped(v float64) string {
	s := strconv.FormatInt(int64(v+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	broker := "Kafka " + r.Kafka
	if r.Kafka == "embedded" {
		broker = "the embedded broker"
	}
	fmt.Fprintf(w, "%s on %s: %s events of %.0f bytes, %s alerts, %d partitions, %d rules%s\n\n", r.Workload, broker,
		grouped(float64(r.Events)), r.EventBytes, grouped(float64(r.Fingerprints)), r.Partitions, r.Rules,
		map[bool]string{false: ", NO CHECKPOINTS"}[r.Checkpoints])
	right := []bool{false, true, true, true, true, true, true, true, true}
	t := table.New(w, header, right, 0)
	for i := range r.Rows {
		if err := t.Row(r.Rows[i].cells()); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nintake reaches %.0f %% of the bare consumer (%d client(s)); an event of correlate is an alert record\n",
		100*r.IntakeOverBare, r.Row(rowBare).Clients)
	l := &r.Live
	fmt.Fprintf(w, "raw append -> page visible: p50 %.0f ms, p99 %.0f ms, max %.0f ms (%d probes, %d without a page)\n",
		r.PageLatency.P50, r.PageLatency.P99, r.PageLatency.Max, l.Probes, l.Unpaged)
	fmt.Fprintf(w, "  at %s events/s; offered %s, wanted %s; the generator was %.0f ms late (p99)\n",
		grouped(l.Achieved), grouped(l.Offered), grouped(l.Wanted), l.Late)
	fmt.Fprintf(w, "  cores used then: quell %.2f, broker %s, engine %s\n", l.Cores, orUnknown(l.Broker), orUnknown(l.Engine))
	fmt.Fprintf(w, "resident, all roles: %.0f MiB; in ClickHouse: %.1f bytes/event\n", r.ResidentMiB, r.Disk.Archive)
	for i := range r.Peers {
		fmt.Fprintln(w, r.Peers[i].line())
	}
	fmt.Fprintf(w, "\nleft out:\n")
	for _, s := range r.LeftOut {
		fmt.Fprintf(w, "  %s\n", s)
	}
	return nil
}

func orUnknown(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return known(v)
}

func (p *Peer) line() string {
	if p.Absent != "" {
		return fmt.Sprintf("%s: absent, %s", p.Name, p.Absent)
	}
	return fmt.Sprintf("%s %s (%s): %s events/s, %.2f us CPU/event, %.1f times intake's", p.Name, p.Version, p.What,
		grouped(p.EventsPerSecond), p.CPU, p.Over)
}
