package dedup

import "quell/correlate"

// Ahead is what can be found out about an event before those before it have been observed.
type Ahead struct {
	labels uint64 // keyed hash of the pass_on labels' values
	id     uint64 // keyed hash of the statement that the id names, 0 when there is none
	slot   uint32 // where the fingerprint was found
}

// Warm finds out about events what can be known ahead, for [Sighting.Ahead], and changes nothing. It
// brings what Observe will read of their fingerprints into the processor's caches: a table of
// millions lies in main memory, and an event that waits for it waits two or three times 100 ns.
// Events that are looked at together wait together: the loads below do not depend on each other, so
// the processor has many of them under way. Call it for some 64 events of a batch at a time, just
// before they are observed. The three slices have one length.
func (t *Table) Warm(fps []correlate.Fingerprint, events []correlate.Event, to []Ahead) {
	sum := uint64(0)
	for i := range fps {
		sum += t.index.places[t.index.home(prefixOf(&fps[i]))]
	}
	t.hash(events, to)
	for i := range fps {
		to[i].slot = none
		prefix := prefixOf(&fps[i])
		for j := t.index.home(prefix); j < len(t.index.places); j++ {
			place := t.index.places[j]
			if place == 0 || place>>32 > prefix {
				break
			}
			if place>>32 == prefix {
				to[i].slot = uint32(place) - 1
				sum += t.touch(to[i].slot)
				break
			}
		}
	}
	for i := range to {
		if slot := to[i].slot; slot != none { // it will leave its place in the order
			sum += t.slab.neighbours(slot)
		}
	}
	next := t.slab.oldest // what will be removed, and its slots be taken again
	for range fps {
		if next == 0 || !t.forgotten(t.slab.entry(next-1)) {
			break
		}
		sum += t.index.places[t.index.home(prefixOf(&t.slab.entry(next-1).fp))] + t.touch(next-1)
		next = t.slab.link(next - 1).newer
	}
	t.warmed = sum
}

// ahead is Warm for one event that is observed at once.
func (t *Table) ahead(e *correlate.Event) *Ahead {
	t.one[0] = Ahead{slot: none}
	t.hash([]correlate.Event{*e}, t.one[:])
	return &t.one[0]
}

// hash fills in the hashes. As with fingerprints, all texts are written before the first is hashed.
func (t *Table) hash(events []correlate.Event, to []Ahead) {
	b, ends := t.scratch[:0], t.ends[:0]
	for i := range events {
		b = t.appendLabels(b, &events[i])
		ends = append(ends, len(b))
		b = appendStatement(b, &events[i])
		ends = append(ends, len(b))
	}
	t.scratch, t.ends = append(b, 0, 0, 0, 0, 0, 0, 0, 0), ends // which tail may read
	b = t.scratch
	from := 0
	for i := range events {
		labels, id := b[from:ends[2*i]], b[ends[2*i]:ends[2*i+1]]
		from = ends[2*i+1]
		if to[i].labels = 0; len(labels) > 0 {
			to[i].labels = t.key.sum64(labels)
		}
		if to[i].id = 0; len(id) > 0 {
			to[i].id = max(t.key.sum64(id), 1)
		}
	}
	if cap(b) > scratchKeep {
		t.scratch = nil
	}
}

// appendStatement appends what the event's id names, and nothing when it has none. Severity and
// status are part: see the package comment.
func appendStatement(b []byte, e *correlate.Event) []byte {
	if e.ID == "" {
		return b
	}
	return append(append(b, byte(e.Severity), byte(e.Status)), e.ID...)
}

// appendLabels appends the pass_on labels' values; an absent label is an empty one.
func (t *Table) appendLabels(b []byte, e *correlate.Event) []byte {
	at := 0
	for _, name := range t.config.PassOn {
		var value string
		value, at = labelFrom(e.Labels, at, name)
		b = appendDelimited(b, value)
	}
	return b
}

// together is how many places of the index a snapshot warms at once.
const together = 64

// warmPlaces does for the entries of a piece of the index what Warm does for fingerprints. In the
// order of fingerprints, entries lie anywhere.
func (t *Table) warmPlaces(places []uint64) {
	sum := uint64(0)
	for _, place := range places {
		if place != 0 {
			sum += t.touch(uint32(place) - 1)
		}
	}
	t.warmed = sum
}

// touch reads from each cache line of an entry, and its link.
func (t *Table) touch(slot uint32) uint64 {
	n := t.slab.entry(slot)
	return uint64(n.fp[0]) + uint64(n.until) + n.ids[0] + uint64(n.flags) + uint64(t.slab.link(slot).newer)
}
