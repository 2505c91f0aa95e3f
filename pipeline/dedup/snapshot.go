package dedup

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// A snapshot is
//
//	magic        12 bytes, the last one is the version
//	stream       now, number of candidates, for each: age in records, time below the one before
//	clock        stream time at which entries were live
//	entries      sorted by fingerprint, each behind a head byte that is not 0
//	0            ends the entries
//	number       of entries, 8 bytes little-endian
//	checksum     xxHash64 of all before, 8 bytes little-endian
//
// with numbers as varints. It is a function of what the table will do: forgotten entries are left
// out, and so are counts that a flush covered which fell due at or before clock (whoever keeps a
// snapshot has the outputs before it acknowledged). Nothing tells in which order fingerprints
// came, what was evicted or how large the table had grown.
const magic = "quell.dedup\x02"

// The bits of an entry's head byte; the lowest three are the number of ids.
const (
	headEntry  = 1 << 7
	headLabels = 1 << 6
	headFired  = 1 << 5
	headOwed   = 1 << 4
	headIDs    = 7
)

// AppendSnapshot appends a canonical snapshot, of 40 to 100 bytes an entry, to dst.
func (t *Table) AppendSnapshot(dst []byte) []byte {
	dst = slices.Grow(dst, 64+80*t.live)
	for piece := range t.Snapshot(64 << 10) {
		dst = append(dst, piece...)
	}
	return dst
}

// Snapshot yields the bytes of AppendSnapshot in pieces of about size bytes. A piece is valid until
// the next one. The table must not be used in between.
func (t *Table) Snapshot(size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		sum, number := xxhash.New(), uint64(0)
		b := make([]byte, 0, size+256)
		b = t.stream.append(append(b, magic...))
		b = binary.AppendVarint(b, int64(t.clock+t.offset))
		for i, place := range t.index.places {
			if i%together == 0 {
				t.warmPlaces(t.index.places[i:min(i+together, len(t.index.places))])
			}
			if place == 0 {
				continue
			}
			n := t.slab.entry(uint32(place) - 1)
			if t.forgotten(n) {
				continue
			}
			number++
			if b = t.appendEntry(b, n); len(b) >= size {
				sum.Write(b)
				if !yield(b) {
					return
				}
				b = b[:0]
			}
		}
		b = binary.LittleEndian.AppendUint64(append(b, 0), number)
		sum.Write(b)
		yield(binary.LittleEndian.AppendUint64(b, sum.Sum64()))
	}
}

func (t *Table) appendEntry(b []byte, n *entry) []byte {
	owed := n.owed
	if n.flags&flagFlushed != 0 && t.dueOf(n) <= t.clock {
		owed = 0
	}
	at := len(b)
	b = append(b, headEntry)
	b = append(b, n.fp[:]...)
	b = binary.AppendUvarint(b, uint64(t.clock-n.last))
	b = binary.AppendUvarint(b, uint64(n.sincePass))
	b = binary.AppendVarint(b, int64(n.first-n.last-t.offset))
	b = binary.AppendVarint(b, int64(n.until-n.first))
	b = binary.AppendUvarint(b, n.count)
	b = binary.AppendVarint(b, n.lastOffset)
	b = binary.AppendVarint(b, n.lastOffset-n.episode)
	b = binary.AppendUvarint(b, uint64(n.home))
	b = append(b, byte(n.severity), byte(n.status))
	if n.flags&flagFired != 0 {
		b[at] |= headFired
	}
	if owed > 0 {
		b[at] |= headOwed
		b = binary.AppendUvarint(b, uint64(owed))
		b = binary.AppendVarint(b, int64(n.since-n.first))
		b = binary.AppendVarint(b, n.lastOffset-n.owedFrom)
	}
	if n.labels != 0 {
		b[at] |= headLabels
		b = binary.LittleEndian.AppendUint64(b, n.labels)
	}
	for i := range uint8(len(n.ids)) { // from the oldest
		if id := n.ids[(n.nextID+i)%uint8(len(n.ids))]; id != 0 {
			b[at]++
			b = binary.LittleEndian.AppendUint64(b, id)
		}
	}
	return b
}

// append appends the clock's state: stream time and the candidates for the maximum, oldest first.
func (c *StreamClock) append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(c.now))
	b = binary.AppendUvarint(b, uint64(c.tail-c.head))
	above := correlate.Time(0)
	for i := c.head; i != c.tail; i++ {
		ts := c.times[i%streamWindow]
		b = binary.AppendUvarint(b, c.seq-c.seqs[i%streamWindow])
		b = binary.AppendVarint(b, int64(above-ts))
		above = ts
	}
	return b
}
