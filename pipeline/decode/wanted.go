package decode

import "strconv"

// What the scanner does with the parts of a payload that a format wants: slots for the fields,
// labels for the rest.

// member scans the value of the member x at i, of which the format wants c.
func (s *scanner) member(i int, c *node, x key, depth int) int {
	if c.role == roleRefuse {
		return s.fail(UnknownField, int(x.off), "the field %s is unknown and unknown fields are "+
			"refused", quote(s.keys.name(s.p, x)))
	}
	v, end := slot{}, -1
	if p := s.p; i < len(p) && p[i] == '"' { // the common case without a call
		if end = run(p, i+1); end < len(p) && p[end] == '"' {
			v = slot{uint32(i + 1), uint32(end - i - 1), kindString}
			end++
		} else {
			end = -1
		}
	}
	if end < 0 {
		if v, end = s.scalar(i); end < 0 {
			return -1
		}
		if v.kind == kindObject || v.kind == kindArray {
			return s.nested(i, c, x, depth)
		}
	}
	switch c.role {
	case roleSlot:
		s.slots[c.slot] = v
	case roleLabel:
		return s.label(end, x, v)
	case roleFlat:
		return s.flatMember(end, x, v, depth)
	}
	return end
}

// nested scans the object or array of the member x at i. If what it holds is to become labels,
// their path gets longer by its name.
func (s *scanner) nested(i int, c *node, x key, depth int) int {
	if c.role == roleLabel {
		return s.fail(BadType, i, "the label %s must be a string, a number or a boolean",
			quote(s.keys.name(s.p, x)))
	}
	if !c.flattens() {
		return s.value(i, c, depth)
	}
	mark := len(s.labels.path)
	if depth > 1 {
		s.labels.path = append(s.labels.path, '.')
	}
	s.labels.path = append(s.labels.path, s.keys.name(s.p, x)...)
	i = s.value(i, c, depth)
	s.labels.path = s.labels.path[:mark]
	return i
}

// flattens tells whether scalars below n may become labels named by their paths.
func (n *node) flattens() bool { return n.other != nil && n.other.role == roleFlat }

// value scans the value at i; c is what the format wants of it, nil for nothing.
func (s *scanner) value(i int, c *node, depth int) int {
	if c == nil {
		return s.skip(i, depth)
	}
	v, end := s.scalar(i)
	if end < 0 {
		return -1
	}
	if c.role == roleSlot {
		s.slots[c.slot] = v
	}
	switch v.kind {
	case kindObject:
		return s.object(i, c, depth+1)
	case kindArray:
		return s.array(i, c, depth+1)
	}
	if c.role == roleFlat {
		return s.flat(end, view(s.labels.path), false, v)
	}
	return end
}

// element scans the element at i, of which the format wants c.
func (s *scanner) element(i int, c *node, index, depth int) int {
	if c == nil || !c.flattens() {
		return s.value(i, c, depth)
	}
	mark := len(s.labels.path)
	s.labels.path = append(s.labels.path, '[')
	s.labels.path = strconv.AppendInt(s.labels.path, int64(index), 10)
	s.labels.path = append(s.labels.path, ']')
	i = s.value(i, c, depth)
	s.labels.path = s.labels.path[:mark]
	return i
}

// flatMember keeps the scalar member x of an object at this depth as a label named by its path.
func (s *scanner) flatMember(end int, x key, v slot, depth int) int {
	name := s.keys.name(s.p, x)
	mark := len(s.labels.path)
	if depth == 1 {
		return s.flat(end, name, x.n&unescapedKey == 0, v)
	}
	s.labels.path = append(s.labels.path, '.')
	s.labels.path = append(s.labels.path, name...)
	end = s.flat(end, view(s.labels.path), false, v)
	s.labels.path = s.labels.path[:mark]
	return end
}

// flat keeps a scalar that nobody asked for as a label and returns end. Unless stable, the name's
// memory is used again and the label needs a copy.
func (s *scanner) flat(end int, name string, stable bool, v slot) int {
	if v.kind == kindNull {
		return end
	}
	l, c := &s.limits, &s.labels
	exact := len(c.exact) > 0 && c.isExact(name)
	if !exact && (len(name) > l.MaxLabelName || len(c.labels)-c.explicit >= l.MaxLabels) {
		c.notes |= DroppedLabels
		return end
	}
	value := s.text(v)
	if len(value) > l.MaxLabelValue {
		if exact {
			return s.fail(OverLimit, int(v.off), "the value of label %s has %d bytes, more than "+
				"max_label_value %d", quote(name), len(value), l.MaxLabelValue)
		}
		value = cutRunes(value, l.MaxLabelValue)
		c.notes |= CutLabel
	}
	if !stable {
		name = s.arena.copy(name)
	}
	c.add(cameAlong, name, value)
	return end
}

// label keeps an explicit label and returns end, or fails when it is over a bound.
func (s *scanner) label(end int, x key, v slot) int {
	if v.kind == kindNull {
		return end
	}
	name, value := s.keys.name(s.p, x), s.text(v)
	l := &s.limits
	switch {
	case len(name) > l.MaxLabelName:
		return s.fail(OverLimit, int(v.off), "the label name %s has %d bytes, more than "+
			"max_label_name %d", quote(name), len(name), l.MaxLabelName)
	case len(value) > l.MaxLabelValue:
		return s.fail(OverLimit, int(v.off), "the value of label %s has %d bytes, more than "+
			"max_label_value %d", quote(name), len(value), l.MaxLabelValue)
	case s.labels.explicit >= l.MaxLabels:
		return s.fail(OverLimit, int(v.off), "more labels than max_labels %d", l.MaxLabels)
	}
	if x.n&unescapedKey != 0 {
		name = s.arena.copy(name)
	}
	s.labels.add(explicit, name, value)
	return end
}
