package dedup

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"quell/correlate"
)

// The index against a map, with fingerprints that a keyed hash would never give: all in one run, at
// the end of the array, with equal prefixes.
func TestIndexAgreesWithMap(t *testing.T) {
	for _, c := range []struct {
		name string
		mask uint32 // bits of the prefix that vary
		base uint32
	}{
		{"spread", 0xffffffff, 0}, {"one prefix", 0, 0xffffffff}, {"end of the array", 7, 0xfffffff0},
		{"few homes", 0x11, 0x80000000},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 8))
			x, s := newIndex(minIndex), slab{}
			want := map[correlate.Fingerprint]uint32{}
			for range 6000 {
				var fp correlate.Fingerprint
				binary.BigEndian.PutUint32(fp[:], c.base|rng.Uint32()&c.mask)
				binary.BigEndian.PutUint16(fp[14:], uint16(rng.IntN(3000)))
				slot := x.find(&s, &fp)
				known, ok := want[fp]
				if ok != (slot != none) || ok && slot != known {
					t.Fatalf("%v is in slot %d, want %d, %v", fp, slot, known, ok)
				}
				if ok {
					x.remove(slot, &fp)
					s.release(slot)
					delete(want, fp)
					continue
				}
				slot = s.take()
				s.entry(slot).fp = fp
				x.insert(&s, slot, 1<<20)
				want[fp] = slot
			}
			checkSorted(t, &x, &s, len(want))
			x.grow(1 << 20)
			checkSorted(t, &x, &s, len(want))
			for fp, slot := range want {
				if got := x.find(&s, &fp); got != slot {
					t.Fatalf("after growth %v is in slot %d, want %d", fp, got, slot)
				}
			}
		})
	}
}

func checkSorted(t *testing.T, x *index, s *slab, number int) {
	t.Helper()
	var before correlate.Fingerprint
	n := 0
	for i, place := range x.places {
		if place == 0 {
			continue
		}
		fp := s.entry(uint32(place) - 1).fp
		if n > 0 && bytes.Compare(before[:], fp[:]) >= 0 {
			t.Fatalf("place %d: %v follows %v", i, fp, before)
		}
		if x.home(prefixOf(&fp)) > i {
			t.Fatalf("place %d is before the home of %v", i, fp)
		}
		before = fp
		n++
	}
	if n != number || x.used != number {
		t.Fatalf("%d places taken, %d counted, want %d", n, x.used, number)
	}
}

// A free place of the index looks like one of prefix 0.
func TestWarmOfPrefixZero(t *testing.T) {
	x := grown(t, 1000)
	fps := []correlate.Fingerprint{{}, {15: 1}, scatter(1), scatter(5000)}
	before := x.AppendSnapshot(nil)
	events, to := make([]correlate.Event, len(fps)), make([]Ahead, len(fps))
	x.Warm(fps, events, to)
	table(t, Config{}).Warm(fps, events, to)
	if !bytes.Equal(before, x.AppendSnapshot(nil)) {
		t.Error("warming changed the table")
	}
}
