package dedup

import (
	"math"

	"quell/correlate"
)

// Table is the deduplication of one raw partition. The package comment says what it guarantees and
// how to call it. It belongs to one goroutine. It must not be called from within an emit function.
type Table struct {
	config Config
	key    sipKey
	stream StreamClock

	// Stream times in entries and in queue are internal: the stream time minus offset. A rebase
	// moves offset and nothing else, so internal time never falls.
	offset correlate.Time
	clock  correlate.Time // greatest internal time so far

	index index
	slab  slab
	live  int // entries in the index; those that are forgotten but not yet removed included

	queue    queue
	nextDue  correlate.Time // stream time before which Due has nothing to do
	together []uint32       // scratch of Due
	scratch  []byte
	ends     []int // of the texts in scratch
	one      [1]Ahead
	seen     Seen   // the last verdict
	warmed   uint64 // keeps the loads of Warm alive; means nothing
}

// Sighting says where and when an event was read.
type Sighting struct {
	Now         correlate.Time // stream time, from Advance
	Offset      int64          // in the raw partition
	Fingerprint correlate.Fingerprint
	Home        uint16 // alerts partition, for what the table will owe
	Ahead       *Ahead // what Warm found out about the event, nil for nothing
}

// Seen is the verdict on an event and, for an alert that passes it on, what that alert covers. For
// a redelivered event the rest tells the episode as it is without it.
type Seen struct {
	Verdict     correlate.Verdict
	Fired       bool   // a firing was seen in this episode, this event included
	Count       uint64 // events of the episode so far
	Episode     int64  // offset of the episode's first event
	FirstOffset int64  // first event that no pass-on and no flush which fell due covers
	First       correlate.Time
	Since       correlate.Time // least event time of those from FirstOffset
	Last        correlate.Time // greatest event time of the episode
}

const never = correlate.Time(math.MaxInt64)

// NewTable returns an empty table, or all that is wrong with c.
func NewTable(c Config) (*Table, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Table{config: c, key: keyOr(c.Key), stream: StreamClock{MaxSkew: c.MaxSkew},
		index: newIndex(minIndex), nextDue: never}, nil
}

// Len returns the number of entries, forgotten ones that still wait for removal included.
func (t *Table) Len() int { return t.live }

// Bytes returns the memory that the table holds, in bytes.
func (t *Table) Bytes() int {
	const perSlot = 136 + 8
	return len(t.slab.chunks)*chunkSize*perSlot + cap(t.index.places)*8 + cap(t.queue)*16
}

// Advance takes in the timestamp of the next record, whatever will become of that record, and
// returns stream time. A rebase has been applied to the table when Advance returns.
func (t *Table) Advance(ts correlate.Time) (now correlate.Time, rebased correlate.Duration) {
	now, rebased = t.stream.Advance(ts)
	if rebased != 0 {
		t.rebase(rebased)
	}
	t.clock = max(t.clock, now-t.offset)
	return now, rebased
}

// Now returns stream time, 0 before the first record.
func (t *Table) Now() correlate.Time { return t.stream.Now() }

func (t *Table) rebase(by correlate.Duration) {
	t.offset += correlate.Time(by)
	t.schedule()
}

// Observe gives the verdict on an event that was decoded and not dropped. It panics if a flush is
// due at s.Now: Due comes first. The result is valid until the next call: it is written where it
// stays, field by field, because whoever copies a structure of eight words that was just written
// waits until all that was written before has reached the cache, the entry included.
func (t *Table) Observe(s *Sighting, e *correlate.Event) *Seen {
	now := max(clampTime(s.Now)-t.offset, t.clock)
	if now+t.offset >= t.nextDue {
		panic("dedup: Observe before Due: owed counts would come too late")
	}
	t.clock = now
	ahead := s.Ahead
	if ahead == nil {
		ahead = t.ahead(e)
	}
	slot := ahead.slot
	if !t.slab.holds(slot, &s.Fingerprint) {
		slot = t.index.find(&t.slab, &s.Fingerprint)
	}
	if slot == none {
		if slot = t.admit(s); slot == none {
			t.seen = Seen{correlate.VerdictOverLimit, e.Status == correlate.Firing, 1, s.Offset,
				s.Offset, e.Time, e.Time, e.Time}
			return &t.seen
		}
		return t.begin(slot, s, ahead, e)
	}
	n := t.slab.entry(slot)
	if t.forgotten(n) {
		t.slab.unlink(slot)
		t.slab.append(slot)
		return t.begin(slot, s, ahead, e)
	}
	if id := ahead.id; id != 0 && n.knows(id) {
		return t.tell(n, correlate.VerdictRedelivered, s.Offset, e.Time)
	}
	if n.last != now {
		t.slab.unlink(slot)
		t.slab.append(slot)
	}
	return t.again(slot, n, s, ahead, e)
}

func (t *Table) forgotten(n *entry) bool {
	return t.clock.Sub(n.last) >= t.config.Window
}

// admit makes room for a fingerprint and returns its slot, or none when the table is full of live
// entries. Each admission removes up to two forgotten entries, so their number falls while the
// table is used, and no event pays for many.
func (t *Table) admit(s *Sighting) uint32 {
	for range 2 {
		t.evict()
	}
	for t.live >= t.config.MaxEntries {
		if !t.evict() {
			return none
		}
	}
	slot := t.slab.take()
	t.slab.entry(slot).fp = s.Fingerprint
	t.slab.append(slot)
	t.index.insert(&t.slab, slot, t.config.MaxEntries)
	t.live++
	return slot
}

// evict removes the entry unseen for longest, if it is forgotten.
func (t *Table) evict() bool {
	if t.slab.oldest == 0 {
		return false
	}
	slot := t.slab.oldest - 1
	n := t.slab.entry(slot)
	if !t.forgotten(n) {
		return false
	}
	t.index.remove(slot, &n.fp)
	n.count = 0
	t.slab.unlink(slot)
	t.slab.release(slot)
	t.live--
	return true
}

// begin starts an episode in slot, whose fingerprint is set. The slot is not queued: whatever it was
// queued for fell due before its entry was forgotten.
func (t *Table) begin(slot uint32, s *Sighting, ahead *Ahead, e *correlate.Event) *Seen {
	n := t.slab.entry(slot)
	n.last, n.since, n.first, n.until = t.clock, e.Time, e.Time, e.Time
	n.count, n.episode, n.lastOffset, n.owedFrom = 1, s.Offset, s.Offset, s.Offset
	n.labels, n.ids, n.nextID = ahead.labels, [4]uint64{}, 0
	n.sincePass, n.owed, n.home, n.flags = 0, 0, s.Home, 0
	n.severity, n.status = e.Severity, e.Status
	if e.Status == correlate.Firing {
		n.flags |= flagFired
	}
	if ahead.id != 0 {
		n.remember(ahead.id)
	}
	return t.tell(n, correlate.VerdictNew, s.Offset, e.Time)
}

// again counts a further event of a live entry.
func (t *Table) again(slot uint32, n *entry, s *Sighting, ahead *Ahead, e *correlate.Event) *Seen {
	passed, labels := n.passed(), ahead.labels
	elapsed := t.clock.Sub(passed) >= t.config.UpdateInterval
	if elapsed {
		n.owed = 0 // what was owed fell due, and Due was called
	}
	verdict := correlate.VerdictDuplicate
	switch {
	case n.severity != e.Severity || n.status != e.Status || n.labels != labels:
		verdict = correlate.VerdictChanged
	case elapsed && e.Status != correlate.Resolved:
		verdict = correlate.VerdictUpdate
	}
	if verdict != correlate.VerdictDuplicate || elapsed {
		passed = t.clock
	}
	n.count++
	n.last, n.sincePass = t.clock, uint32(t.clock-passed)
	n.lastOffset = s.Offset
	n.first, n.until = min(n.first, e.Time), max(n.until, e.Time)
	n.severity, n.status, n.labels, n.home = e.Severity, e.Status, labels, s.Home
	if e.Status == correlate.Firing {
		n.flags |= flagFired
	}
	if ahead.id != 0 {
		n.remember(ahead.id)
	}
	if n.owed == 0 {
		n.owedFrom, n.since = s.Offset, e.Time
	} else {
		n.since = min(n.since, e.Time)
	}
	seen := t.tell(n, verdict, n.owedFrom, n.since)
	if verdict == correlate.VerdictDuplicate {
		t.owe(slot, n)
	} else {
		n.owed = 0
	}
	return seen
}

// tell writes down the verdict and what an alert covers that passes on the event.
func (t *Table) tell(n *entry, v correlate.Verdict, from int64, since correlate.Time) *Seen {
	s := &t.seen
	s.Verdict, s.Fired = v, n.flags&flagFired != 0
	s.Count, s.Episode, s.FirstOffset = n.count, n.episode, from
	s.First, s.Since, s.Last = n.first, since, n.until
	return s
}
