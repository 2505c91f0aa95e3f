package correlate

import "math/bits"

// mostFlushes is how many flushes an engine remembers. Intake repeats what it said since its last
// checkpoint; a flush is due when a fingerprint was silent for update_interval, so that there are
// few in the time between two checkpoints. If there are more, those of alerts that are not known
// any more get their disposition once more; counts remember the others.
const mostFlushes = 1 << 17

// flushes remembers the last flushes. Raw offsets tell which other records came before, but flushes
// come in the order in which they fall due.
//
// It is a ring, and a hash table whose chains run through the ring from the newest to the oldest: no
// pointer, and nothing to find out about the one that is forgotten, which is the last of its chain.
// Offsets that follow each other are spread evenly. Whoever sends events can choose which of them
// become flushes, but not their offsets: to make the chains ten times as long takes ten times as many
// events. (With open addressing it would take twice as many to fill half of the table.)
type flushes struct {
	ring  []flushed // in the order of arrival, from first on
	first int
	heads []uint32 // a power of two of them: place in the ring plus one; 0: none
}

// flushed names a flush: by the last event that it covers, which no other record is about.
type flushed struct {
	offset int64
	raw    uint32 // number of the raw partition
	older  uint32 // of the chain, as in heads
}

const leastHeads = 16

// head returns where the chain of a flush begins.
func (f *flushes) head(raw uint32, offset int64) *uint32 {
	h := (uint64(offset) + uint64(raw)*prime2) * prime1
	return &f.heads[h>>(64-bits.TrailingZeros(uint(len(f.heads))))]
}

// receive notes a flush and tells whether it is new.
func (f *flushes) receive(raw uint32, offset int64) bool {
	if len(f.ring) == len(f.heads) && len(f.ring) < mostFlushes {
		f.grow()
	}
	head := f.head(raw, offset)
	for at := *head; at != 0; {
		it := &f.ring[at-1]
		if it.offset == offset && it.raw == raw {
			return false
		}
		at = it.older
	}
	place := len(f.ring)
	if place < mostFlushes {
		f.ring = append(f.ring, flushed{})
	} else {
		place = f.first
		f.first = (f.first + 1) % mostFlushes
		f.forget(place)
	}
	f.ring[place] = flushed{offset, raw, *head}
	*head = uint32(place) + 1
	return true
}

// forget takes the oldest flush, which lies at place, out of its chain.
func (f *flushes) forget(place int) {
	link := f.head(f.ring[place].raw, f.ring[place].offset)
	for *link != uint32(place)+1 {
		link = &f.ring[*link-1].older
	}
	*link = 0
}

// grow doubles the number of chains. The ring is not full: it begins at 0.
func (f *flushes) grow() {
	f.heads = make([]uint32, max(leastHeads, 2*len(f.heads)))
	for i := range f.ring {
		it := &f.ring[i]
		head := f.head(it.raw, it.offset)
		it.older, *head = *head, uint32(i)+1
	}
}

// append writes them in the order of arrival.
func (f *flushes) append(dst []byte, raws *raws) []byte {
	dst = appendUint(dst, uint64(len(f.ring)))
	for i := range f.ring {
		it := &f.ring[(f.first+i)%len(f.ring)]
		dst = appendInt(appendUint(dst, raws.all[it.raw].place), it.offset)
	}
	return dst
}
