package try

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"

	"quell/correlate"
	"quell/sinks/clickhouse"
)

// millis is a time in milliseconds since the epoch, UTC; null when it never was.
type millis correlate.Time

func (m millis) MarshalJSON() ([]byte, error) {
	if m == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int64(m))
}

// incident is one line of the incidents file.
type incident struct {
	ID           string                `json:"id"`
	Scope        string                `json:"scope"`
	Rule         string                `json:"rule"`
	Group        map[string]string     `json:"group"`
	Severity     string                `json:"severity"`
	State        string                `json:"state"`
	FirstEvent   millis                `json:"first_event"`
	Opened       millis                `json:"opened"`
	Paged        millis                `json:"paged"`
	Acknowledged millis                `json:"acknowledged"`
	Resolved     millis                `json:"resolved"`
	Revisions    []revision            `json:"revisions"`
	Pages        []page                `json:"pages"`
	Alerts       []alert               `json:"alerts"`
	Lines        map[string][][2]int32 `json:"lines"`
}

type revision struct {
	Revision uint32 `json:"revision"`
	At       millis `json:"at"`
	State    string `json:"state"`
	Severity string `json:"severity"`
}

type page struct {
	At       millis `json:"at"`
	Reason   string `json:"reason"`
	Revision uint32 `json:"revision"`
	Severity string `json:"severity"`
}

type alert struct {
	Fingerprint string `json:"fingerprint"`
	Service     string `json:"service"`
	Entity      string `json:"entity"`
	Check       string `json:"check"`
	First       millis `json:"first"`
	Last        millis `json:"last"`
	Events      uint64 `json:"events"`
	Late        uint64 `json:"late"`
}

// export writes one line of JSON per incident, in the order of (opened, id). Maps are written in
// the order of their keys, so the bytes depend on the incidents alone.
func (t *trial) export(ctx context.Context) (err error) {
	all, err := t.archive.Incidents(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(t.o.Incidents)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for in := range all {
		if err := e.Encode(t.line(in)); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (t *trial) line(in *clickhouse.ExportedIncident) *incident {
	out := &incident{ID: in.ID, Scope: in.Scope, Rule: in.Rule, Group: map[string]string{},
		Severity: in.Severity, State: in.State, FirstEvent: millis(in.FirstEvent),
		Opened: millis(in.Opened), Paged: millis(in.Paged), Acknowledged: millis(in.Acknowledged),
		Resolved: millis(in.Resolved), Revisions: []revision{}, Pages: []page{}, Alerts: []alert{},
		Lines: t.linesOf(in.Positions)}
	for _, l := range in.Group {
		out.Group[l.Name] = l.Value
	}
	for _, r := range in.Revisions {
		out.Revisions = append(out.Revisions, revision{r.Revision, millis(r.At), r.State, r.Severity})
	}
	for _, p := range in.Pages {
		out.Pages = append(out.Pages, page{millis(p.At), p.Reason, p.Revision, p.Severity})
	}
	for _, a := range in.Alerts {
		out.Alerts = append(out.Alerts, alert{a.Fingerprint.String(), a.Service, a.Entity, a.Check,
			millis(a.First), millis(a.Last), a.Events, a.Late})
	}
	return out
}

// linesOf turns positions into ranges of line numbers by file.
func (t *trial) linesOf(positions map[correlate.RawPartition][]int64) map[string][][2]int32 {
	numbers := make([][]int32, len(t.plan.Files))
	for p, offsets := range positions {
		for _, o := range offsets {
			it := &t.plan.Items[t.lines[p.Partition][o]]
			numbers[it.File] = append(numbers[it.File], it.Number)
		}
	}
	out := map[string][][2]int32{}
	for f, list := range numbers {
		slices.Sort(list)
		var ranges [][2]int32
		for _, n := range list {
			if last := len(ranges) - 1; last >= 0 && ranges[last][1]+1 == n {
				ranges[last][1] = n
			} else {
				ranges = append(ranges, [2]int32{n, n})
			}
		}
		if ranges != nil {
			out[t.plan.Files[f]] = ranges
		}
	}
	return out
}
