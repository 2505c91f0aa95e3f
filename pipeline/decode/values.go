package decode

import (
	"encoding/binary"
	"math/bits"
)

// The grammar of JSON: each function scans what begins at i and returns the position behind it, or
// -1 after a failure. n and c are nodes of the format's trie, nil for parts that nobody wants.

// object scans the object whose brace stands at i and returns the position behind it. n is what
// the format wants of it, nil for nothing.
func (s *scanner) object(i int, n *node, depth int) int {
	if depth > s.limits.MaxDepth {
		return s.fail(TooDeep, i, "nested deeper than max_depth %d", s.limits.MaxDepth)
	}
	p := s.p
	if i = space(p, i+1); i < len(p) && p[i] == '}' {
		return i + 1
	}
	o := open{of: n, base: len(s.keys.stack)}
	if s.trail.recording {
		o.object = s.trail.enter()
	}
	for {
		if s.fields++; s.fields > s.limits.MaxFields {
			return s.fail(OverLimit, i, "more members than max_fields %d", s.limits.MaxFields)
		}
		if st := s.trail.expect(p, i, n, o.object); st != nil {
			i = s.expected(i, &o, st, depth)
		} else {
			i = s.unforeseen(i, &o, depth)
		}
		if i < 0 {
			return -1
		}
		if i < len(p) && p[i] <= ' ' {
			i = space(p, i)
		}
		if i < len(p) && p[i] == ',' {
			if i++; i < len(p) && p[i] <= ' ' {
				i = space(p, i)
			}
			continue
		}
		if i >= len(p) || p[i] != '}' {
			return s.unexpected(i, "a comma or a closing brace")
		}
		return s.endObject(i+1, &o)
	}
}

// open is what is known of an object while it is scanned.
type open struct {
	of     *node
	base   int    // of its names in keys.stack
	bloom  uint64 // of their hashes
	object int32  // the recorded object that its names follow, or that is being recorded
	strict bool   // a name was not expected: the next ones may be its double
}

// expected scans a member whose name the trail has foreseen.
func (s *scanner) expected(i int, o *open, st *step, depth int) int {
	x := key{st.hash, uint32(i + 1), uint32(len(st.text) - 3)}
	if o.object = st.object; o.strict && s.keys.seen(s.p, o.base, x) {
		return s.duplicate(x)
	}
	o.bloom |= 1 << (x.hash >> 58)
	s.keys.stack = append(s.keys.stack, x)
	after := st.after
	if i += len(st.text); i < len(s.p) && s.p[i] <= ' ' {
		i = space(s.p, i)
	}
	if st.child == nil {
		i = s.skip(i, depth)
	} else {
		i = s.member(i, st.child, x, depth)
	}
	s.trail.next = int(after)
	return i
}

// unforeseen scans a member with all that a name asks for.
func (s *scanner) unforeseen(i int, o *open, depth int) int {
	x, end := s.key(i)
	if end < 0 {
		return -1
	}
	o.strict = true
	if bit := uint64(1) << (x.hash >> 58); o.bloom&bit == 0 {
		o.bloom |= bit
	} else if s.keys.seen(s.p, o.base, x) {
		return s.duplicate(x)
	}
	s.keys.stack = append(s.keys.stack, x)
	var c *node
	if o.of != nil {
		c = o.of.find(s, x)
	}
	recorded := -1
	if s.trail.recording {
		recorded = s.trail.record(s.p, x, o.of, c, o.object)
	}
	if c == nil {
		i = s.skip(end, depth)
	} else {
		i = s.member(end, c, x, depth)
	}
	s.trail.left(recorded)
	return i
}

// key scans the member name at i with its colon and returns it and the position of the value.
func (s *scanner) key(i int) (x key, end int) {
	p := s.p
	if i >= len(p) || p[i] != '"' {
		return x, s.unexpected(i, "a member name in quotes")
	}
	i++
	x.off = uint32(i)
	short := false
	if len(p)-i >= 8 { // most names end within one word, which is their hash as well
		w := binary.LittleEndian.Uint64(p[i:])
		if m := ends(w); m != 0 {
			n := bits.TrailingZeros64(m) >> 3
			x.n, x.hash, end, short = uint32(n), hashShort(w, n), i+n, true
		}
	}
	if !short {
		end = run(p, i)
		x.n, x.hash = uint32(end-i), hashAt(p, i, end-i)
	}
	if end >= len(p) || p[end] != '"' {
		if end, x = s.escapedKey(i, end); end < 0 {
			return x, -1
		}
	}
	if end++; end < len(p) && p[end] != ':' {
		end = space(p, end)
	}
	if end >= len(p) || p[end] != ':' {
		return x, s.unexpected(end, "a colon")
	}
	if end++; end < len(p) && p[end] <= ' ' {
		end = space(p, end)
	}
	return x, end
}

// endObject forgets the names of the innermost object.
func (s *scanner) endObject(i int, o *open) int {
	if o.strict {
		if x, twice := s.keys.repeated(s.p, o.base); twice {
			return s.duplicate(x)
		}
	}
	s.keys.stack = s.keys.stack[:o.base]
	return i
}

func (s *scanner) duplicate(x key) int {
	at := -1
	if x.n&unescapedKey == 0 {
		at = int(x.off)
	}
	return s.fail(DuplicateKey, at, "the name %s occurs twice in an object",
		quote(s.keys.name(s.p, x)))
}

// escapedKey scans a name that begins at start and of which the bytes up to i are plain.
func (s *scanner) escapedKey(start, i int) (int, key) {
	end := s.escapes(i)
	if end < 0 {
		return -1, key{}
	}
	off := len(s.keys.unescaped)
	s.keys.unescaped = unescape(s.keys.unescaped, s.p[start:end])
	n := len(s.keys.unescaped) - off
	return end, key{hashAt(s.keys.unescaped, off, n), uint32(off), uint32(n) | unescapedKey}
}

// escapes goes on in a string at i, where its first run ended, checks it and returns the position
// of its closing quote.
func (s *scanner) escapes(i int) int {
	for ; ; i = run(s.p, i) {
		if i >= len(s.p) {
			return s.unexpected(i, "the end of a string")
		}
		switch c := s.p[i]; c {
		case '"':
			return i
		case '\\':
			_, next, wrong := escape(s.p, i)
			if wrong == InvalidUTF8 {
				return s.fail(wrong, i, "half of a surrogate pair")
			} else if wrong != 0 {
				return s.fail(wrong, i, "a malformed escape sequence")
			}
			i = next
		default:
			return s.fail(InvalidJSON, i, "a raw control character %#02x in a string", c)
		}
	}
}

// skip scans a value that nobody wants. depth is that of what contains it.
func (s *scanner) skip(i, depth int) int {
	if p := s.p; i < len(p) && p[i] == '"' { // the common case without a call
		if end := run(p, i+1); end < len(p) && p[end] == '"' {
			return end + 1
		}
	}
	v, end := s.scalar(i)
	switch {
	case end < 0:
		return -1
	case v.kind == kindObject:
		return s.object(i, nil, depth+1)
	case v.kind == kindArray:
		return s.array(i, nil, depth+1)
	}
	return end
}

// scalar scans a scalar at i. Of an object or array it only tells the kind.
func (s *scanner) scalar(i int) (slot, int) {
	p := s.p
	if i >= len(p) {
		return slot{}, s.unexpected(i, "a value")
	}
	v, end := slot{off: uint32(i)}, -1
	switch c := p[i]; c {
	case '"':
		v.kind, v.off = kindString, uint32(i+1)
		if end = run(p, i+1); end >= len(p) || p[end] != '"' {
			if v.kind, end = kindEscaped, s.escapes(end); end < 0 {
				return v, -1
			}
		}
		v.n = uint32(end - i - 1)
		return v, end + 1
	case '{':
		v.kind = kindObject
		return v, i
	case '[':
		v.kind = kindArray
		return v, i
	case 't':
		v.kind, end = kindTrue, literal(p, i, "true")
	case 'f':
		v.kind, end = kindFalse, literal(p, i, "false")
	case 'n':
		v.kind, end = kindNull, literal(p, i, "null")
	default:
		v.kind, end = kindNumber, number(p, i)
	}
	if end < 0 {
		return v, s.unexpected(i, "a value")
	}
	v.n = uint32(end - i)
	return v, end
}

func (s *scanner) array(i int, n *node, depth int) int {
	if depth > s.limits.MaxDepth {
		return s.fail(TooDeep, i, "nested deeper than max_depth %d", s.limits.MaxDepth)
	}
	p := s.p
	if i = space(p, i+1); i < len(p) && p[i] == ']' {
		return i + 1
	}
	for index := 0; ; index++ {
		var c *node
		if n != nil {
			if index == 1 && n.single {
				return s.fail(MultipleEvents, i, "the array of single has more than one element")
			}
			c = n.at(index)
		}
		if i = s.element(i, c, index, depth); i < 0 {
			return -1
		}
		if i = space(p, i); i < len(p) && p[i] == ',' {
			i = space(p, i+1)
			continue
		}
		if i >= len(p) || p[i] != ']' {
			return s.unexpected(i, "a comma or a closing bracket")
		}
		return i + 1
	}
}
