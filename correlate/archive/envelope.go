package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Origin says whose rows these are. Every row of a section has the same.
type Origin struct {
	Topic     string // of the positions: a raw topic, or the alerts topic
	Partition int32
	Epoch     uint64 // hash of the intake configuration that gave the verdicts; else 0
	Day       uint16 // archive_day: day of archiving, in days since 1970-01-01
}

// Envelope is the value of one record of an archive topic: the rows of the positions [From, To) of
// one partition. Positions without a row (taken by transactions, or whose row is in no table) are
// covered all the same.
type Envelope struct {
	Origin
	From, To int64
	Sections []Section
}

// Version is the form's version, the third byte of every value, behind "QA". Version 1, which packed
// nothing, is still read.
const Version = 2

const magic = "QA"

// ErrTruncated says that a value ends inside a field.
var ErrTruncated = errors.New("archive: the value ends inside a field")

// Append appends the byte form of e to dst. Sections without rows are left out.
func (e *Envelope) Append(dst []byte) []byte {
	dst = append(append(dst, magic...), Version)
	dst = append(dst, 0, 0, 0, 0) // how much unpacking needs, known at the end
	head := len(dst)
	w := writer{dst: dst}
	w.envelope(e)
	binary.LittleEndian.PutUint32(w.dst[head-4:], uint32(w.unpacked))
	return w.dst
}

// Check tells why no reader would take e: a section has too many rows, or all of them too many bytes.
func (e *Envelope) Check() error {
	size := 0
	for i := range e.Sections {
		s := &e.Sections[i]
		if s.Rows > MaxRows {
			return fmt.Errorf("archive: %d rows of %s: a section has at most %d", s.Rows, s.Table, MaxRows)
		}
		size += s.Size()
	}
	if size > MaxBytes {
		return fmt.Errorf("archive: a block of %d bytes when unpacked: at most %d", size, MaxBytes)
	}
	return nil
}

func (w *writer) envelope(e *Envelope) {
	dst := w.dst
	dst = appendText(dst, e.Topic)
	dst = binary.AppendVarint(dst, int64(e.Partition))
	dst = binary.AppendVarint(dst, e.From)
	dst = binary.AppendVarint(dst, e.To)
	dst = binary.LittleEndian.AppendUint64(dst, e.Epoch)
	dst = binary.LittleEndian.AppendUint16(dst, e.Day)
	n := 0
	for i := range e.Sections {
		if e.Sections[i].Rows > 0 {
			n++
		}
	}
	w.dst = append(dst, byte(n))
	for i := range e.Sections {
		if e.Sections[i].Rows > 0 {
			w.section(&e.Sections[i])
		}
	}
}

func (w *writer) section(s *Section) {
	w.dst = appendText(w.dst, s.Table)
	w.dst = binary.AppendUvarint(w.dst, uint64(s.Rows))
	w.dst = append(w.dst, byte(len(s.Columns)))
	for i := range s.Columns {
		c := &s.Columns[i]
		w.dst = appendText(w.dst, c.Name)
		w.dst = appendText(w.dst, c.Type)
		w.column(c)
	}
}

func (w *writer) column(c *Column) {
	k, _, _, _ := shape(c.Type) // a section that was built or decoded has known types only
	switch k {
	case kindFixed:
		w.fixed(c)
	case kindText:
		w.piece(c.Data)
	case kindWord:
		w.dst = binary.AppendUvarint(w.dst, uint64(c.Entries))
		w.piece(c.Dict)
		w.dst = append(w.dst, byte(c.Width))
		w.piece(c.Data)
	case kindMaybe:
		w.piece(c.Null)
		w.piece(c.Data)
	case kindList:
		w.dst = append(w.dst, byte(c.Width))
		w.piece(c.Data)
		for i := range c.Inner {
			w.column(&c.Inner[i])
		}
	}
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Decode reads what Append wrote. The columns of the result are views into src, or into memory that
// was made for what had to be unpacked. What it accepts, [Native.Build] and [Section.TrimBefore] can
// work on without a further check.
func Decode(src []byte) (Envelope, error) {
	return DecodeInto(src, func(n int) []byte { return make([]byte, n) })
}

// DecodeInto does as Decode does, with the caller's memory: room is called once at most, and returns
// n bytes, which belong to the result.
func DecodeInto(src []byte, room func(n int) []byte) (Envelope, error) {
	var e Envelope
	d := reader{src: src, room: room}
	if string(d.take(len(magic))) != magic && d.err == nil {
		return e, errors.New("archive: not a column block: the first two bytes are not QA")
	}
	if v := d.byte(); (v < 1 || v > Version) && d.err == nil {
		return e, fmt.Errorf("archive: version %d of a column block; this quell reads versions 1 to %d: "+
			"run a newer quell", v, Version)
	} else if d.plain = v == 1; !d.plain {
		d.head()
	}
	e.Topic = string(d.text())
	e.Partition = int32(d.int())
	e.From, e.To = d.int(), d.int()
	e.Epoch = d.fixed64()
	if b := d.take(2); b != nil {
		e.Day = binary.LittleEndian.Uint16(b)
	}
	if n := int(d.byte()); n > 0 && d.err == nil {
		e.Sections = make([]Section, n)
		for i := range e.Sections {
			d.section(&e, &e.Sections[i])
		}
	}
	if d.err == nil && len(d.src) > 0 {
		d.err = fmt.Errorf("archive: %d bytes follow the block", len(d.src))
	}
	if d.err == nil && e.To < e.From {
		d.err = fmt.Errorf("archive: coverage [%d, %d) ends before it begins", e.From, e.To)
	}
	if d.err != nil {
		return Envelope{}, d.err
	}
	return e, nil
}
