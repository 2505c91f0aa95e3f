package archive

import (
	"encoding/binary"
	"fmt"
)

// The closed list of types. Their spelling is ClickHouse's own, to the space.
const (
	typeInt8        = "Int8" // words: an Enum8 in the table
	typeBool        = "Bool"
	typeDate        = "Date"
	typeInt32       = "Int32"
	typeUint32      = "UInt32"
	typeInt64       = "Int64"
	typeUint64      = "UInt64"
	typeTime        = "DateTime64(3, 'UTC')"
	typeMaybeTime   = "Nullable(DateTime64(3, 'UTC'))"
	typeFingerprint = "FixedString(16)"
	typeText        = "String"
	typeWord        = "LowCardinality(String)"
	typeWords       = "Array(LowCardinality(String))"
	typeLabels      = "Map(LowCardinality(String), String)"
)

type kind uint8

const (
	kindFixed kind = iota + 1
	kindText
	kindWord
	kindList
	kindMaybe
)

// shape returns how values of a type are laid out: the kind, the width of a fixed value and the
// types of a list's elements.
func shape(typ string) (k kind, width int, inner []string, err error) {
	switch typ {
	case typeInt8, typeBool:
		return kindFixed, 1, nil, nil
	case typeDate:
		return kindFixed, 2, nil, nil
	case typeInt32, typeUint32:
		return kindFixed, 4, nil, nil
	case typeInt64, typeUint64, typeTime:
		return kindFixed, 8, nil, nil
	case typeFingerprint:
		return kindFixed, 16, nil, nil
	case typeMaybeTime:
		return kindMaybe, 8, nil, nil
	case typeText:
		return kindText, 0, nil, nil
	case typeWord:
		return kindWord, 0, nil, nil
	case typeWords:
		return kindList, 0, wordsInner[:], nil
	case typeLabels:
		return kindList, 0, labelsInner[:], nil
	}
	return 0, 0, nil, fmt.Errorf("archive: type %q is not known here: run a newer quell", typ)
}

// Read only: arrays, since a slice literal in shape would be allocated on each call.
var (
	wordsInner  = [...]string{typeWord}
	labelsInner = [...]string{typeWord, typeText}
)

// Column is one column of a section. Which fields are set follows from the type (see the package
// comment); the byte slices may be views into a record or a builder.
type Column struct {
	Name, Type string
	Repeat     bool     // fixed: Data is one value, which stands for all rows
	Width      int      // bytes of a value, of an index (word) or of a size (list)
	Data       []byte   // values, strings, indexes or sizes
	Null       []byte   // maybe: 1 for NULL, a byte a row
	Dict       []byte   // word: the entries, each behind its length
	Entries    int      // word: how many
	Inner      []Column // list: keys and values, or the elements
}

// Section is the rows that one table gets, as columns, in the order of their positions.
type Section struct {
	Table   string
	Rows    int
	Columns []Column
}

// MaxRows is how many rows a section or a block may have: less than the 1,048,449 at which
// ClickHouse cuts a block in two, which would make two parts of one insert.
const MaxRows = 1_000_000

// MaxBytes bounds a block likewise: ClickHouse cuts at 256 MiB.
const MaxBytes = 240 << 20

// Size returns about how many bytes the rows take in a block.
func (s *Section) Size() int {
	n := 0
	for i := range s.Columns {
		n += s.Columns[i].size(s.Rows)
	}
	return n
}

func (c *Column) size(rows int) int {
	if c.Repeat {
		return rows * c.Width
	}
	n := len(c.Data) + len(c.Null) + len(c.Dict)
	if len(c.Inner) > 0 {
		n += 8 * rows
	}
	for i := range c.Inner {
		n += c.Inner[i].size(0)
	}
	return n
}

// Column returns the column of that name, or nil.
func (s *Section) Column(name string) *Column {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return &s.Columns[i]
		}
	}
	return nil
}

// offset returns the position of row i.
func (c *Column) int64At(i int) int64 {
	if c.Repeat {
		i = 0
	}
	return int64(binary.LittleEndian.Uint64(c.Data[8*i:]))
}

// FirstOffset and LastOffset return the positions of the first and the last row. The section must
// have rows.
func (s *Section) FirstOffset() int64 { return s.Column("offset").int64At(0) }

// LastOffset returns the position of the last row. The section must have rows.
func (s *Section) LastOffset() int64 { return s.Column("offset").int64At(s.Rows - 1) }

// Source returns the topic and the partition whose positions the rows carry.
func (s *Section) Source() (topic string, partition int32) {
	dict := s.Column("topic").Dict
	n, k := binary.Uvarint(dict)
	return string(dict[k : k+int(n)]), int32(binary.LittleEndian.Uint32(s.Column("partition").Data))
}

// Day returns the section's archive_day, in days since 1970-01-01.
func (s *Section) Day() uint16 {
	return binary.LittleEndian.Uint16(s.Column("archive_day").Data)
}

// uintAt reads an unsigned integer of width 0 (always 0), 1, 2 or 4.
func uintAt(data []byte, width, i int) uint32 {
	switch width {
	case 1:
		return uint32(data[i])
	case 2:
		return uint32(binary.LittleEndian.Uint16(data[2*i:]))
	case 4:
		return binary.LittleEndian.Uint32(data[4*i:])
	}
	return 0
}

// sum adds up the first n integers of the given width.
func sum(data []byte, width, n int) (total uint64) {
	for i := range n {
		total += uint64(uintAt(data, width, i))
	}
	return total
}

// skipText returns the bytes behind the first n strings. It needs checked data.
func skipText(data []byte, n int) []byte {
	for range n {
		l, k := binary.Uvarint(data)
		data = data[k+int(l):]
	}
	return data
}
