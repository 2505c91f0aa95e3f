package decode

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"

	"quell/correlate"
)

// A monitoring system writes all its events in one form: the same names in the same order, with the
// same punctuation, and only the values differ. stencil is the text of an earlier payload with holes
// where its values were. It is laid over the next payload: between two values stands what stood
// there before, or the payload is scanned as any other. Where it fits, a comparison of two words
// replaces finding a name, looking it up and looking for its double, and braces, colons and commas
// are not looked at one by one.
//
//	payload  {"id":"a1","labels":{"team":"x"},"value":7}
//	holes    {"id":[  ],"labels":[{"team":[ ]},"value":[]     and the tail }
//
// A payload that fits is valid where its values are: names, nesting and punctuation are those of
// one that was accepted. A member may be missing (its hole is passed over), since what is left still
// has each name once. Whatever else is unusual (one member more, another order, a bound that was
// exceeded) makes the stencil not fit, and the scanner begins anew and knows nothing of it: so what
// is accepted, what it becomes and why it is rejected never depends on earlier payloads.
type stencil struct {
	holes  []hole
	tail   string // from the last value to the end
	labels int    // how many holes are labels, if their order is known; else 0
	misses int    // payloads that did not fit, less those that did
	rest   int    // so many payloads go by before the next stencil is cut
	pause  int    // the next rest
	desk   *desk  // of a decoder that has had a stencil
}

// hole is a value's place. What every payload needs of it is in its first cache line.
type hole struct {
	words, masks [2]uint64 // the text's first 16 bytes, and which of those it has
	n            int32     // bytes of the text
	slot         int32     // that a scalar fills, or -1
	rank         int32     // of the label that a scalar becomes, if their order is known, or -1
	plain        bool      // the member follows another one of its object: it may be missing
	enter        bool      // the value is an object with holes of its own, the first at its brace

	child *node  // what the format wants of the member, nil for nothing
	label string // what a scalar becomes, if the format names it by its path
	text  string // that stands between the value before and this one
	depth int    // of the object that the member is in
	key   uint32 // the name is text[key:key+name]
	name  uint32
	path  []byte // of the object that the member is in, for what is inside an array
}

const (
	stencilHoles  = 128
	stencilText   = 1 << 16
	stencilMost   = stencilText - 64 // bytes of a payload that may have one
	stencilMisses = 32
	stencilPause  = 64 // payloads; each stencil in vain doubles it
	stencilRest   = 1 << 16
)

// desk is where a payload is laid under the stencil, with zeroes behind it: so every position that
// has 16 bits may be read without asking where the payload ends, and the compiler knows it.
type desk [stencilText + 64]byte

// word returns the eight bytes at i.
func (d *desk) word(i uint) uint64 { return binary.LittleEndian.Uint64(d[i%stencilText:]) }

// lay copies the payload, of fewer than stencilText bytes less 16, to the desk.
func (d *desk) lay(p []byte) {
	n := copy(d[:stencilText], p)
	clear(d[n : n+32])
}

// press lays the stencil over the payload and fills slots and labels. When it returns false, it may
// have filled some of them.
func (s *scanner) press() bool {
	p, d, holes := s.p, s.stencil.desk, s.stencil.holes
	if len(p) > stencilMost {
		return false
	}
	d.lay(p)
	s.ready = s.arena.roomLabels(s.stencil.labels)[:s.stencil.labels]
	clear(s.ready)
	i, seen := uint(0), uint64(0)
	for k := range holes {
		h := &holes[k]
		a, b := d.word(i)^h.words[0], d.word(i+8)^h.words[1]
		if a&h.masks[0]|b&h.masks[1] != 0 || h.n > 16 && !strings.HasPrefix(view(p[i:]), h.text) {
			if h.plain {
				continue
			}
			return false
		}
		s.fields++
		i += uint(h.n)
		if d[i%stencilText] == '"' && !h.enter {
			end := i + 1
			for {
				a, b = d.word(end), d.word(end+8)
				seen |= a | b
				if a, b = ends(a), ends(b); a|b != 0 {
					break
				}
				end += 16
			}
			if end += first(a, b); d[end%stencilText] == '"' {
				v := slot{uint32(i + 1), uint32(end - i - 1), kindString}
				i = end + 1
				if h.slot >= 0 {
					s.slots[h.slot] = v
				} else if h.child != nil && !s.keep(h, v) {
					return false
				}
				continue
			}
		}
		if c := d[i%stencilText]; (c == '"' || c == '[' || c == '{') && !h.enter {
			seen |= highBits // for all that is known
		}
		end := s.through(h, int(i))
		if end < 0 {
			return false
		}
		i = uint(end)
	}
	return s.fields <= s.limits.MaxFields && string(p[i:]) == s.stencil.tail &&
		(seen&highBits == 0 || utf8.Valid(p)) && s.readyLabels()
}

// first returns the position of the first byte that is marked, in b if none is in a. It does
// not branch: values of seven and of nine bytes would be mistaken for each other all the time.
func first(a, b uint64) uint {
	n := uint(bits.TrailingZeros64(a)) >> 3 // 8 for none
	return n + uint(bits.TrailingZeros64(b))>>3&-(n>>3)
}

// through scans what stands in a hole at i and is no plain string.
func (s *scanner) through(h *hole, i int) int {
	switch {
	case h.enter:
		if h.slot >= 0 {
			s.slots[h.slot] = slot{off: uint32(i), kind: kindObject}
		}
		return i
	case h.child == nil:
		return s.skip(i, h.depth)
	case h.rank >= 0:
		v, end := s.scalar(i)
		if end < 0 || v.kind == kindObject || v.kind == kindArray || v.kind != kindNull && !s.keep(h, v) {
			return -1
		}
		return end
	}
	s.labels.path = append(s.labels.path[:0], h.path...)
	return s.member(i, h.child, key{off: uint32(i) - uint32(h.n) + h.key, n: h.name}, h.depth)
}

// keep makes a label of a scalar that stood in a hole.
func (s *scanner) keep(h *hole, v slot) bool {
	switch {
	case h.rank >= 0:
		if int(v.n) > s.limits.MaxLabelValue {
			return false // the scanner knows what to do
		}
		s.ready[h.rank] = correlate.Label{Name: h.label, Value: s.text(v)}
	case h.child.role == roleLabel:
		return s.label(0, key{off: v.off - 1 - uint32(h.n) + h.key, n: h.name}, v) >= 0
	case h.child.role == roleFlat:
		return s.flat(0, h.label, true, v) >= 0
	}
	return true
}

// readyLabels leaves out the labels that are absent. False when there are others.
func (s *scanner) readyLabels() bool {
	kept := s.ready[:0]
	for i := range s.ready {
		if s.ready[i].Name != "" {
			kept = append(kept, s.ready[i])
		}
	}
	if s.ready = nil; len(kept) > 0 {
		s.ready = s.arena.takeLabels(kept)
	}
	return len(kept) == 0 || len(s.labels.ranks) == 0
}

// due tells whether a stencil would be worth its making.
func (t *stencil) due() bool {
	if len(t.holes) > 0 {
		return false
	}
	t.rest--
	return t.rest < 0
}

// fitted and missed keep the account of a stencil: one that fits fewer than half of the payloads
// is thrown away. Where no form lasts, new ones are cut more and more rarely.
func (t *stencil) fitted() {
	if t.misses--; t.misses < -stencilMisses {
		t.misses, t.pause = -stencilMisses, 0
	}
}

func (t *stencil) missed() {
	if t.misses++; t.misses >= stencilMisses {
		t.discard()
	}
}

func (t *stencil) discard() {
	t.holes, t.tail, t.misses = nil, "", 0
	t.pause = min(max(2*t.pause, stencilPause), stencilRest)
	t.rest = t.pause
}
