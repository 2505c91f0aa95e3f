package archive

import (
	"encoding/binary"
	"iter"

	"quell/correlate"
)

// All yields the rows of a section, values in the order of its columns, for people and tests: the
// archiver never takes a block apart. The slice is used again for the next row. Values are string
// (also for words), int64, uint64, bool, correlate.Time (NULL is 0), correlate.Fingerprint,
// []string and []correlate.Label; an archive_day is a uint64, days since 1970-01-01.
func (s *Section) All() iter.Seq2[int, []any] {
	return func(yield func(int, []any) bool) {
		t, _ := TableNamed(s.Table)
		cursors := make([]cursor, len(s.Columns))
		for i := range s.Columns {
			cursors[i] = newCursor(&s.Columns[i])
			if i < len(t.Columns) && t.Columns[i].Name == s.Columns[i].Name {
				cursors[i].words = t.Columns[i].Words
			}
		}
		row := make([]any, len(cursors))
		for n := range s.Rows {
			for i := range cursors {
				row[i] = cursors[i].next(n)
			}
			if !yield(n, row) {
				return
			}
		}
	}
}

// cursor reads a column value by value.
type cursor struct {
	c     *Column
	kind  kind
	text  []byte   // text: what is left
	dict  []string // word
	words []string // of an Int8
	inner []cursor // list
	done  int      // list: elements read
}

func newCursor(c *Column) cursor {
	u := cursor{c: c, text: c.Data}
	u.kind, _, _, _ = shape(c.Type)
	rest := c.Dict
	for range c.Entries {
		var s string
		s, rest = cutText(rest)
		u.dict = append(u.dict, s)
	}
	for i := range c.Inner {
		u.inner = append(u.inner, newCursor(&c.Inner[i]))
	}
	return u
}

func cutText(b []byte) (string, []byte) {
	l, k := binary.Uvarint(b)
	return string(b[k : k+int(l)]), b[k+int(l):]
}

func (u *cursor) next(n int) any {
	switch u.kind {
	case kindText:
		var s string
		s, u.text = cutText(u.text)
		return s
	case kindWord:
		return u.dict[uintAt(u.c.Data, u.c.Width, n)]
	case kindMaybe:
		if u.c.Null[n] != 0 {
			return correlate.Time(0)
		}
		return correlate.Time(u.c.int64At(n))
	case kindList:
		return u.list(int(uintAt(u.c.Data, u.c.Width, n)))
	}
	return u.fixed(n)
}

func (u *cursor) list(size int) any {
	if len(u.inner) == 1 {
		out := make([]string, 0, size)
		for range size {
			out = append(out, u.inner[0].next(u.done).(string))
			u.done++
		}
		return out
	}
	out := make([]correlate.Label, 0, size)
	for range size {
		out = append(out, correlate.Label{Name: u.inner[0].next(u.done).(string),
			Value: u.inner[1].next(u.done).(string)})
		u.done++
	}
	return out
}

func (u *cursor) fixed(n int) any {
	if u.c.Repeat {
		n = 0
	}
	b := u.c.Data[n*u.c.Width:]
	switch u.c.Type {
	case typeInt8:
		if int(b[0]) < len(u.words) {
			return u.words[b[0]]
		}
		return int64(int8(b[0]))
	case typeBool:
		return b[0] != 0
	case typeDate:
		return uint64(binary.LittleEndian.Uint16(b))
	case typeInt32:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case typeUint32:
		return uint64(binary.LittleEndian.Uint32(b))
	case typeInt64:
		return int64(binary.LittleEndian.Uint64(b))
	case typeUint64:
		return binary.LittleEndian.Uint64(b)
	case typeTime:
		return correlate.Time(binary.LittleEndian.Uint64(b))
	}
	return correlate.Fingerprint(b[:16])
}
