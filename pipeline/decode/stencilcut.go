package decode

import (
	"encoding/binary"
	"slices"
	"strings"
)

// cut makes the stencil of the payload, which has just been accepted. Names that are written with
// escapes, and more members than a stencil may have, make none.
func (s *scanner) cut(root *node) {
	t := &s.stencil
	if len(s.p) > stencilMost {
		t.discard()
		return
	}
	s.fields, s.labels.path = 0, s.labels.path[:0]
	c := cutter{s: s, text: string(s.p)}
	if c.object(space(s.p, 0), root, 1) < 0 {
		t.discard()
		s.failed = nil
		return
	}
	t.holes, t.tail, t.labels = c.holes, c.text[c.from:], 0
	if t.desk == nil {
		t.desk = new(desk)
	}
	if !s.mixed {
		t.labels = c.rank()
	}
}

// cutter walks over an accepted payload.
type cutter struct {
	s     *scanner
	text  string // the payload: the holes keep it
	from  int    // end of the value before
	holes []hole
	loose bool // an object or an array in a hole became labels
}

// object cuts the holes of the object whose brace stands at i and which is not empty. It returns
// the position behind, or -1 for no stencil.
func (c *cutter) object(i int, n *node, depth int) int {
	p := c.s.p
	for p[i] != '}' {
		x, value := c.s.key(space(p, i+1))
		if value < 0 || x.n&unescapedKey != 0 || len(c.holes) == stencilHoles {
			return -1
		}
		var child *node
		if n != nil {
			child = n.find(c.s, x)
		}
		c.hole(x, value, child, depth)
		if i = c.value(x, value, child, depth); i < 0 {
			return -1
		}
		i = space(p, i)
	}
	return i + 1
}

// hole adds the hole of the member x.
func (c *cutter) hole(x key, value int, child *node, depth int) {
	s, text := c.s, c.text[c.from:value]
	h := hole{text: text, n: int32(len(text)), slot: -1, rank: -1, plain: text[0] == ',', child: child, depth: depth,
		key: x.off - uint32(c.from), name: x.n, path: append([]byte(nil), s.labels.path...)}
	for i := range h.words {
		part := text[min(8*i, len(text)):min(8*i+8, len(text))]
		h.words[i], h.masks[i] = wordOf(part), ^uint64(0)>>(64-8*len(part))
	}
	if child != nil && child.role == roleSlot {
		h.slot = int32(child.slot)
	}
	if h.label = text[h.key : h.key+h.name]; child != nil && child.role == roleFlat && depth > 1 {
		h.label = string(h.path) + "." + h.label
	}
	c.holes = append(c.holes, h)
}

// wordOf returns the first eight bytes of text, those that are missing as zeroes.
func wordOf(text string) uint64 {
	var b [8]byte
	copy(b[:], text)
	return binary.LittleEndian.Uint64(b[:])
}

// rank finds the order of the labels that the holes' scalars become and returns their number, or 0
// if that depends on more than which of them there are.
func (c *cutter) rank() int {
	if c.loose {
		return 0
	}
	l, named := &c.s.limits, []*hole{}
	for k := range c.holes {
		h := &c.holes[k]
		if h.enter || h.child == nil || h.child.role != roleLabel && h.child.role != roleFlat {
			continue
		}
		if h.label == "" || len(h.label) > l.MaxLabelName {
			return 0
		}
		named = append(named, h)
	}
	slices.SortFunc(named, func(a, b *hole) int { return strings.Compare(a.label, b.label) })
	for i := range named {
		if i > 0 && named[i].label == named[i-1].label || len(named) > l.MaxLabels {
			return 0
		}
	}
	for i, h := range named {
		h.rank = int32(i)
	}
	return len(named)
}

// value passes over the value of the last hole's member.
func (c *cutter) value(x key, i int, child *node, depth int) int {
	s, p := c.s, c.s.p
	if p[i] != '{' || p[space(p, i+1)] == '}' {
		c.loose = c.loose || child != nil && child.flattens() && (p[i] == '{' || p[i] == '[')
		c.from = s.skip(i, depth)
		return c.from
	}
	// Its holes are not passed over with it, so it may not be missing: the first of them begins with the
	// brace, and would fit behind any value.
	h := &c.holes[len(c.holes)-1]
	h.enter, h.plain, c.from = true, false, i
	mark := len(s.labels.path)
	if child != nil && child.flattens() {
		if depth > 1 {
			s.labels.path = append(s.labels.path, '.')
		}
		s.labels.path = append(s.labels.path, s.keys.name(p, x)...)
	}
	i = c.object(i, child, depth+1)
	s.labels.path = s.labels.path[:mark]
	return i
}
