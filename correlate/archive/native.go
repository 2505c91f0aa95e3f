package archive

import (
	"encoding/binary"
	"fmt"
)

// What a LowCardinality column says of itself in ClickHouse's Native format: its version, and that
// the dictionary of the block comes with it.
const (
	wordVersion  = 1
	wordKeysBits = 1<<9 | 1<<10
)

// Native is one block in ClickHouse's Native format (revision 0: the form of HTTP inserts), in pieces.
// Most of its bytes are values that lie in the sections already, and stay there: a block of 200,000
// rows is some 45 MB, of which 6 are made for it. A Native is built again and again in its memory.
type Native struct {
	// Pieces are the block's bytes in their order, valid until the next Build and as long as the
	// memory of the sections is.
	Pieces [][]byte

	own []byte // what was made for the block
	cut int    // up to where own is in Pieces
}

// leastView is from how many bytes on a piece is worth being one.
const leastView = 1024

// Build makes the block with the rows of all sections, in their order. All sections must be of one
// table, one layout and one archive_day, and within [MaxRows] and [MaxBytes] together; otherwise there
// is an error, the one of [Batch.Check], and no block. Without rows there is none either.
func (n *Native) Build(sections []Section) error {
	n.Pieces, n.own, n.cut = n.Pieces[:0], n.own[:0], 0
	rows, err := check(sections)
	if err != nil || rows == 0 {
		return err
	}
	first := &sections[0]
	n.own = binary.AppendUvarint(n.own, uint64(len(first.Columns)))
	n.own = binary.AppendUvarint(n.own, uint64(rows))
	parts := make([]part, len(sections))
	for i := range first.Columns {
		c := &first.Columns[i]
		for k := range sections {
			parts[k] = part{c: &sections[k].Columns[i], n: sections[k].Rows}
		}
		n.own = appendText(n.own, c.Name)
		n.own = appendText(n.own, c.Type)
		n.own = appendPrefix(n.own, c)
		n.parts(parts)
	}
	n.close()
	return nil
}

// view adds bytes that lie elsewhere.
func (n *Native) view(b []byte) {
	if len(b) < leastView {
		n.own = append(n.own, b...)
		return
	}
	n.close()
	n.Pieces = append(n.Pieces, b)
}

// close makes a piece of what was made since the last one. It stays valid when own moves.
func (n *Native) close() {
	if n.cut < len(n.own) {
		n.Pieces = append(n.Pieces, n.own[n.cut:len(n.own):len(n.own)])
		n.cut = len(n.own)
	}
}

// check returns the number of rows, or why the sections do not make one block.
func check(sections []Section) (rows int, err error) {
	size := 0
	for i := range sections {
		s, first := &sections[i], &sections[0]
		rows += s.Rows
		size += s.Size()
		if s.Table != first.Table || len(s.Columns) != len(first.Columns) {
			return 0, fmt.Errorf("archive: sections of %s (%d columns) and %s (%d columns) in one "+
				"block", first.Table, len(first.Columns), s.Table, len(s.Columns))
		}
		for k := range s.Columns {
			if a, b := &first.Columns[k], &s.Columns[k]; a.Name != b.Name || a.Type != b.Type {
				return 0, fmt.Errorf("archive: column %d of %s is %s %s in one section and %s %s "+
					"in another of the same block", k+1, s.Table, a.Name, a.Type, b.Name, b.Type)
			}
		}
		if s.Day() != first.Day() {
			return 0, fmt.Errorf("archive: sections of %s of day %d and day %d in one block, which "+
				"would make two parts of one insert", s.Table, first.Day(), s.Day())
		}
	}
	if rows > MaxRows || size > MaxBytes {
		return 0, fmt.Errorf("archive: %d rows of %d bytes in one block: at most %d rows, %d bytes",
			rows, size, MaxRows, MaxBytes)
	}
	return rows, nil
}

// part is a column of one section, or the elements of its lists, with the number of values.
type part struct {
	c *Column
	n int
}

// appendPrefix appends the state that a type with dictionaries has before all values, also when it
// is inside of another type.
func appendPrefix(dst []byte, c *Column) []byte {
	if c.Type == typeWord {
		return binary.LittleEndian.AppendUint64(dst, wordVersion)
	}
	for i := range c.Inner {
		dst = appendPrefix(dst, &c.Inner[i])
	}
	return dst
}

func (n *Native) parts(parts []part) {
	k, _, _, _ := shape(parts[0].c.Type)
	switch k {
	case kindWord:
		n.own = appendWords(n.own, parts)
		return
	case kindList:
		n.lists(parts)
		return
	case kindMaybe:
		for _, p := range parts {
			n.view(p.c.Null)
		}
	}
	for _, p := range parts {
		if !p.c.Repeat {
			n.view(p.c.Data)
			continue
		}
		n.own = appendRepeated(n.own, p.c.Data, p.n)
	}
}

// appendRepeated appends value n times, by doubling what it has written.
func appendRepeated(dst, value []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	start, total := len(dst), n*len(value)
	dst = append(dst, value...)
	for written := len(value); written < total; written = len(dst) - start {
		dst = append(dst, dst[start:start+min(written, total-written)]...)
	}
	return dst
}

// lists turns sizes into running sums and adds the elements of all parts behind them.
func (n *Native) lists(parts []part) {
	end := uint64(0)
	inner := make([]part, len(parts))
	for i, p := range parts {
		before := end
		for k := range p.n {
			end += uint64(uintAt(p.c.Data, p.c.Width, k))
			n.own = binary.LittleEndian.AppendUint64(n.own, end)
		}
		inner[i].n = int(end - before)
	}
	for k := range parts[0].c.Inner {
		for i, p := range parts {
			inner[i].c = &p.c.Inner[k]
		}
		n.parts(inner)
	}
}

// appendWords merges the dictionaries and rewrites the indexes.
func appendWords(dst []byte, parts []part) []byte {
	values, most := 0, 0
	for _, p := range parts {
		values += p.n
		if p.n > 0 {
			most += p.c.Entries
		}
	}
	if values == 0 { // lists without elements: nothing at all
		return dst
	}
	merged, remap := merge(parts, most)
	width := max(1, indexWidth(merged.entries))
	dst = binary.LittleEndian.AppendUint64(dst, wordKeysBits|uint64(width/2))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(merged.entries))
	dst = append(dst, merged.dict...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(values))
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		dst = appendIndexes(dst, p, remap[:p.c.Entries], width)
		remap = remap[p.c.Entries:]
	}
	return dst
}

type mergedWords struct {
	dict    []byte
	entries int
}

// merge returns the dictionary of all parts, in the order of first appearance, and for each entry
// of each part in turn its index there.
func merge(parts []part, most int) (m mergedWords, remap []uint32) {
	remap = make([]uint32, 0, most)
	found := make(map[string]uint32, min(most, 1024))
	var last *Column
	for _, p := range parts {
		if p.n == 0 {
			continue
		}
		if last != nil && string(last.Dict) == string(p.c.Dict) { // one fleet, batch after batch
			remap = append(remap, remap[len(remap)-last.Entries:]...)
			continue
		}
		last = p.c
		rest := p.c.Dict
		for range p.c.Entries {
			l, k := binary.Uvarint(rest)
			entry := rest[:k+int(l)]
			rest = rest[len(entry):]
			x, ok := found[string(entry)]
			if !ok {
				x = uint32(m.entries)
				found[string(entry)] = x
				m.dict = append(m.dict, entry...)
				m.entries++
			}
			remap = append(remap, x)
		}
	}
	return m, remap
}

// appendIndexes appends the part's indexes, each replaced by remap's, in the given width.
func appendIndexes(dst []byte, p part, remap []uint32, width int) []byte {
	start := len(dst)
	dst = grow(dst, p.n*width)
	out := dst[start:]
	if p.c.Width == 0 {
		for i := range p.n {
			putUint(out, width, i, remap[0])
		}
		return dst
	}
	if p.c.Width == 1 && width == 1 { // nearly always
		for i, x := range p.c.Data[:p.n] {
			out[i] = byte(remap[x])
		}
		return dst
	}
	for i := range p.n {
		putUint(out, width, i, remap[uintAt(p.c.Data, p.c.Width, i)])
	}
	return dst
}

func putUint(out []byte, width, i int, v uint32) {
	switch width {
	case 1:
		out[i] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(out[2*i:], uint16(v))
	default:
		binary.LittleEndian.PutUint32(out[4*i:], v)
	}
}

// grow returns dst longer by n bytes.
func grow(dst []byte, n int) []byte {
	for cap(dst)-len(dst) < n {
		dst = append(dst[:cap(dst)], 0)[:len(dst)]
	}
	return dst[:len(dst)+n]
}
