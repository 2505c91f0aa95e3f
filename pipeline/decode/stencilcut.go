package decode

import "encoding/binary"

// cut makes the stencil of the payload, which has just been accepted. Names that are written with
// escapes, and more members than a stencil may have, make none.
func (s *scanner) cut(root *node) {
	t := &s.stencil
	if len(s.p) > stencilText {
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
	t.holes, t.tail = c.holes, c.text[c.from:]
}

// cutter walks over an accepted payload.
type cutter struct {
	s     *scanner
	text  string // the payload: the holes keep it
	from  int    // end of the value before
	holes []hole
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
	h := hole{text: text, child: child, plain: text[0] == ',', depth: depth, key: x.off - uint32(c.from), n: x.n}
	h.path = append(h.path, s.labels.path...)
	if h.label = h.text[h.key : h.key+h.n]; depth > 1 {
		h.label = string(h.path) + "." + h.label
	}
	last := max(0, len(text)-8)
	h.words = [2]word{wordOf(text[:min(8, len(text))], 0), wordOf(text[last:], last)}
	c.holes = append(c.holes, h)
}

func wordOf(text string, at int) word {
	var b [8]byte
	n := copy(b[:], text)
	return word{is: binary.LittleEndian.Uint64(b[:]), mask: ^uint64(0) >> (64 - 8*n), at: at}
}

// value passes over the value of the last hole's member.
func (c *cutter) value(x key, i int, child *node, depth int) int {
	s, p := c.s, c.s.p
	if p[i] != '{' || p[space(p, i+1)] == '}' {
		c.from = s.skip(i, depth)
		return c.from
	}
	c.holes[len(c.holes)-1].enter, c.from = true, i
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
