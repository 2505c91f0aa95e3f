package pipeline

import (
	"time"

	"quell/correlate"
)

// Records of a raw partition that were in it for longer than lateAfter before they were read are a
// backlog: the alerts that they make say so (Behind), and the engine holds the pages of their
// incidents until the partition has caught up. The measure is time and not a number of records:
// after an hour's outage a partition with an event a second has 3,600 unread records, and one
// that keeps up at 50,000 a second has 5,000. It is this process's clock and the partition's own
// offsets, since the timestamps of a topic that quell did not create may say anything.
const lateAfter = 2 * time.Second

// pursuit knows how far a raw partition had got lateAfter ago, and so what of it is read late.
//
// When reading begins, and when nothing was read for lateAfter (the process was stopped, the broker
// was away, or nothing came: it cannot be told apart), nobody knows how long the records up to the
// first high watermark have been there: all of them count as late. So after a pause a batch of one
// is not late, one of five is until its last record, which is a matter of microseconds.
type pursuit struct {
	ends []knownEnd // oldest first; the first is lateAfter old, or of the beginning
	read time.Time  // last
	owed []bool     // by alerts partition: it was told of a backlog, but not of its end
}

type knownEnd struct {
	at   time.Time
	high int64
}

// newPursuit begins as if a former owner had told every alerts partition of a backlog: it may have
// stopped before it could tell of the end.
func newPursuit(partitions int32) pursuit {
	p := pursuit{owed: make([]bool, partitions)}
	for i := range p.owed {
		p.owed[i] = true
	}
	return p
}

// fetched notes the high watermark of a fetch.
func (p *pursuit) fetched(now time.Time, high int64) {
	n := len(p.ends)
	switch {
	case n == 0 || now.Sub(p.read) > lateAfter:
		p.ends = append(p.ends[:0], knownEnd{now, high})
	case now.Sub(p.ends[n-1].at) >= lateAfter/8:
		p.ends = append(p.ends, knownEnd{now, high})
	}
	old := 0
	for old+1 < len(p.ends) && now.Sub(p.ends[old+1].at) >= lateAfter {
		old++
	}
	p.ends = append(p.ends[:0], p.ends[old:]...)
	p.read = now
}

// late reports whether a partition of which next is the offset to read next is being read late.
func (p *pursuit) late(next int64) bool { return len(p.ends) > 0 && next < p.ends[0].high }

// behind is what an alert says about the records that follow it, up to offset next: how many are
// unread if it was read late, or 0.
func (r *rawReader) behind(next int64) int64 {
	if r.in.o.Clock == correlate.ClockEvent || !r.pursuit.late(next) {
		return 0
	}
	return max(r.high-next, 0)
}

// catchUp tells the alerts partitions that were told of a backlog that it has been worked off. No
// alert may come that could say so.
func (r *rawReader) catchUp() {
	w := correlate.Watermark{Raw: r.raw, At: r.table.Now(), Idle: true, Next: r.next, Said: r.in.race.speak()}
	for p, owed := range r.pursuit.owed {
		if owed {
			r.tell(int32(p), w.At, &correlate.Record{Kind: correlate.KindWatermark, Watermark: &w})
			r.pursuit.owed[p] = false
		}
	}
}

// quietEnough is how long nothing must have come until a partition is looked at that may have been read
// to its end without a record that could say so.
const quietEnough = time.Second

// reached reports whether everything that could be read at the last answer has been read. Before the first
// one nobody knows.
func (r *rawReader) reached() bool { return r.high >= 0 && r.next >= r.high }
