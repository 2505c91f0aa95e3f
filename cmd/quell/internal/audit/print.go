package audit

import (
	"fmt"
	"io"
	"strconv"

	"quell/cmd/quell/internal/table"
)

// Print writes the report for people: a line per raw partition, one for revisions and one for
// pages, what is wrong, and the verdict as the last line.
func (r *Report) Print(w io.Writer) error {
	if err := r.printRaw(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := r.printLedgers(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	listed := int64(0)
	for i := range r.Wrong {
		listed += r.Wrong[i].size()
		fmt.Fprintln(w, "WRONG", r.Wrong[i].String())
	}
	if listed < r.WrongTotal {
		fmt.Fprintf(w, "... and %d more; --limit lists more of each kind\n", r.WrongTotal-listed)
	}
	_, err := fmt.Fprintln(w, r.verdict())
	return err
}

// size is how many positions an entry stands for.
func (w *Wrong) size() int64 {
	if w.First != nil {
		return *w.Last - *w.First + 1
	}
	return 1
}

func (r *Report) printRaw(w io.Writer) error {
	t := table.New(w, []string{"raw partition", "from", "to", "records", "events", "rejected", "absent",
		"expired", "aged", "pending", "unknown", "missing", "doubled", "passed", "disposed"},
		[]bool{false, true, true, true, true, true, true, true, true, true, true, true, true, true, true}, 0)
	for i := range r.Raw {
		p := &r.Raw[i]
		cells := []string{fmt.Sprintf("%s/%d", p.Topic, p.Partition)}
		for _, n := range []int64{p.Start, p.End, p.Records, p.Events, p.Rejected, p.Absent, p.Expired,
			p.Aged, p.Pending, p.Unknown, p.Missing, p.Doubled, p.Passed, p.Dispositions} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		if err := t.Row(cells); err != nil {
			return err
		}
	}
	return t.Close()
}

func (r *Report) printLedgers(w io.Writer) error {
	t := table.New(w, []string{"", "records", "rows", "expired", "compacted", "aged", "pending"},
		[]bool{false, true, true, true, true, true, true}, 0)
	for _, l := range []struct {
		name string
		*Ledger
	}{{"revisions", &r.Revisions}, {"pages", &r.Pages}} {
		cells := []string{l.name}
		for _, n := range []int64{l.Records, l.Rows, l.Expired, l.Compacted, l.Aged, l.Pending} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		if err := t.Row(cells); err != nil {
			return err
		}
	}
	return t.Close()
}

// verdict is the last line.
func (r *Report) verdict() string {
	var records, rows, pending, unknown int64
	for i := range r.Raw {
		p := &r.Raw[i]
		records += p.Records
		rows += p.Events + p.Rejected
		pending += p.Pending + p.Undisposed
		unknown += p.Unknown
	}
	pending += r.Revisions.Pending + r.Pages.Pending
	out := fmt.Sprintf("audit ok: %d records, %d rows, %d incidents, %d revisions, %d pages in %.1f s",
		records, rows, r.Incidents, r.Revisions.Rows, r.Pages.Rows, r.Seconds)
	if !r.OK {
		out = fmt.Sprintf("audit FAILED: %d wrong in %d records, %d rows, %d incidents, %d revisions, "+
			"%d pages in %.1f s", r.WrongTotal, records, rows, r.Incidents, r.Revisions.Rows, r.Pages.Rows,
			r.Seconds)
	}
	if pending > 0 {
		out += fmt.Sprintf("; %d pending: on the way to the archive", pending)
	}
	if unknown > 0 {
		out += fmt.Sprintf("; %d offsets below the log can't be judged any more", unknown)
	}
	return out
}
