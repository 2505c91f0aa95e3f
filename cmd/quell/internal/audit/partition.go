package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"quell/correlate"
)

// auditPart checks one raw partition, again if what it misses may be on its way.
func (a *auditor) auditPart(ctx context.Context, p *part, r *Report, all *findings) error {
	var c *partCheck
	err := a.until(ctx, fmt.Sprintf("the archive to hold all about %s/%d", p.Topic, p.Partition),
		func() (late lateness, err error) {
			c = &partCheck{a: a, p: p, wrong: newFindings(a.o.Limit)}
			return c.run(ctx)
		})
	if err != nil {
		return fmt.Errorf("audit of %s/%d: %w", p.Topic, p.Partition, err)
	}
	r.Raw = append(r.Raw, c.out)
	all.merge(c.wrong)
	return nil
}

// partCheck is one look at a raw partition. It goes through the positions in ascending order, as
// runs that have rows and gaps that have none; [gap.from, gap.to) is the gap that may still grow.
type partCheck struct {
	a     *auditor
	p     *part
	x     extent
	out   Raw
	wrong *findings
	late  lateness

	gap     span
	doubled []int64 // bases of buckets with doubled rows
	again   []int64 // bases of buckets with doubled dispositions
}

func (c *partCheck) run(ctx context.Context) (late lateness, err error) {
	c.out = Raw{Topic: c.p.Topic, Partition: c.p.Partition, Start: c.p.low, End: c.p.high}
	if c.x, err = c.a.extent(ctx, c.p); err != nil {
		return 0, err
	}
	from := min(c.x.from, c.p.low)
	c.gap = span{from, from}
	next := from // the first position of which no bucket has told
	err = c.a.buckets(ctx, c.p, from, c.p.high, func(b *bucket) error {
		if b.base > next {
			if err := c.without(ctx, span{next, b.base}); err != nil {
				return err
			}
		}
		next = min(b.base+bucketSize, c.p.high)
		return c.bucket(ctx, b, span{from, next})
	})
	if err == nil && next < c.p.high {
		err = c.without(ctx, span{next, c.p.high})
	}
	if err == nil {
		err = c.upTo(ctx, c.p.high)
	}
	if err == nil {
		err = c.details(ctx)
	}
	c.out.Records += c.out.Missing + c.out.Aged + c.out.Pending
	return c.late, err
}

// bucket takes what the archive says of a stretch, as far as it lies in bounds.
func (c *partCheck) bucket(ctx context.Context, b *bucket, bounds span) error {
	o := &c.out
	o.Events += b.rows - b.rejected
	o.Rejected += b.rejected
	o.Passed += b.passed
	o.Dispositions += b.disposed
	o.Flushes += b.flush
	if n := b.rows - b.positions; n > 0 {
		o.Doubled += n
		c.doubled = append(c.doubled, b.base)
		c.wrong.count(DoubledRow, n)
	}
	if b.doubledDisposals > 0 {
		c.again = append(c.again, b.base)
		c.wrong.count(DoubledDisposition, b.doubledDisposals)
	}
	for _, at := range b.undisposed {
		c.undisposed(at)
	}
	for _, at := range b.stray {
		if at < c.x.first && at < c.p.start {
			continue // below all that both sides still have
		}
		c.add(StrayDisposition, at, at+1, "")
	}
	for _, g := range b.gaps {
		if g.from, g.to = max(g.from, bounds.from), min(g.to, bounds.to); g.from < g.to {
			if err := c.without(ctx, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// undisposed takes a passed event without a disposition.
func (c *partCheck) undisposed(at int64) {
	if at > c.x.disposed {
		if c.late = onItsWay; c.a.o.Wait == 0 {
			c.out.Undisposed++
			return
		}
	}
	c.late = max(c.late, unsettle)
	c.add(MissingDisposition, at, at+1, "")
}

// add states that the positions [from, to) are wrong.
func (c *partCheck) add(k Kind, from, to int64, detail string) {
	c.wrong.add(c.wrongAt(k, from, to, detail), to-from)
}

func (c *partCheck) wrongAt(k Kind, from, to int64, detail string) Wrong {
	last := to - 1
	return Wrong{Kind: k, Topic: c.p.Topic, Partition: &c.p.Partition, First: &from, Last: &last,
		Detail: detail}
}

// without takes a gap; one that begins where the last ended makes that longer.
func (c *partCheck) without(ctx context.Context, g span) error {
	if g.from == c.gap.to {
		c.gap.to = g.to
		return nil
	}
	err := c.upTo(ctx, g.from)
	c.gap = g
	return err
}

// upTo judges the gap, which has stopped growing, and what has rows between it and position to.
func (c *partCheck) upTo(ctx context.Context, to int64) error {
	if err := c.judge(ctx, c.gap); err != nil {
		return err
	}
	return c.with(ctx, c.gap.to, to)
}

// judge finds what is in a gap. What lies below the log can't be known; if rows stand before and
// behind it, that is worth saying.
func (c *partCheck) judge(ctx context.Context, g span) error {
	if n := min(g.to, c.p.start) - max(g.from, c.x.first); n > 0 && c.x.last >= 0 {
		c.out.Unknown += n
	}
	g.from, g.to = max(g.from, c.p.low), min(g.to, c.p.high)
	if g.from >= g.to {
		return nil
	}
	c.out.Absent += g.to - g.from
	return c.a.log.lookup(ctx, c.p.RawPartition, g.from, g.to, func(s stretch) {
		c.out.Absent -= s.to - s.from
		c.rowless(s)
	})
}

// rowless takes records without a row. Old ones before the first row are the TTL's; under the event
// clock records are as old as their events, which says nothing about their rows.
func (c *partCheck) rowless(s stretch) {
	n := s.to - s.from
	old := c.a.o.Clock == correlate.ClockAppend && s.latest.Before(c.a.outlived)
	switch {
	case old && (c.x.last < 0 || s.to <= c.x.first):
		c.out.Aged += n
	case s.from > c.x.last && c.a.o.Wait == 0:
		c.out.Pending += n
	case s.from > c.x.last:
		c.late = onItsWay
		c.out.Missing += n
		c.add(MissingRow, s.from, s.to, "")
	default:
		c.late = max(c.late, unsettle)
		c.out.Missing += n
		c.add(MissingRow, s.from, s.to, "")
	}
}

// with takes positions [from, to) that have rows.
func (c *partCheck) with(ctx context.Context, from, to int64) error {
	if n := min(to, c.p.start) - from; n > 0 {
		c.out.Expired += n
	}
	from, to = max(from, c.p.low), min(to, c.p.high)
	if from >= to {
		return nil
	}
	c.out.Records += to - from
	if !c.a.o.EveryRecord {
		return nil
	}
	next := from
	err := c.a.log.lookup(ctx, c.p.RawPartition, from, to, func(s stretch) {
		c.unfounded(next, s.from)
		next = s.to
	})
	c.unfounded(next, to)
	return err
}

// unfounded takes positions [from, to) with rows where the log has no record.
func (c *partCheck) unfounded(from, to int64) {
	if from < to {
		c.out.Records -= to - from
		c.add(RowWithoutRecord, from, to, "")
	}
}

// details finds the exact positions of what the buckets only counted, and rows behind the log.
func (c *partCheck) details(ctx context.Context) error {
	err := c.twice(ctx, DoubledRow, c.doubled, "k <= 3", func(row []any) string {
		if c.p.responses {
			return fmt.Sprintf("%d rows in responses, %d in rejected", row[1], row[2])
		}
		return fmt.Sprintf("%d rows in events, %d in rejected", row[1], row[2])
	})
	if err == nil {
		err = c.twice(ctx, DoubledDisposition, c.again, "k = 4", func(row []any) string {
			return fmt.Sprintf("%d rows in dispositions", row[3])
		})
	}
	if err == nil {
		err = c.behind(ctx)
	}
	return err
}

// twice lists the positions of some buckets that more than one row of a kind stands at.
func (c *partCheck) twice(ctx context.Context, k Kind, bases []int64, of string,
	tell func([]any) string) error {
	if len(bases) == 0 {
		return nil
	}
	list := make([]string, 0, c.a.o.Limit)
	for _, b := range bases[:min(len(bases), c.a.o.Limit)] {
		list = append(list, strconv.FormatInt(b>>bucketBits, 10))
	}
	rows, err := c.a.rows(ctx, fmt.Sprintf("SELECT p, countIf(k <= 2), countIf(k = 3), countIf(k = 4) "+
		"FROM (%s) WHERE %s AND bitShiftRight(p, 16) IN (%s) GROUP BY p HAVING count() > 1 ORDER BY p "+
		"LIMIT %d", c.a.sources(c.p, bases[0], c.p.high), of, strings.Join(list, ", "), c.a.o.Limit))
	for _, row := range rows {
		at := number(row[0])
		c.wrong.note(c.wrongAt(k, at, at+1, tell(row)))
	}
	return err
}

// behind lists rows at positions that the log does not reach. The rows are looked at before the
// end of the log is, so that what comes meanwhile is no finding.
func (c *partCheck) behind(ctx context.Context) error {
	const most = int64(1) << 62
	all := c.a.unrestricted().sources(c.p, c.p.end, most)
	rows, err := c.a.rows(ctx, "SELECT toInt64(if(count() = 0, -1, max(p))) FROM ("+all+")")
	if err != nil || number(rows[0][0]) < 0 {
		return err
	}
	ends, err := c.a.adm.ListEndOffsets(ctx, c.p.Topic)
	if err != nil {
		return fmt.Errorf("end of %s: %w", c.p.Topic, err)
	}
	end := c.p.end
	if o, ok := ends.Lookup(c.p.Topic, c.p.Partition); ok && o.Err == nil {
		end = o.Offset
	}
	top := number(rows[0][0])
	if top < end {
		return nil
	}
	rows, err = c.a.rows(ctx, fmt.Sprintf("SELECT p, countIf(k <= 3), toInt64(count() OVER ()) "+
		"FROM (%s) GROUP BY p ORDER BY p LIMIT %d", c.a.unrestricted().sources(c.p, end, top+1), c.a.o.Limit))
	for i, row := range rows {
		at, kind := number(row[0]), RowBehindLog
		if number(row[1]) == 0 {
			kind = StrayDisposition
		}
		if i == 0 {
			c.wrong.count(RowBehindLog, number(row[2])-int64(len(rows)))
		}
		c.add(kind, at, at+1, fmt.Sprintf("the log ends at %d", end))
	}
	return err
}
