package dedup

import "quell/correlate"

// Warm brings what Observe will read of these fingerprints into the processor's caches and changes
// nothing. A table of millions lies in main memory, and an event that waits for it waits two or
// three times 100 ns. Events that are looked at together wait together: the loads below do
// not depend on each other, so the processor has many of them under way. Call it for some 64 events
// of a batch at a time, just before they are observed.
func (t *Table) Warm(fps []correlate.Fingerprint) {
	sum := uint64(0)
	for i := range fps {
		sum += t.index.places[t.index.home(prefixOf(&fps[i]))]
	}
	for i := range fps {
		prefix := prefixOf(&fps[i])
		for j := t.index.home(prefix); j < len(t.index.places); j++ {
			place := t.index.places[j]
			if place == 0 || place>>32 > prefix {
				break
			}
			if place>>32 == prefix {
				sum += t.touch(uint32(place) - 1)
				break
			}
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
	return uint64(n.first) + n.labels + uint64(n.flags) + uint64(t.slab.link(slot).newer)
}
