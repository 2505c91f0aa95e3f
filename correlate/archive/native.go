package archive

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// What a LowCardinality column says of itself in ClickHouse's Native format: its version, and that
// the dictionary of the block comes with it.
const (
	wordVersion  = 1
	wordKeysBits = 1<<9 | 1<<10
)

// AppendNative appends one block in ClickHouse's Native format (revision 0: the form of HTTP
// inserts) with the rows of all sections, in their order. All sections must be of one table, one
// layout and one archive_day, and within [MaxRows] and [MaxBytes] together; otherwise there is an
// error, the one of [Batch.Check], and nothing is appended.
func AppendNative(dst []byte, sections []Section) ([]byte, error) {
	rows, err := check(sections)
	if err != nil || rows == 0 {
		return dst, err
	}
	first := &sections[0]
	dst = binary.AppendUvarint(dst, uint64(len(first.Columns)))
	dst = binary.AppendUvarint(dst, uint64(rows))
	dst = slices.Grow(dst, nativeSize(sections))
	parts := make([]part, len(sections))
	for i := range first.Columns {
		c := &first.Columns[i]
		for k := range sections {
			parts[k] = part{c: &sections[k].Columns[i], n: sections[k].Rows}
		}
		dst = appendText(dst, c.Name)
		dst = appendText(dst, c.Type)
		dst = appendPrefix(dst, c)
		dst = appendParts(dst, parts)
	}
	return dst, nil
}

// nativeSize returns about how many bytes the rows take, rather more than fewer: to move a block
// that has grown costs as much as to build it.
func nativeSize(sections []Section) int {
	n := 4096
	for i := range sections {
		n += sections[i].Size()
	}
	return n + n/16
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

func appendParts(dst []byte, parts []part) []byte {
	k, _, _, _ := shape(parts[0].c.Type)
	switch k {
	case kindWord:
		return appendWords(dst, parts)
	case kindList:
		return appendLists(dst, parts)
	case kindMaybe:
		for _, p := range parts {
			dst = append(dst, p.c.Null...)
		}
	}
	for _, p := range parts {
		if !p.c.Repeat {
			dst = append(dst, p.c.Data...)
			continue
		}
		dst = appendRepeated(dst, p.c.Data, p.n)
	}
	return dst
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

// appendLists turns sizes into running sums and appends the elements of all parts behind them.
func appendLists(dst []byte, parts []part) []byte {
	end := uint64(0)
	inner := make([]part, len(parts))
	for i, p := range parts {
		before := end
		for k := range p.n {
			end += uint64(uintAt(p.c.Data, p.c.Width, k))
			dst = binary.LittleEndian.AppendUint64(dst, end)
		}
		inner[i].n = int(end - before)
	}
	for k := range parts[0].c.Inner {
		for i, p := range parts {
			inner[i].c = &p.c.Inner[k]
		}
		dst = appendParts(dst, inner)
	}
	return dst
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
