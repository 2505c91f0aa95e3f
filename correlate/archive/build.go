package archive

import (
	"encoding/binary"
	"hash/maphash"

	"quell/correlate"
)

// The bounds of the archive's times: 1900-01-01T00:00:00.000Z, where DateTime64 begins, and
// 2261-12-31T23:59:59.999Z. DateTime64(3) ends with the year 2299, but what reads it
// (clickhouse-go, and ClickHouse's own functions of nanoseconds) goes through 64-bit nanoseconds,
// which end in April 2262: a later time would come back as one of the year 1715.
const (
	MinTime correlate.Time = -2208988800000
	MaxTime correlate.Time = 9214646399999
)

// clampTime moves t to the nearest moment that ClickHouse can hold.
func clampTime(t correlate.Time) correlate.Time { return min(max(t, MinTime), MaxTime) }

func putInt8[T ~uint8](dst []byte, v T) []byte { return append(dst, byte(v)) }

func putInt32(dst []byte, v int32) []byte {
	return binary.LittleEndian.AppendUint32(dst, uint32(v))
}

func putInt64(dst []byte, v int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(v))
}

func putUint64(dst []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(dst, v) }

func putTime(dst []byte, t correlate.Time) []byte { return putInt64(dst, int64(clampTime(t))) }

// putText appends s behind its length; most strings are shorter than 128 bytes.
func putText(dst []byte, s string) []byte {
	if len(s) < 0x80 {
		return append(append(dst, byte(len(s))), s...)
	}
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendLength(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

// maybeTimes builds a column of times of which zero ("never") is NULL.
type maybeTimes struct{ null, data []byte }

func (m *maybeTimes) add(t correlate.Time) {
	m.null = append(m.null, boolByte(t == 0))
	m.data = putTime(m.data, t)
}

func (m *maybeTimes) reset() { m.null, m.data = m.null[:0], m.data[:0] }

// wordsOf builds a column of strings that repeat: a dictionary in the order of first appearance,
// and an index a row. The table is open addressing over indexes into the dictionary, without
// pointers; its hash is seeded, so that no input can be made to collide, and decides nothing that
// can be seen. Only slots[:size] is in use, so that reset costs what was used.
type wordsOf struct {
	seed    maphash.Seed
	slots   []uint32 // entry + 1, or 0
	size    int      // a power of two
	entries []wordEntry
	dict    []byte
	index   []uint32
	narrow  []byte // the indexes in their stored width
	last    uint32 // the entry added last
}

type wordEntry struct {
	hash       uint32
	next       uint32 // the entry that followed when this one was added last
	start, end int    // of the bytes in dict
}

const wordSlots = 64

func newWords() wordsOf {
	return wordsOf{seed: maphash.MakeSeed(), slots: make([]uint32, wordSlots), size: wordSlots}
}

func (w *wordsOf) add(s string) {
	if int(w.last) < len(w.entries) {
		// Runs of one value and the names of labels, which follow each other in one order, are the
		// common cases: a value is mostly what followed the one before when that was last seen.
		next := w.entries[w.last].next
		if e := &w.entries[next]; string(w.dict[e.start:e.end]) == s {
			w.index = append(w.index, next)
			w.last = next
			return
		}
	}
	at := w.find(s)
	w.index = append(w.index, at)
	w.entries[w.last].next = at
	w.last = at
}

// find returns the entry of s, made if need be.
func (w *wordsOf) find(s string) uint32 {
	h := uint32(maphash.String(w.seed, s))
	for i := int(h) & (w.size - 1); ; i = (i + 1) & (w.size - 1) {
		slot := w.slots[i]
		if slot == 0 {
			return w.insert(i, h, s)
		}
		if e := &w.entries[slot-1]; e.hash == h && string(w.dict[e.start:e.end]) == s {
			return slot - 1
		}
	}
}

func (w *wordsOf) insert(slot int, h uint32, s string) uint32 {
	w.dict = binary.AppendUvarint(w.dict, uint64(len(s)))
	start := len(w.dict)
	w.dict = append(w.dict, s...)
	at := uint32(len(w.entries))
	w.entries = append(w.entries, wordEntry{hash: h, next: at, start: start, end: len(w.dict)})
	w.slots[slot] = at + 1
	if 2*len(w.entries) > w.size {
		w.grow()
	}
	return at
}

func (w *wordsOf) grow() {
	w.size *= 2
	if w.size > len(w.slots) {
		w.slots = make([]uint32, w.size)
	} else {
		clear(w.slots[:w.size])
	}
	for k := range w.entries {
		i := int(w.entries[k].hash) & (w.size - 1)
		for w.slots[i] != 0 {
			i = (i + 1) & (w.size - 1)
		}
		w.slots[i] = uint32(k + 1)
	}
}

func (w *wordsOf) reset() {
	clear(w.slots[:w.size])
	w.size, w.last = wordSlots, 0
	w.entries, w.dict, w.index = w.entries[:0], w.dict[:0], w.index[:0]
}

// column fills c. Elements of a list need an index of a byte at least.
func (w *wordsOf) column(c *Column, least int) {
	c.Dict, c.Entries = w.dict, len(w.entries)
	c.Width = max(least, indexWidth(len(w.entries)))
	w.narrow = appendNarrow(w.narrow[:0], w.index, c.Width)
	c.Data = w.narrow
}

// indexWidth returns how many bytes an index into n entries takes.
func indexWidth(n int) int {
	switch {
	case n <= 1:
		return 0
	case n <= 1<<8:
		return 1
	case n <= 1<<16:
		return 2
	}
	return 4
}

// appendNarrow appends the numbers in the given width.
func appendNarrow(dst []byte, numbers []uint32, width int) []byte {
	switch width {
	case 1:
		for _, x := range numbers {
			dst = append(dst, byte(x))
		}
	case 2:
		for _, x := range numbers {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(x))
		}
	case 4:
		for _, x := range numbers {
			dst = binary.LittleEndian.AppendUint32(dst, x)
		}
	}
	return dst
}

// listsOf builds a column of lists: labels (keys and values), or words (keys only).
type listsOf struct {
	sizes  []uint32
	most   uint32
	narrow []byte
	keys   wordsOf
	values []byte
	inner  [2]Column
}

func (l *listsOf) addLabels(labels []correlate.Label) {
	l.size(len(labels))
	for i := range labels {
		l.keys.add(labels[i].Name)
		l.values = putText(l.values, labels[i].Value)
	}
}

func (l *listsOf) addWords(words []string) {
	l.size(len(words))
	for _, w := range words {
		l.keys.add(w)
	}
}

func (l *listsOf) size(n int) {
	l.sizes = append(l.sizes, uint32(n))
	l.most = max(l.most, uint32(n))
}

func (l *listsOf) reset() {
	l.keys.reset()
	l.sizes, l.values, l.most = l.sizes[:0], l.values[:0], 0
}

func (l *listsOf) column(c *Column) {
	c.Width = max(1, indexWidth(int(l.most)+1))
	l.narrow = appendNarrow(l.narrow[:0], l.sizes, c.Width)
	c.Data = l.narrow
	l.inner[0] = Column{Type: typeWord}
	l.keys.column(&l.inner[0], 1)
	n := 1
	if c.Type == typeLabels {
		l.inner[1] = Column{Type: typeText, Data: l.values}
		n = 2
	}
	c.Inner = l.inner[:n]
}

// frame holds the columns of a section between two Resets of its builder, and the bytes of the
// ones that repeat one value.
type frame struct {
	table   Table
	columns []Column
	scratch []byte
}

func newFrame(t Table) frame {
	return frame{table: t, columns: make([]Column, 0, len(t.Columns)), scratch: make([]byte, 0, 64)}
}

func (f *frame) begin(o *Origin) {
	f.columns, f.scratch = f.columns[:0], f.scratch[:0]
	topic := f.next()
	f.scratch = appendText(f.scratch, o.Topic)
	topic.Dict, topic.Entries = f.scratch[:len(f.scratch):len(f.scratch)], 1
	f.repeat(putInt32(scratch8(), o.Partition))
}

// next adds the next column of the table and returns it.
func (f *frame) next() *Column {
	s := &f.table.Columns[len(f.columns)]
	f.columns = append(f.columns, Column{Name: s.Name, Type: s.Type})
	return &f.columns[len(f.columns)-1]
}

// fixed adds a column of values.
func (f *frame) fixed(data []byte) {
	c := f.next()
	_, c.Width, _, _ = shape(c.Type)
	c.Data = data
}

// text adds a column of strings.
func (f *frame) text(data []byte) { f.next().Data = data }

func (f *frame) words(w *wordsOf)    { w.column(f.next(), 0) }
func (f *frame) lists(l *listsOf)    { l.column(f.next()) }
func (f *frame) maybe(m *maybeTimes) { c := f.next(); c.Width, c.Null, c.Data = 8, m.null, m.data }

// repeat adds a column whose every row is value.
func (f *frame) repeat(value []byte) {
	start := len(f.scratch)
	f.scratch = append(f.scratch, value...)
	f.fixed(f.scratch[start:len(f.scratch):len(f.scratch)])
	f.columns[len(f.columns)-1].Repeat = true
}

// end adds the archive_day, the last column of every table.
func (f *frame) end(o *Origin, rows int) Section {
	f.repeat(binary.LittleEndian.AppendUint16(scratch8(), o.Day))
	if len(f.columns) != len(f.table.Columns) {
		panic("archive: a builder of " + f.table.Name + " that does not fill its columns")
	}
	return Section{Table: f.table.Name, Rows: rows, Columns: f.columns}
}

// scratch8 returns an empty slice with room for a small value, on the caller's stack.
func scratch8() []byte { return make([]byte, 0, 8) }
