package decode

import "math/bits"

// role says what becomes of the scalar that a node of the trie stands for.
type role uint8

const (
	roleSkip   role = iota // checked, not kept
	roleSlot               // kept in a slot
	roleFlat               // kept as a label named by its path, because nobody asked for it
	roleLabel              // kept as a label named by its key; an object or array is refused
	roleRefuse             // refused
)

// node is one place in the payloads of a format. The trie is immutable once compiled.
type node struct {
	role   role
	single bool // an array here has at most one element
	slot   int
	name   string
	other  *node // what a member without a child of its own is; nil: skipped

	children []*node // members, in order of compilation
	table    []entry // the same by hash; a power of two, at most half full
	shift    uint8
	items    []item // elements
}

type entry struct {
	hash  uint64
	n     uint32 // bytes of the name
	child *node
}

type item struct {
	index int
	child *node
}

// member returns the child for a name, made if need be.
func (n *node) member(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &node{name: name, role: roleSkip, slot: -1}
	n.children = append(n.children, c)
	return c
}

// element returns the child for an index, made if need be.
func (n *node) element(index int) *node {
	for _, it := range n.items {
		if it.index == index {
			return it.child
		}
	}
	c := &node{role: roleSkip, slot: -1}
	n.items = append(n.items, item{index, c})
	return c
}

// compile builds the tables below n. Scalars that have no slot, and members that have no node, get
// the role that other stands for (nil: they are skipped).
func (n *node) compile(other *node) {
	if n.other == nil {
		n.other = other
	}
	if n.slot < 0 && n.role == roleSkip && other != nil {
		n.role = other.role
	}
	for _, it := range n.items {
		it.child.compile(other)
	}
	if len(n.children) == 0 {
		return
	}
	size := 2 << bits.Len(uint(len(n.children)-1))
	n.table, n.shift = make([]entry, size), uint8(64-bits.Len(uint(size-1)))
	for _, c := range n.children {
		h := hashAt([]byte(c.name), 0, len(c.name))
		i := h >> n.shift
		for n.table[i].child != nil {
			i = (i + 1) & uint64(size-1)
		}
		n.table[i] = entry{h, uint32(len(c.name)), c}
		c.compile(other)
	}
}

// find returns the node of the member x.
func (n *node) find(s *scanner, x key) *node {
	if len(n.table) == 0 {
		return n.other
	}
	mask := uint64(len(n.table) - 1)
	for i := x.hash >> n.shift; ; i++ {
		e := &n.table[i&mask]
		if e.child == nil {
			return n.other
		}
		// The hash of a name shorter than a word is unique among names of that length.
		if e.hash == x.hash && (x.n < 8 && e.n == x.n || e.child.name == s.keys.name(s.p, x)) {
			return e.child
		}
	}
}

// at returns the node of the element with this index.
func (n *node) at(index int) *node {
	for i := range n.items {
		if n.items[i].index == index {
			return n.items[i].child
		}
	}
	return n.other
}
