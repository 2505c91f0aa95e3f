package wire

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"quell/correlate"
)

// AppendUint appends v as a varint.
func AppendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendInt appends v as a zig-zag varint.
func AppendInt(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }

// AppendString appends s behind its length.
func AppendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendLabels appends the labels behind their number.
func AppendLabels(dst []byte, labels []correlate.Label) []byte {
	dst = AppendUint(dst, uint64(len(labels)))
	for _, l := range labels {
		dst = AppendString(dst, l.Name)
		dst = AppendString(dst, l.Value)
	}
	return dst
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Reader reads fields from Src. After the first error every read returns zero and Err stays.
type Reader struct {
	Src []byte
	Err error

	batch *Decoder // whose batch strings and lists live as long as; nil: copies
}

// Take returns the next n bytes, a view, or nil after an error.
func (d *Reader) Take(n int) []byte {
	if d.Err != nil || n < 0 || n > len(d.Src) {
		if d.Err == nil {
			d.Err = ErrTruncated
		}
		return nil
	}
	b := d.Src[:n]
	d.Src = d.Src[n:]
	return b
}

// Byte returns the next byte.
func (d *Reader) Byte() byte {
	if b := d.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint reads a varint.
func (d *Reader) Uint() uint64 {
	if len(d.Src) > 0 && d.Src[0] < 0x80 && d.Err == nil { // nearly every length
		v := d.Src[0]
		d.Src = d.Src[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.Src)
	return advance(d, v, n)
}

// Int reads a zig-zag varint.
func (d *Reader) Int() int64 {
	v, n := binary.Varint(d.Src)
	return advance(d, v, n)
}

func advance[T int64 | uint64](d *Reader, v T, n int) T {
	if d.Err != nil {
		return 0
	}
	if n <= 0 {
		d.Err = ErrTruncated
		return 0
	}
	d.Src = d.Src[n:]
	return v
}

// Count reads the number of elements of a list whose elements take at least min bytes each, so
// that a forged count cannot make anybody allocate more than the value's own size allows.
func (d *Reader) Count(min int) int {
	n := d.Uint()
	if d.Err == nil && n > uint64(len(d.Src)/min) {
		d.Err = fmt.Errorf("wire: %d elements announced, %d bytes left", n, len(d.Src))
	}
	if d.Err != nil {
		return 0
	}
	return int(n)
}

// String reads a string, a copy (of a Decoder: a view).
func (d *Reader) String() string {
	n := d.Uint()
	if d.Err == nil && n > uint64(len(d.Src)) {
		d.Err = ErrTruncated
	}
	if d.Err != nil || n == 0 {
		return ""
	}
	b := d.Src[:n]
	d.Src = d.Src[n:]
	if d.batch != nil {
		return unsafe.String(&b[0], len(b))
	}
	return string(b)
}

// Labels reads what AppendLabels wrote; nil for none.
func (d *Reader) Labels() []correlate.Label {
	n := d.Count(2)
	if n == 0 {
		return nil
	}
	var labels []correlate.Label
	if d.batch != nil {
		labels = d.batch.labelsOf(n)
	} else {
		labels = make([]correlate.Label, n)
	}
	for i := range labels {
		labels[i] = correlate.Label{Name: d.String(), Value: d.String()}
	}
	return labels
}
