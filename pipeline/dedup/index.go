package dedup

import (
	"bytes"
	"encoding/binary"

	"quell/correlate"
)

// index finds slots by fingerprint: an open-addressing array with linear probing in which all
// elements are sorted by fingerprint. An element is the fingerprint's first 32 bits above slot+1; 0
// is a free place. The home of an element is its prefix scaled to size, so homes are sorted as
// the prefixes are, and the array stays sorted as long as insertion keeps each run sorted.
//
//	size 8:  home      0     1     2     3     4     5     6     7   | spill
//	                  [ ]  [2a.] [31.] [3f.] [8c.] [ ]  [d0.] [e1.] | [ff.] ...
//
// A search for an absent fingerprint ends at the first greater one. Deletion closes the gap, so
// there are no tombstones. Runs do not wrap around: they go on behind the end, in the spill, which
// is lengthened should it not suffice.
type index struct {
	places []uint64
	size   uint64 // homes; places beyond are spill
	used   int
}

const (
	minIndex = 256
	spill    = 1024
)

func prefixOf(fp *correlate.Fingerprint) uint64 { return uint64(binary.BigEndian.Uint32(fp[:4])) }

func newIndex(size int) index {
	return index{places: make([]uint64, size+spill), size: uint64(size)}
}

func (x *index) home(prefix uint64) int { return int(prefix * x.size >> 32) }

// find returns the slot of fp, or none.
func (x *index) find(s *slab, fp *correlate.Fingerprint) uint32 {
	prefix := prefixOf(fp)
	for i := x.home(prefix); i < len(x.places); i++ {
		place := x.places[i]
		if place>>32 > prefix || place == 0 {
			break
		}
		if place>>32 == prefix && s.entry(uint32(place)-1).fp == *fp {
			return uint32(place) - 1
		}
	}
	return none
}

// insert adds slot, whose fingerprint is absent.
func (x *index) insert(s *slab, slot uint32, limit int) {
	if uint64(x.used) >= x.size/4*3 {
		x.grow(limit)
	}
	fp := &s.entry(slot).fp
	prefix := prefixOf(fp)
	i := x.home(prefix)
	for x.before(s, i, prefix, fp) {
		i++
	}
	end := i
	for end < len(x.places) && x.places[end] != 0 {
		end++
	}
	if end == len(x.places) {
		x.places = append(x.places, make([]uint64, spill)...)
	}
	copy(x.places[i+1:end+1], x.places[i:end])
	x.places[i] = prefix<<32 | uint64(slot+1)
	x.used++
}

// before reports whether the place i is taken by something that sorts before fp.
func (x *index) before(s *slab, i int, prefix uint64, fp *correlate.Fingerprint) bool {
	if i == len(x.places) || x.places[i] == 0 {
		return false
	}
	if p := x.places[i] >> 32; p != prefix {
		return p < prefix
	}
	other := &s.entry(uint32(x.places[i]) - 1).fp
	return bytes.Compare(other[:], fp[:]) < 0
}

// remove takes out slot, which is present, and moves what follows back towards its home.
func (x *index) remove(slot uint32, fp *correlate.Fingerprint) {
	i := x.home(prefixOf(fp))
	for uint32(x.places[i]) != slot+1 {
		i++
	}
	end := i + 1
	for end < len(x.places) && x.places[end] != 0 && x.home(x.places[end]>>32) < end {
		end++
	}
	copy(x.places[i:end-1], x.places[i+1:end])
	x.places[end-1] = 0
	x.used--
}

// grow makes room for half as many again, at most for limit entries at three quarters.
func (x *index) grow(limit int) {
	size := int(x.size) + int(x.size)/2
	if most := (limit/3 + 2) * 4; size > most && most > int(x.size) {
		size = most
	}
	y := newIndex(size)
	for _, place := range x.places {
		if place != 0 {
			y.add(place)
		}
	}
	*x = y
}

// add appends a place that sorts behind all others.
func (x *index) add(place uint64) {
	i := x.home(place >> 32)
	for i < len(x.places) && x.places[i] != 0 {
		i++
	}
	if i == len(x.places) {
		x.places = append(x.places, make([]uint64, spill)...)
	}
	x.places[i] = place
	x.used++
}
