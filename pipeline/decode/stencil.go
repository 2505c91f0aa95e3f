package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
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
	misses int    // payloads that did not fit, less those that did
	rest   int    // so many payloads go by before the next stencil is cut
	pause  int    // the next rest
}

// hole is a value's place.
type hole struct {
	text  string // that stands between the value before and this one
	words [2]word
	child *node // what the format wants of the member, nil for nothing
	plain bool  // the member follows another one of its object: it may be missing
	enter bool  // the value is an object that has holes of its own
	depth int   // of the object that the member is in
	key   uint32
	n     uint32 // the name is text[key:key+n]
	label string // what the value becomes, if the format names it by its path
	path  []byte // of the object that the member is in, for what is inside an array
}

// word is some of the first or of the last eight bytes of a hole's text.
type word struct {
	is, mask uint64
	at       int // in the text
}

const (
	stencilHoles  = 128
	stencilText   = 64 << 10 // bytes of a payload that is worth one
	stencilMisses = 32
	stencilPause  = 64 // payloads; each stencil in vain doubles it
	stencilRest   = 1 << 16
)

// stands tells whether the hole's text stands at i.
func (h *hole) stands(p []byte, i int) bool {
	n := len(h.text)
	if a, b := &h.words[0], &h.words[1]; uint(i+b.at+8) <= uint(len(p)) {
		return (binary.LittleEndian.Uint64(p[i:])^a.is)&a.mask|
			(binary.LittleEndian.Uint64(p[i+b.at:])^b.is)&b.mask == 0 &&
			(n <= 16 || string(p[i+8:i+n-8]) == h.text[8:n-8])
	}
	return len(p)-i >= n && string(p[i:i+n]) == h.text
}

// press lays the stencil over the payload and fills slots and labels. When it returns false, it may
// have filled some of them.
func (s *scanner) press() bool {
	p, holes := s.p, s.stencil.holes
	i, seen := 0, uint64(0)
	for k := range holes {
		h := &holes[k]
		if !h.stands(p, i) {
			if !h.plain {
				return false
			}
			continue
		}
		s.fields++
		i += len(h.text)
		end := i + 1
		if i < len(p) && p[i] == '"' {
			for {
				if len(p)-end < 8 {
					seen |= lastWord(p)
					end = run(p, end)
					break
				}
				w := binary.LittleEndian.Uint64(p[end:])
				seen |= w
				if m := ends(w); m != 0 {
					end += bits.TrailingZeros64(m) >> 3
					break
				}
				end += 8
			}
			if end < len(p) && p[end] == '"' {
				v := slot{uint32(i + 1), uint32(end - i - 1), kindString}
				end++
				if h.child != nil {
					if h.child.role == roleSlot {
						s.slots[h.child.slot] = v
					} else if s.keep(h, i, end, v) < 0 {
						return false
					}
				}
				i = end
				continue
			}
		}
		if i < len(p) && (p[i] == '"' || p[i] == '[' || p[i] == '{') && !h.enter {
			seen |= highBits // for all that is known
		}
		if i = s.through(h, i); i < 0 {
			return false
		}
	}
	return s.fields <= s.limits.MaxFields && string(p[i:]) == s.stencil.tail &&
		(seen&highBits == 0 || utf8.Valid(p))
}

// lastWord returns the last eight bytes, or what says that they are not known.
func lastWord(p []byte) uint64 {
	if len(p) < 8 {
		return highBits
	}
	return binary.LittleEndian.Uint64(p[len(p)-8:])
}

// keep makes a label of the string v, which stood in a hole.
func (s *scanner) keep(h *hole, i, end int, v slot) int {
	switch h.child.role {
	case roleLabel:
		return s.label(end, h.name(i), v)
	case roleFlat:
		return s.flat(end, h.label, true, v)
	}
	return end
}

// name returns the name of the hole whose value stands at i.
func (h *hole) name(i int) key {
	return key{off: uint32(i-len(h.text)) + h.key, n: h.n}
}

// through scans what stands in a hole at i and is no plain string.
func (s *scanner) through(h *hole, i int) int {
	if h.enter {
		if h.child != nil && h.child.role == roleSlot {
			s.slots[h.child.slot] = slot{off: uint32(i), kind: kindObject}
		}
		return i
	}
	if h.child == nil {
		return s.skip(i, h.depth)
	}
	s.labels.path = append(s.labels.path[:0], h.path...)
	return s.member(i, h.child, h.name(i), h.depth)
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
