package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/pipeline"
	"quell/sinks/clickhouse"
)

// Options say what to audit.
type Options struct {
	Kafka   *kgo.Client
	Archive *clickhouse.Client
	Topics  pipeline.Topics
	Clock   correlate.ClockMode
	// TTLDays is how long the archive keeps rows, from the day of archiving; 0 is for ever.
	TTLDays int

	// From (included) and To (excluded) restrict by time of receipt; zero does not.
	From, To time.Time
	// Wait bounds how long the archive may take to catch up with the ends of the logs. 0 does not
	// wait: what is on its way is then shown as pending.
	Wait time.Duration
	// EveryRecord looks every position up in Kafka, not only those that have no row.
	EveryRecord bool
	// Limit bounds how many entries of each kind Report.Wrong lists; 0 is 100.
	Limit int
	// Note is told what is waited for and what is being done; nil tells nobody.
	Note func(text string)
}

// auditor is one audit.
type auditor struct {
	o     Options
	log   *logReader
	adm   *kadm.Client
	parts []part // raw partitions and those of the responses topic

	deadline time.Time // what is on its way may take until then
	settle   time.Time // and what is missing in the middle until then
	outlived time.Time // rows of records that are older may be gone by the archive's TTL
	day      string    // rows archived by then are about to go, and may have lost partners
}

// settling is how long a position without a row may take to get one when later positions have
// theirs: events and rejected records of one block are two inserts.
const settling = 5 * time.Second

// Run audits. The error says why it could not; what is wrong is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	began := time.Now()
	if o.Limit == 0 {
		o.Limit = 100
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	a := &auditor{o: o, log: newLogReader(o.Kafka), adm: kadm.NewClient(o.Kafka),
		deadline: began.Add(o.Wait)}
	a.judgeTTL(began)
	books, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.catchUp(ctx); err != nil {
		return nil, err
	}
	a.settle = time.Now().Add(min(settling, o.Wait))
	r := &Report{Raw: []Raw{}}
	all := newFindings(o.Limit)
	for i := range a.parts {
		if err := a.auditPart(ctx, &a.parts[i], r, all); err != nil {
			return nil, err
		}
	}
	if err := a.auditBooks(ctx, books, r, all); err != nil {
		return nil, err
	}
	r.finish(all, o, began)
	return r, nil
}

func (r *Report) finish(all *findings, o Options, began time.Time) {
	r.WrongKinds, r.Wrong = all.total, append([]Wrong{}, all.list...)
	for k, n := range all.total {
		if r.WrongTotal += n; n == 0 {
			delete(all.total, k)
		}
	}
	r.OK = r.WrongTotal == 0
	if !o.From.IsZero() {
		r.From = &o.From
	}
	if !o.To.IsZero() {
		r.To = &o.To
	}
	r.Seconds = time.Since(began).Seconds()
}

// judgeTTL finds what the archive's TTL may have taken. It drops whole days of archiving, and the
// rows about one event may have been archived on two days in a row.
func (a *auditor) judgeTTL(now time.Time) {
	a.day = "1970-01-01"
	if a.o.TTLDays <= 0 {
		return
	}
	today := now.UTC().Truncate(24 * time.Hour)
	oldest := today.AddDate(0, 0, 1-a.o.TTLDays)
	a.day, a.outlived = oldest.Format(time.DateOnly), oldest
}

// lateness says what a check may be made again for.
type lateness int

const (
	inTime   lateness = iota
	unsettle          // something in the middle is missing
	onItsWay          // the newest things are missing
)

// until makes a check again until it is not late any more, or nothing can be expected.
func (a *auditor) until(ctx context.Context, what string, check func() (lateness, error)) error {
	const pause = 250 * time.Millisecond
	for n := 0; ; n++ {
		late, err := check()
		limit := a.deadline
		if late == unsettle && a.settle.Before(limit) {
			limit = a.settle
		}
		if err != nil || late == inTime || time.Now().Add(pause).After(limit) {
			return err
		}
		if n == 1 {
			a.o.Note("waiting for " + what)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// catchUp waits until the newest record of every raw partition has its row: a cheap question,
// before the expensive ones.
func (a *auditor) catchUp(ctx context.Context) error {
	for i := range a.parts {
		p := &a.parts[i]
		last, err := a.lastRecord(ctx, p)
		if err != nil {
			return err
		}
		err = a.until(ctx, fmt.Sprintf("the archive: %s/%d is to be archived up to %d", p.Topic,
			p.Partition, last), func() (lateness, error) {
			top, err := a.top(ctx, p)
			if err != nil || top >= last {
				return inTime, err
			}
			return onItsWay, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lastRecord returns the offset of the newest record that is looked at, or -1.
func (a *auditor) lastRecord(ctx context.Context, p *part) (int64, error) {
	last := int64(-1)
	for to, step := p.high, int64(1000); to > p.low && last < 0; step *= 8 {
		from := max(p.low, to-step)
		err := a.log.lookup(ctx, p.RawPartition, from, to, func(s stretch) { last = s.to - 1 })
		if err != nil {
			return 0, err
		}
		to = from
	}
	return last, nil
}

// rows returns all rows of a statement.
func (a *auditor) rows(ctx context.Context, statement string) (out [][]any, err error) {
	res, err := a.o.Archive.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	for row, err := range res.All() {
		if err != nil {
			_ = res.Close()
			return nil, err
		}
		out = append(out, row)
	}
	return out, res.Close()
}

// number returns an integer of an answer, of whatever width this ClickHouse gave it.
func number(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case uint64:
		return int64(n)
	case int32:
		return int64(n)
	case uint32:
		return int64(n)
	case uint16:
		return int64(n)
	case uint8:
		return int64(n)
	}
	panic(fmt.Sprintf("audit: %T is no integer: a statement lacks a cast", v))
}
