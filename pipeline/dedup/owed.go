package dedup

import (
	"bytes"
	"math"
	"slices"

	"quell/correlate"
)

// Owed is a flush: what a fingerprint's alert must still be told about events that were duplicates.
type Owed struct {
	Fingerprint correlate.Fingerprint
	Home        uint16 // alerts partition, from the last sighting
	Severity    correlate.Severity
	Status      correlate.Status
	Count       uint64 // events of the episode so far
	Episode     int64  // offset of the episode's first event
	FirstOffset int64  // first event covered
	Offset      int64  // last event covered
	First       correlate.Time
	Since       correlate.Time // least event time of those from FirstOffset
	Last        correlate.Time // greatest event time of the episode
	Received    correlate.Time // stream time of the last event covered
	Due         correlate.Time // stream time at which this flush fell due
}

// owe counts one more event of n that did not pass on.
func (t *Table) owe(slot uint32, n *entry) {
	if n.owed < math.MaxUint32 {
		n.owed++
	}
	n.flags &^= flagFlushed
	if n.flags&flagQueued == 0 {
		n.flags |= flagQueued
		t.queue.push(due{t.dueOf(n), slot})
		t.schedule()
	}
}

// dueOf returns the internal time at which what n owes falls due.
func (t *Table) dueOf(n *entry) correlate.Time {
	return n.passed().Add(t.config.UpdateInterval)
}

func (n *entry) owes() bool { return n.owed > 0 && n.flags&flagFlushed == 0 }

// schedule sets nextDue from the head of the queue, which may be an element out of date.
func (t *Table) schedule() {
	t.nextDue = never
	if len(t.queue) > 0 {
		t.nextDue = t.queue[0].at + t.offset
	}
}

// settle brings the head of the queue up to date: afterwards it is the next flush, if there is one.
// An element is out of date when its entry passed on in the meantime. An entry's due times never
// fall, so an element is never too late.
func (t *Table) settle() {
	for len(t.queue) > 0 {
		head := t.queue[0]
		n := t.slab.entry(head.slot)
		if !n.owes() {
			n.flags &^= flagQueued
			t.queue.pop()
		} else if at := t.dueOf(n); at != head.at {
			t.queue.postpone(at)
		} else {
			break
		}
	}
	t.schedule()
}

// NextDue returns the stream time of the next flush, and false when nothing is owed.
func (t *Table) NextDue() (correlate.Time, bool) {
	t.settle()
	return t.nextDue, t.nextDue != never
}

// Due flushes all that is due at stream time now, in the order of due time and fingerprint.
func (t *Table) Due(now correlate.Time, emit func(Owed)) {
	if now >= t.nextDue {
		t.flush(now, emit)
	}
}

// Drain flushes all that is owed, each with the time at which it falls due: the end of input.
func (t *Table) Drain(emit func(Owed)) { t.flush(never, emit) }

func (t *Table) flush(now correlate.Time, emit func(Owed)) {
	for t.settle(); now >= t.nextDue && t.nextDue != never; t.settle() {
		at := t.queue[0].at
		t.together = t.together[:0]
		for ; len(t.queue) > 0 && t.queue[0].at == at; t.settle() {
			slot := t.queue[0].slot
			t.queue.pop()
			t.slab.entry(slot).flags &^= flagQueued
			t.together = append(t.together, slot)
		}
		if len(t.together) > 1 {
			slices.SortFunc(t.together, func(a, b uint32) int {
				x, y := t.slab.entry(a), t.slab.entry(b)
				return bytes.Compare(x.fp[:], y.fp[:])
			})
		}
		for _, slot := range t.together {
			n := t.slab.entry(slot)
			n.flags |= flagFlushed
			emit(t.owed(n))
		}
	}
}

func (t *Table) owed(n *entry) Owed {
	return Owed{Fingerprint: n.fp, Home: n.home, Severity: n.severity, Status: n.status,
		Count: n.count, Episode: n.episode, FirstOffset: n.owedFrom, Offset: n.lastOffset,
		First: n.first, Since: n.since, Last: n.until, Received: n.last + t.offset,
		Due: t.dueOf(n) + t.offset}
}

// due is when the slot's entry may have to be flushed, in internal time.
type due struct {
	at   correlate.Time
	slot uint32
}

// queue is a heap by time, each node with four children. It holds each slot at most once.
type queue []due

func (q *queue) push(d due) {
	*q = append(*q, d)
	h := *q
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent].at <= d.at {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = d
}

// pop removes the head.
func (q *queue) pop() {
	h := *q
	last := h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) > 0 {
		h.sink(last)
	}
}

// postpone gives the head a later time.
func (q queue) postpone(at correlate.Time) { q.sink(due{at, q[0].slot}) }

// sink puts d at the head and restores the order.
func (q queue) sink(d due) {
	i := 0
	for {
		least, end := 4*i+1, min(4*i+5, len(q))
		if least >= len(q) {
			break
		}
		for c := least + 1; c < end; c++ {
			if q[c].at < q[least].at {
				least = c
			}
		}
		if d.at <= q[least].at {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = d
}
