package dedup

import "quell/correlate"

// entry is what the table remembers of one fingerprint. Its stream times are internal: see
// Table.offset.
type entry struct {
	fp    correlate.Fingerprint
	last  correlate.Time // stream time of the last sighting
	since correlate.Time // least event time of what is owed; meaningless when nothing is
	first correlate.Time // least event time of the episode
	until correlate.Time // greatest event time of the episode

	count      uint64 // events of the episode; 0 only in a slot that is free
	episode    int64  // offset of the episode's first event
	lastOffset int64  // offset of the last event counted
	owedFrom   int64  // offset of the first event owed; meaningless when nothing is

	labels uint64    // keyed hash of the pass_on labels' values
	ids    [4]uint64 // keyed hashes of the last statements that had an id; 0 is none

	sincePass uint32 // last minus the time that the next update or flush is counted from
	owed      uint32 // events of count that no passed event covers; stays at its maximum
	home      uint16 // alerts partition
	severity  correlate.Severity
	status    correlate.Status
	nextID    uint8 // where in ids the next one goes
	flags     uint8
}

// The flags of an entry. The first two are no part of its snapshot.
const (
	flagQueued  = 1 << 0 // the queue of due times has an element for this slot
	flagFlushed = 1 << 1 // all that is owed was flushed
	flagFired   = 1 << 2 // a firing was seen in this episode
)

// passed returns the stream time that the next update or flush is counted from: that of the last
// pass-on, or of a repeated resolved that came later than an update interval after it.
func (n *entry) passed() correlate.Time { return n.last - correlate.Time(n.sincePass) }

// knows reports whether id, a hash that is not 0, is one of the last four.
func (n *entry) knows(id uint64) bool {
	return n.ids[0] == id || n.ids[1] == id || n.ids[2] == id || n.ids[3] == id
}

func (n *entry) remember(id uint64) {
	n.ids[n.nextID] = id
	n.nextID = (n.nextID + 1) % uint8(len(n.ids))
}

// link is an entry's place in the order of last sightings, as slot numbers plus one; 0 is none.
type link struct{ older, newer uint32 }

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
	none      = ^uint32(0) // no slot
)

// chunk is the unit in which entries get memory. It holds no pointers, so the garbage collector
// never looks inside.
type chunk struct {
	entries [chunkSize]entry
	links   [chunkSize]link
}

// slab is the entries' memory: slots, numbered from 0, that never move, free ones on a stack, and
// the list of those in use from the longest to the shortest unseen.
type slab struct {
	chunks         []*chunk
	fresh          uint32 // slots from here on were never used
	free           uint32 // top of the stack of free slots, plus one; linked by newer
	oldest, newest uint32 // ends of the list, plus one
}

func (s *slab) entry(slot uint32) *entry {
	return &s.chunks[slot>>chunkBits].entries[slot%chunkSize]
}

func (s *slab) link(slot uint32) *link {
	return &s.chunks[slot>>chunkBits].links[slot%chunkSize]
}

// holds tells whether the slot, which may be none or free, is in use for fp.
func (s *slab) holds(slot uint32, fp *correlate.Fingerprint) bool {
	if slot >= s.fresh {
		return false
	}
	n := s.entry(slot)
	return n.fp == *fp && n.count > 0
}

// take returns a slot that is in no list.
func (s *slab) take() uint32 {
	if s.free != 0 {
		slot := s.free - 1
		s.free = s.link(slot).newer
		return slot
	}
	if s.fresh>>chunkBits == uint32(len(s.chunks)) {
		s.chunks = append(s.chunks, new(chunk))
	}
	s.fresh++
	return s.fresh - 1
}

// release gives back a slot that is in no list.
func (s *slab) release(slot uint32) {
	s.link(slot).newer = s.free
	s.free = slot + 1
}

// append makes slot the one seen last.
func (s *slab) append(slot uint32) {
	*s.link(slot) = link{older: s.newest}
	if s.newest != 0 {
		s.link(s.newest - 1).newer = slot + 1
	} else {
		s.oldest = slot + 1
	}
	s.newest = slot + 1
}

// neighbours reads what unlink will write.
func (s *slab) neighbours(slot uint32) (sum uint64) {
	l := *s.link(slot)
	if l.older != 0 {
		sum += uint64(s.link(l.older - 1).newer)
	}
	if l.newer != 0 {
		sum += uint64(s.link(l.newer - 1).older)
	}
	return sum
}

// unlink takes slot out of the list.
func (s *slab) unlink(slot uint32) {
	l := *s.link(slot)
	if l.older != 0 {
		s.link(l.older - 1).newer = l.newer
	} else {
		s.oldest = l.newer
	}
	if l.newer != 0 {
		s.link(l.newer - 1).older = l.older
	} else {
		s.newest = l.older
	}
}
