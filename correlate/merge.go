package correlate

import (
	"bytes"
	"math"
)

// merge puts the records of several raw partitions into the order of stream time (event clock).
//
// Each raw partition's watermark is a promise that no alert with an earlier time will follow from
// it. What is earlier than the lowest watermark can therefore be applied, in the order (time,
// fingerprint, raw topic, raw partition, raw offset), and timers due by it may fire: neither
// depends on how fast the raw partitions were read, on batches, or on how many there are.
type merge struct {
	listed bool // a watermark has named the raw partitions: before that nothing applies
	low    Time // the lowest watermark that has been passed
	ended  bool // all raw partitions finished: time runs out
	more   bool // what one record may bring about was not all: the next one goes on
	heap   heap[buffered, *buffered]

	// While time runs out:
	limit Time // how far it may; 0: it does not run
	to    Time // where to at the moment
}

// buffered is an alert or a response that waits for the watermarks.
type buffered struct {
	time     Time
	arrival  // alert nil: it is a response
	response *Response
}

func (b *buffered) fingerprint() (fp Fingerprint) {
	if b.alert != nil {
		fp = b.alert.Fingerprint
	}
	return fp
}

func (b *buffered) rawOffset() int64 {
	if b.alert != nil {
		return b.alert.Raw.Offset
	}
	return b.response.Raw.Offset
}

func (b *buffered) before(o *buffered) bool {
	if b.time != o.time {
		return b.time < o.time
	}
	if f, g := b.fingerprint(), o.fingerprint(); f != g {
		return bytes.Compare(f[:], g[:]) < 0
	}
	if b.raw != o.raw {
		return comparePartition(b.raw.RawPartition, o.raw.RawPartition) < 0
	}
	if b.rawOffset() != o.rawOffset() {
		return b.rawOffset() < o.rawOffset()
	}
	return b.offset < o.offset // a redelivery repeats a raw offset
}

// receive takes a record under the event clock. The position guard works on arrival, where raw
// offsets rise; everything else when the record's time has come.
func (e *Engine) receive(r *Record) {
	b := buffered{time: r.Time, arrival: arrival{offset: r.Offset}}
	switch r.Kind {
	case KindAlert:
		b.raw = e.raws.find(r.Alert.Raw.RawPartition)
		b.fresh = e.receiveAlert(b.raw, r.Alert)
		b.raw.idle = b.raw.idle && !b.fresh
		b.alert = r.Alert
	case KindResponse:
		b.raw = e.raws.find(r.Response.Raw.RawPartition)
		if !b.raw.receive(r.Response.Raw.Offset) {
			return
		}
		b.response = r.Response
	case KindWatermark:
		e.watermark(r.Watermark)
		return
	default:
		return // a tick tells wall time
	}
	if e.merge.listed && b.time < e.merge.low {
		e.perform(&b) // behind what has been passed: it applies now
		return
	}
	if b.alert != nil {
		b.alert = b.alert.clone()
	} else {
		b.response = b.response.clone()
	}
	e.merge.heap.push(b)
	for len(e.merge.heap) > e.limits.MergeBuffer {
		if !e.advance(e.merge.heap[0].time) {
			return // the next one that has to wait goes on
		}
		e.forced++
		next := e.merge.heap.pop()
		e.merge.low = max(e.merge.low, next.time)
		e.merge.listed = true
		e.perform(&next)
	}
}

// watermark takes a raw partition's promise.
func (e *Engine) watermark(w *Watermark) {
	raw := e.raws.find(w.Raw)
	raw.awaited = true
	for _, p := range w.Of {
		e.raws.find(p).awaited = true
		e.merge.listed = true
	}
	if !raw.hears(w) {
		return
	}
	if w.At >= raw.at || w.Said != 0 {
		raw.at, raw.idle = max(raw.at, w.At), w.Idle
	}
	raw.finished = raw.finished || w.Finished
	if e.merge.listed {
		e.letPass()
	}
}

// letPass applies what no raw partition holds back any more, and lets time run out when all have
// finished. If that is more than one record may bring about, the next record goes on, whatever it is:
// the order and the clock of each are the same as if it had been all at once.
func (e *Engine) letPass() {
	m := &e.merge
	if m.limit == 0 {
		finished, whole := e.pass()
		if m.more = !whole; m.more {
			return
		}
		if finished && !m.ended {
			m.ended = true
			m.limit, m.to = e.now.Add(mostRunOut), e.now
		}
	}
	m.more = !e.runOut()
}

// pass applies what is before the lowest watermark. It tells whether all raw partitions have
// finished, and whether that was all.
func (e *Engine) pass() (finished, whole bool) {
	m := &e.merge
	low, held, finished := e.raws.lowest()
	for len(m.heap) > 0 && (!held || m.heap[0].time < low) {
		if !e.advance(m.heap[0].time) {
			return finished, false
		}
		next := m.heap.pop()
		e.perform(&next)
	}
	if !held {
		low = max(low, e.now)
	}
	if low > m.low {
		if !e.advance(low) {
			return finished, false
		}
		m.low = low
	}
	return finished, true
}

// lowest returns the lowest watermark of the raw partitions that hold anything back (held), or the
// highest if none does, and whether all have finished.
func (r *raws) lowest() (low Time, held, finished bool) {
	low, finished = math.MaxInt64, true
	highest := Time(math.MinInt64)
	for _, raw := range r.all {
		if !raw.awaited {
			continue
		}
		finished = finished && raw.finished
		highest = max(highest, raw.at)
		if !raw.finished && !raw.idle {
			held = true
			low = min(low, raw.at)
		}
	}
	if !held {
		low = highest
	}
	return low, held, finished
}

// perform applies a record whose time has come.
func (e *Engine) perform(b *buffered) {
	if b.alert != nil {
		e.alert(b.arrival)
	} else {
		e.respond(b.offset, b.response)
	}
}

// mostRunOut is how far time runs on after the end of the input.
const mostRunOut = 24 * Hour

// runOut lets time pass after the end of the input: to the last deadline that is pending, and on from
// there. A repetition of a page is no reason to go on, it would be one for ever. It tells whether it
// has come to the end.
func (e *Engine) runOut() (whole bool) {
	m := &e.merge
	for m.limit != 0 {
		if !e.advance(m.to) {
			return false
		}
		if m.to = e.lastDeadline(m.limit); m.to <= e.now {
			m.limit, m.to = 0, 0
		}
	}
	return true
}

// lastDeadline returns the latest deadline up to limit of a timer that means something to people.
func (e *Engine) lastDeadline(limit Time) Time {
	var last Time
	for _, entry := range e.timers.heap {
		t := entry.t
		if !t.set() || t.at > limit || t.kind == timerForget {
			continue
		}
		if in := t.incident; t.kind == timerPage && in.waited && e.news(in) == 0 {
			continue // only the page's repetition
		}
		last = max(last, t.at)
	}
	return last
}
