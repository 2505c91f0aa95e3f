package decode

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"quell/correlate"
)

// origin says where a label comes from; of two with one name the lower one is kept.
type origin uint8

const (
	explicit  origin = iota // named as a label by payload or mapping
	cameAlong               // a field that nobody asked for
)

// rank is what labels are sorted by; without pointers, so that sorting moves little.
type rank struct {
	prefix uint64 // the name's first eight bytes, big end first: compares fast
	index  uint16 // in collector.labels: the order in the payload
	origin origin
}

// collector gathers the labels of one event.
type collector struct {
	labels   []correlate.Label
	ranks    []rank
	explicit int
	path     []byte // of the object or array that is being scanned, when labels are named by paths
	notes    Notes
	exact    []string // labels that decide something, sorted; of the format
}

func (c *collector) reset() {
	c.labels, c.ranks, c.path, c.explicit, c.notes = c.labels[:0], c.ranks[:0], c.path[:0], 0, 0
}

func (c *collector) add(o origin, name, value string) {
	if o == explicit {
		c.explicit++
	}
	c.ranks = append(c.ranks, rank{prefixOf(name), uint16(len(c.labels)), o})
	c.labels = append(c.labels, correlate.Label{Name: name, Value: value})
}

// prefixOf returns the first eight bytes of a name, big end first.
func prefixOf(name string) uint64 {
	switch n := len(name); {
	case n >= 8:
		return binary.BigEndian.Uint64([]byte(name[:8]))
	case n >= 4: // two words that overlap
		first := binary.BigEndian.Uint32([]byte(name[:4]))
		last := binary.BigEndian.Uint32([]byte(name[n-4:]))
		return uint64(first)<<32 | uint64(last)<<(64-8*n)
	}
	var prefix uint64
	for i := range len(name) {
		prefix |= uint64(name[i]) << (56 - 8*i)
	}
	return prefix
}

// isExact tells whether the label decides something.
func (c *collector) isExact(name string) bool {
	_, ok := slices.BinarySearch(c.exact, name)
	return ok
}

// sort orders the ranks by name; of those with one name, the one to keep comes first. Events have
// a handful of labels, mostly in the same order, which is what insertion sort is best at.
func (c *collector) sort() {
	if len(c.ranks) > 24 {
		slices.SortFunc(c.ranks, c.compare)
		return
	}
	r := c.ranks
	for i := 1; i < len(r); i++ {
		x, j := r[i], i
		for j > 0 && (x.prefix < r[j-1].prefix ||
			x.prefix == r[j-1].prefix && c.compare(x, r[j-1]) < 0) {
			r[j] = r[j-1]
			j--
		}
		r[j] = x
	}
}

func (c *collector) compare(a, b rank) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	}
	if d := strings.Compare(c.labels[a.index].Name, c.labels[b.index].Name); d != 0 {
		return d
	}
	if d := int(a.origin) - int(b.origin); d != 0 {
		return d
	}
	return int(a.index) - int(b.index)
}

// unique removes all but the first rank of each name; they are sorted.
func (c *collector) unique() {
	kept := c.ranks[:1]
	for _, r := range c.ranks[1:] {
		last := kept[len(kept)-1]
		if r.prefix == last.prefix && c.labels[r.index].Name == c.labels[last.index].Name {
			c.notes |= ClashedLabels
			continue
		}
		kept = append(kept, r)
	}
	c.ranks = kept
}

// dropTo removes labels that came along, the last of the payload first, until n are left. It
// returns false when the others alone are more.
func (c *collector) dropTo(n int) bool {
	for len(c.ranks) > n {
		last := -1
		for i, r := range c.ranks {
			if r.origin == cameAlong && !c.isExact(c.labels[r.index].Name) &&
				(last < 0 || r.index > c.ranks[last].index) {
				last = i
			}
		}
		if last < 0 {
			return false
		}
		c.ranks = slices.Delete(c.ranks, last, last+1)
		c.notes |= DroppedLabels
	}
	return true
}

// finish returns the event's labels: sorted by name, names unique, at most MaxLabels.
func (s *scanner) finish() ([]correlate.Label, *Rejection) {
	c := &s.labels
	if len(c.ranks) == 0 {
		return s.ready, nil
	}
	c.sort()
	c.unique()
	if !c.dropTo(s.limits.MaxLabels) {
		return nil, &Rejection{OverLimit, -1, fmt.Sprintf(
			"more labels than max_labels %d", s.limits.MaxLabels)}
	}
	out := s.arena.roomLabels(len(c.ranks))
	for _, r := range c.ranks {
		out = append(out, c.labels[r.index])
	}
	return s.arena.takeLabels(out), nil
}
