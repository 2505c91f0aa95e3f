package correlate

import "strings"

// rawPartition is what the engine knows of one raw partition (or one of the responses topic).
type rawPartition struct {
	RawPartition
	highest int64  // raw offset, the highest received; -1 before the first
	next    int64  // where its last watermark that counted was said,
	said    Time   // and when
	number  uint32 // in the list of all
	place   uint64 // in the snapshot that is being written

	// Under the append clock:
	behind bool   // it was read late, and has not said yet that it caught up
	since  uint64 // ticks when that began
	hold   uint64 // how often it began

	// Under the event clock:
	awaited  bool // named by a watermark: merging waits for it
	at       Time // no alert with a time before it follows
	finished bool // holds nothing back any more
	idle     bool // holds nothing back until it speaks again
}

// raws finds the raw partitions. There are few of them, so lists of all are cheap.
type raws struct {
	index map[RawPartition]*rawPartition
	all   []*rawPartition // in the order of their first record

	// recent are those asked for last, by the low bits of their numbers: records of a few raw
	// partitions take turns, and the index has to hash a name for each.
	recent [16]*rawPartition
}

func (r *raws) find(p RawPartition) *rawPartition {
	recent := &r.recent[p.Partition&15]
	if *recent != nil && (*recent).RawPartition == p {
		return *recent
	}
	raw := r.index[p]
	if raw == nil {
		raw = r.add(RawPartition{Topic: strings.Clone(p.Topic), Partition: p.Partition})
	}
	*recent = raw
	return raw
}

func (r *raws) add(p RawPartition) *rawPartition {
	raw := &rawPartition{RawPartition: p, highest: -1, number: uint32(len(r.all))}
	if r.index == nil {
		r.index = make(map[RawPartition]*rawPartition)
	}
	r.index[p] = raw
	r.all = append(r.all, raw)
	return raw
}

// receive notes the raw offset and tells whether it is above all that came before it.
//
// Intake produces in the order of raw offsets and, after a failure, repeats from its checkpoint
// on. So what is not above the highest has been received already, with one exception: a flush
// is about an event that others came behind of.
func (r *rawPartition) receive(offset int64) bool {
	if offset <= r.highest {
		return false
	}
	r.highest = offset
	return true
}

// hears tells whether a watermark is news, and notes where it was said. One that was said before
// something that has been received comes again, or from an owner that has been overtaken; so does,
// of several at one position, any but the latest. (One that does not say when it was said is of a
// quell that did not know yet, and is taken at its word.)
func (r *rawPartition) hears(w *Watermark) bool {
	if w.Said == 0 {
		return true
	}
	if w.Next <= r.highest || w.Next < r.next || w.Next == r.next && w.Said <= r.said {
		return false
	}
	r.next, r.said = w.Next, w.Said
	return true
}

// receiveAlert notes where an alert record comes from and tells whether nothing came from there before.
func (e *Engine) receiveAlert(raw *rawPartition, a *Alert) bool {
	if a.Flush {
		return e.flushes.receive(raw.number, a.Raw.Offset)
	}
	return raw.receive(a.Raw.Offset)
}
