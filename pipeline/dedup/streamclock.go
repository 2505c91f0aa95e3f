package dedup

import "quell/correlate"

// streamWindow is how many record timestamps stream time is the maximum of.
const streamWindow = 1024

// The times that stream time can have. A producer may stamp a record with any 64-bit number; cut
// to 1970..9999, no difference of two can overflow.
const (
	minTime = 0
	maxTime = 253402300799999
)

func clampTime(t correlate.Time) correlate.Time { return min(max(t, minTime), maxTime) }

// StreamClock is the time of one raw partition: the maximum of its last 1,024 record timestamps,
// held while it falls by no more than the maximal skew. The zero value is ready and has maximal
// skew 0. It holds no pointers.
//
// The candidates for the maximum are a ring of decreasing timestamps: a record's timestamp drops
// the smaller ones before it, for they can never be the maximum again. Each is added and dropped
// once.
//
//	head                    tail
//	{10:07, #41} {10:05, #77} {10:04, #80}    the next record is #81; #41 leaves with #1065
type StreamClock struct {
	MaxSkew correlate.Duration

	now   correlate.Time
	seq   uint64 // records so far
	head  uint32 // ring positions, counted on and masked
	tail  uint32
	times [streamWindow]correlate.Time
	seqs  [streamWindow]uint64
}

// Now returns stream time, 0 before the first record.
func (c *StreamClock) Now() correlate.Time { return c.now }

// Advance takes in the next record's timestamp and returns stream time. Rebased is what all earlier
// stream times must be moved by, zero or negative: see the package comment.
func (c *StreamClock) Advance(ts correlate.Time) (now correlate.Time, rebased correlate.Duration) {
	ts = clampTime(ts)
	for c.head != c.tail && c.times[(c.tail-1)%streamWindow] <= ts {
		c.tail--
	}
	if c.head != c.tail && c.seq-c.seqs[c.head%streamWindow] >= streamWindow {
		c.head++
	}
	c.times[c.tail%streamWindow] = ts
	c.seqs[c.tail%streamWindow] = c.seq
	c.tail++
	c.seq++
	newest := c.times[c.head%streamWindow]
	switch {
	case newest >= c.now:
		c.now = newest
	case c.now.Sub(newest) > c.MaxSkew:
		rebased = newest.Sub(c.now)
		c.now = newest
	}
	return c.now, rebased
}
