package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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

// Reader reads fields from Src. After the first error Src is empty, so that every read fails, returns
// zero and leaves Err as it is.
type Reader struct {
	Src []byte
	Err error

	batch *Decoder // whose batch strings and lists live as long as; nil: copies
}

func (d *Reader) fail(err error) {
	if d.Err == nil {
		d.Err = err
	}
	d.Src = nil
}

// Take returns the next n bytes, a view, or nil after an error.
func (d *Reader) Take(n int) []byte {
	if n < 0 || n > len(d.Src) {
		d.fail(ErrTruncated)
		return nil
	}
	b := d.Src[:n]
	d.Src = d.Src[n:]
	return b
}

// Byte returns the next byte.
func (d *Reader) Byte() byte {
	if len(d.Src) == 0 {
		d.fail(ErrTruncated)
		return 0
	}
	b := d.Src[0]
	d.Src = d.Src[1:]
	return b
}

// Uint reads a varint.
func (d *Reader) Uint() uint64 {
	if len(d.Src) > 0 && d.Src[0] < 0x80 { // nearly every length
		v := d.Src[0]
		d.Src = d.Src[1:]
		return uint64(v)
	}
	return d.long()
}

// Int reads a zig-zag varint.
func (d *Reader) Int() int64 {
	v := d.Uint()
	return int64(v>>1) ^ -int64(v&1)
}

// long reads a varint of several bytes. Nearly all of those are times and offsets: one of up to eight
// bytes is taken from one word, whose groups of seven bits move together in three steps. That takes
// half the time of a loop that cannot be foreseen.
func (d *Reader) long() uint64 {
	const tops = 0x8080808080808080
	if len(d.Src) >= 8 {
		x := binary.LittleEndian.Uint64(d.Src)
		if ends := ^x & tops; ends != 0 {
			d.Src = d.Src[bits.TrailingZeros64(ends)/8+1:]
			x &= (ends ^ (ends - 1)) &^ tops
			x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
			x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
			return x&0x000000000fffffff | x&0x0fffffff00000000>>4
		}
	}
	v, n := binary.Uvarint(d.Src)
	if n <= 0 {
		d.fail(ErrTruncated)
		return 0
	}
	d.Src = d.Src[n:]
	return v
}

// Count reads the number of elements of a list whose elements take at least min bytes each, so
// that a forged count cannot make anybody allocate more than the value's own size allows.
func (d *Reader) Count(min int) int {
	n := d.Uint()
	if n > uint64(len(d.Src)/min) {
		d.fail(fmt.Errorf("wire: %d elements announced, %d bytes left", n, len(d.Src)))
		return 0
	}
	return int(n)
}

// String reads a string, a copy (of a Decoder: a view).
func (d *Reader) String() string {
	n := d.Uint()
	if n > uint64(len(d.Src)) {
		d.fail(ErrTruncated)
		return ""
	}
	if n == 0 {
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
