package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"quell/correlate"
)

// What ClickHouse says about a raw partition, in stretches of bucketSize positions: one container
// of a roaring bitmap, so that a stretch costs 8 KiB however many rows it has. A statement covers
// bucketsPerQuery of them, which bounds its memory and its time.
const (
	bucketBits      = 16
	bucketSize      = 1 << bucketBits
	bucketsPerQuery = 256
)

// bucket is what the archive has of the positions [base, base + bucketSize).
type bucket struct {
	base             int64
	rows, rejected   int64
	positions        int64  // distinct ones with a row
	gaps             []span // without a row
	passed           int64
	disposed, flush  int64
	doubledDisposals int64
	undisposed       []int64 // passed events without a disposition
	stray            []int64 // positions that dispositions refer to and that are no archived event
}

// span is [from, to).
type span struct{ from, to int64 }

// Kinds of rows in the statement below. Rows that the archive is about to drop may have lost their
// partners: they are partners, and need none.
const (
	rowEvent      = 1 // not passed on, or about to be dropped
	rowPassed     = 2
	rowRejected   = 3
	rowDisposed   = 4
	rowFlush      = 5
	rowOldDispose = 6
)

// sources returns a statement that lists (p, k) of the rows about positions [from, to) of a
// partition.
func (a *auditor) sources(p *part, from, to int64) string {
	pick := func(kind, table, prefix, at string) string {
		return fmt.Sprintf("SELECT %soffset AS p, toUInt8(%s) AS k FROM %s WHERE %stopic = '%s' AND "+
			"%spartition = %d AND %soffset >= %d AND %soffset < %d%s", prefix, kind, table, prefix,
			quote(p.Topic), prefix, p.Partition, prefix, from, prefix, to, a.period(p, prefix, at))
	}
	rejected := pick(fmt.Sprint(rowRejected), "rejected", "", "received")
	if p.responses {
		return pick(fmt.Sprint(rowEvent), "responses", "raw_", "at") + " UNION ALL " + rejected
	}
	events := fmt.Sprintf("if(verdict IN (%s) AND archive_day > '%s', %d, %d)", passedVerdicts(), a.day,
		rowPassed, rowEvent)
	dispositions := fmt.Sprintf("multiIf(archive_day <= '%s', %d, flush, %d, %d)", a.day, rowOldDispose,
		rowFlush, rowDisposed)
	return pick(events, "events", "", "received") + " UNION ALL " + rejected + " UNION ALL " +
		pick(dispositions, "dispositions", "raw_", "received")
}

// period restricts rows to the time asked for: positions in the log by position, those that
// retention has taken by what their rows say.
func (a *auditor) period(p *part, prefix, at string) string {
	if !a.timed() {
		return ""
	}
	cond := fmt.Sprintf("%soffset < %d", prefix, p.start)
	if !a.o.From.IsZero() {
		cond += fmt.Sprintf(" AND %s >= fromUnixTimestamp64Milli(%d)", at, a.o.From.UnixMilli())
	}
	if !a.o.To.IsZero() {
		cond += fmt.Sprintf(" AND %s < fromUnixTimestamp64Milli(%d)", at, a.o.To.UnixMilli())
	}
	return fmt.Sprintf(" AND (%soffset >= %d AND %soffset < %d OR %s)", prefix, p.low, prefix, p.high,
		cond)
}

func passedVerdicts() string {
	var out []string
	for _, v := range []correlate.Verdict{correlate.VerdictNew, correlate.VerdictChanged,
		correlate.VerdictUpdate, correlate.VerdictOverLimit} {
		out = append(out, "'"+v.String()+"'")
	}
	return strings.Join(out, ", ")
}

// quote escapes a string for use between single quotes.
func quote(s string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) }

// coverageSQL asks for the buckets of a stretch. Gaps come as two lists: where they begin, and
// where they end, from 0 to bucketSize. Small bitmaps are sets in no order, hence the sorting.
const coverageSQL = `
WITH bitmapCardinality(held) AS positions,
  if(positions = 65536, [], arraySort(bitmapToArray(held))) AS h,
  arrayPushFront(arrayMap(x -> toUInt32(x + 1), h), toUInt32(0)) AS begins,
  arrayPushBack(arrayMap(x -> toUInt32(x), h), toUInt32(65536)) AS ends
SELECT bucket, rows, rejected, toInt64(positions),
  if(positions = 65536, [], arrayFilter((b, e) -> e > b, begins, ends)),
  if(positions = 65536, [], arrayFilter((e, b) -> e > b, ends, begins)),
  passedRows, disposedRows, flushRows, disposedRows - toInt64(bitmapCardinality(disposed)),
  arraySort(bitmapToArray(bitmapAndnot(passed, told))),
  arraySort(bitmapToArray(bitmapOr(bitmapAndnot(refers, held), bitmapAnd(refers, refused))))
FROM (
  WITH toUInt16(bitAnd(p, 65535)) AS o
  SELECT bitShiftRight(p, 16) AS bucket,
    toInt64(countIf(k <= 3)) AS rows, toInt64(countIf(k = 3)) AS rejected,
    toInt64(countIf(k = 2)) AS passedRows, toInt64(countIf(k = 4)) AS disposedRows,
    toInt64(countIf(k = 5)) AS flushRows,
    groupBitmapStateIf(o, k <= 3) AS held, groupBitmapStateIf(o, k = 3) AS refused,
    groupBitmapStateIf(o, k = 2) AS passed, groupBitmapStateIf(o, k = 4) AS disposed,
    groupBitmapStateIf(o, k IN (4, 6)) AS told, groupBitmapStateIf(o, k IN (4, 5)) AS refers
  FROM (%s) GROUP BY bucket)
ORDER BY bucket`

// buckets calls each with what the archive has of [from, to), in order. Positions without any row
// are in no bucket, or in the gaps of one.
func (a *auditor) buckets(ctx context.Context, p *part, from, to int64,
	each func(*bucket) error) error {
	for at := from; at < to; {
		end := min((at>>bucketBits+bucketsPerQuery)<<bucketBits, to)
		statement := fmt.Sprintf(coverageSQL, a.sources(p, at, end))
		res, err := a.o.Archive.Query(ctx, statement)
		if err != nil {
			return err
		}
		for row, err := range res.All() {
			if err == nil {
				b := bucketOf(row)
				err = each(&b)
			}
			if err != nil {
				_ = res.Close()
				return err
			}
		}
		if err := res.Close(); err != nil {
			return err
		}
		at = end
	}
	return nil
}

func bucketOf(row []any) bucket {
	base := number(row[0]) << bucketBits
	b := bucket{base: base, rows: number(row[1]), rejected: number(row[2]), positions: number(row[3]),
		passed: number(row[6]), disposed: number(row[7]), flush: number(row[8]),
		doubledDisposals: number(row[9]), undisposed: offsets(base, row[10]),
		stray: offsets(base, row[11])}
	ends := row[5].([]any)
	for i, begin := range row[4].([]any) {
		b.gaps = append(b.gaps, span{base + number(begin), base + number(ends[i])})
	}
	return b
}

// offsets returns the positions that a bitmap of the bucket at base lists.
func offsets(base int64, list any) (out []int64) {
	for _, o := range list.([]any) {
		out = append(out, base+number(o))
	}
	return out
}

// extent is where a partition's rows begin and end.
type extent struct {
	first, last int64 // positions with a row; last is -1 when there are none
	from        int64 // the first that is looked at, also by a disposition
	disposed    int64 // the highest that a disposition, no flush, refers to; -1
}

func (a *auditor) extent(ctx context.Context, p *part) (extent, error) {
	const most = int64(1) << 62
	rows, err := a.rows(ctx, fmt.Sprintf("SELECT toInt64(minOrDefaultIf(p, k <= 3)), "+
		"toInt64(if(countIf(k <= 3) = 0, -1, maxIf(p, k <= 3))), "+
		"toInt64(if(countIf(k = 4) = 0, -1, maxIf(p, k = 4))) FROM (%s)",
		a.unrestricted().sources(p, 0, most)))
	if err != nil {
		return extent{}, err
	}
	x := extent{first: number(rows[0][0]), last: number(rows[0][1]), disposed: number(rows[0][2])}
	rows, err = a.rows(ctx, fmt.Sprintf("SELECT toInt64(if(count() = 0, %[1]d, least(%[1]d, min(p)))) "+
		"FROM (%[2]s) WHERE k < %[3]d",
		p.low, a.sources(p, 0, most), rowOldDispose))
	if err != nil {
		return extent{}, err
	}
	x.from = number(rows[0][0])
	return x, nil
}

// unrestricted is the audit without a restriction to a time.
func (a *auditor) unrestricted() *auditor {
	all := *a
	all.o.From, all.o.To = time.Time{}, time.Time{}
	return &all
}

// top returns the highest position that has a row, or -1.
func (a *auditor) top(ctx context.Context, p *part) (int64, error) {
	high, err := a.o.Archive.HighWater(ctx, "rejected", p.Topic, p.Partition)
	if err != nil {
		return 0, err
	}
	if !p.responses {
		other, err := a.o.Archive.HighWater(ctx, "events", p.Topic, p.Partition)
		return max(high, other), err
	}
	rows, err := a.rows(ctx, fmt.Sprintf("SELECT toInt64(if(count() = 0, -1, max(raw_offset))) FROM "+
		"responses WHERE raw_topic = '%s' AND raw_partition = %d", quote(p.Topic), p.Partition))
	if err != nil {
		return 0, err
	}
	return max(high, number(rows[0][0])), nil
}
