package archive

import (
	"encoding/binary"
	"fmt"
)

// reader reads fields from src. After the first error every read returns zero and err stays.
type reader struct {
	src []byte
	err error

	plain    bool               // version 1
	room     func(n int) []byte // memory of unpacked pieces, asked for with the first of them
	unpacked int                // bytes of it that there will be
	free     []byte             // what is left of it
}

func (d *reader) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("archive: "+format, args...)
	}
}

func (d *reader) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.src) {
		d.err = ErrTruncated
		return nil
	}
	b := d.src[:n:n]
	d.src = d.src[n:]
	return b
}

func (d *reader) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *reader) fixed64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *reader) uint() uint64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		d.take(len(d.src) + 1)
		return 0
	}
	d.take(n)
	return v
}

func (d *reader) int() int64 {
	v, n := binary.Varint(d.src)
	if n <= 0 {
		d.take(len(d.src) + 1)
		return 0
	}
	d.take(n)
	return v
}

// length reads a length in bytes, which can't be more than what is left.
func (d *reader) length() int {
	n := d.uint()
	if d.err == nil && n > uint64(len(d.src)) {
		d.err = ErrTruncated
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

func (d *reader) text() []byte { return d.take(d.length()) }

// section reads one section and checks what the rest of the package relies on: known types, a
// position column in ascending order within the coverage, and one source and one archive_day, the
// envelope's.
func (d *reader) section(e *Envelope, s *Section) {
	name, rows, columns := d.text(), d.uint(), d.byte()
	if d.err != nil {
		return
	}
	t, known := TableNamed(string(name))
	if !known {
		d.fail("table %q is not known here: run a newer quell", name)
		return
	}
	if rows == 0 || rows > MaxRows {
		d.fail("%d rows of %s: a section has 1 to %d", rows, name, MaxRows)
		return
	}
	s.Table, s.Rows, s.Columns = t.Name, int(rows), make([]Column, columns)
	for i := range s.Columns {
		c := &s.Columns[i]
		c.Name, c.Type = d.names(&t, i)
		d.column(c, s.Rows, 0)
		if d.err != nil {
			d.err = fmt.Errorf("%w (table %s, column %s)", d.err, s.Table, c.Name)
			return
		}
	}
	d.positions(e, s)
}

// names reads the name and the type of a column: constants of ours where it is the expected one,
// copies otherwise.
func (d *reader) names(t *Table, i int) (name, typ string) {
	n, ty := d.text(), d.text()
	if i < len(t.Columns) && t.Columns[i].Name == string(n) && t.Columns[i].Type == string(ty) {
		return t.Columns[i].Name, t.Columns[i].Type
	}
	return string(n), string(ty)
}

// positions checks the columns that every section has.
func (d *reader) positions(e *Envelope, s *Section) {
	offset, day := s.Column("offset"), s.Column("archive_day")
	if offset == nil || offset.Type != typeInt64 || offset.Repeat {
		d.fail("a section of %s without a column offset, an Int64 a row", s.Table)
		return
	}
	if day == nil || day.Type != typeDate || !day.Repeat || s.Day() != e.Day {
		d.fail("a section of %s whose archive_day is not that of its envelope", s.Table)
		return
	}
	topic, partition := s.Column("topic"), s.Column("partition")
	if topic == nil || topic.Type != typeWord || topic.Entries != 1 || partition == nil ||
		partition.Type != typeInt32 || !partition.Repeat {
		d.fail("a section of %s without the columns topic and partition, one value each", s.Table)
		return
	}
	if name, id := s.Source(); name != e.Topic || id != e.Partition {
		d.fail("a section of %s of %s/%d in an envelope of %s/%d", s.Table, name, id, e.Topic, e.Partition)
		return
	}
	last := e.From
	for i := range s.Rows {
		o := offset.int64At(i)
		if o < last || o >= e.To {
			d.fail("row %d of %s has position %d: not ascending within [%d, %d)", i, s.Table, o,
				e.From, e.To)
			return
		}
		last = o
	}
}

// column reads the body of a column of n values. An index of minIndex bytes is the least; 0 would
// let the elements of a list be any number without a byte each.
func (d *reader) column(c *Column, n, minIndex int) {
	k, width, inner, err := shape(c.Type)
	if err != nil && d.err == nil {
		d.err = err
	}
	if d.err != nil {
		return
	}
	c.Width = width
	switch k {
	case kindFixed:
		d.fixed(c, n)
	case kindText:
		c.Data = d.bytes()
		d.checkText(c.Data, n)
	case kindMaybe:
		c.Null, c.Data = d.values(n, 1), d.values(n, width)
	case kindWord:
		d.words(c, n, minIndex)
	case kindList:
		d.list(c, n, inner)
	}
}

func (d *reader) words(c *Column, n, minIndex int) {
	entries := d.uint()
	c.Dict = d.bytes()
	if d.err == nil && entries > uint64(len(c.Dict)) {
		d.fail("a dictionary of %d entries in %d bytes", entries, len(c.Dict))
	}
	if d.err != nil {
		return
	}
	c.Entries = int(entries)
	d.checkText(c.Dict, c.Entries)
	c.Width = int(d.byte())
	if c.Width == 3 || c.Width > 4 || (n > 0 && c.Width < minIndex) {
		d.fail("an index of %d bytes", c.Width)
		return
	}
	c.Data = d.values(n, c.Width)
	if d.err != nil {
		return
	}
	for i := range n {
		if x := uintAt(c.Data, c.Width, i); x >= uint32(c.Entries) {
			d.fail("index %d into a dictionary of %d entries", x, c.Entries)
			return
		}
	}
}

func (d *reader) list(c *Column, n int, inner []string) {
	c.Width = int(d.byte())
	if c.Width != 1 && c.Width != 2 && c.Width != 4 {
		d.fail("a size of %d bytes", c.Width)
		return
	}
	c.Data = d.values(n, c.Width)
	if d.err != nil {
		return
	}
	elements := sum(c.Data, c.Width, n)
	if elements > uint64(len(d.src)+d.unpacked) { // an element takes a byte at least, packed or not
		d.err = ErrTruncated
		return
	}
	c.Inner = make([]Column, len(inner))
	for i := range inner {
		c.Inner[i].Type = inner[i]
		d.column(&c.Inner[i], int(elements), 1)
	}
}

// checkText fails unless data is exactly n strings, each behind its length.
func (d *reader) checkText(data []byte, n int) {
	for range n {
		l, k := binary.Uvarint(data)
		if k <= 0 || l > uint64(len(data)-k) {
			d.fail("a column of strings that ends before its rows do")
			return
		}
		data = data[k+int(l):]
	}
	if len(data) > 0 {
		d.fail("%d bytes follow the last string of a column", len(data))
	}
}
