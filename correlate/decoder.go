package correlate

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errTruncated = errors.New("it ends inside a field")

// decoder reads fields. After the first error every read returns zero and err stays.
type decoder struct {
	src []byte
	err error
}

func newDecoder(src []byte) *decoder { return &decoder{src: src} }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.src = nil
}

func (d *decoder) take(n int) []byte {
	if n > len(d.src) {
		d.fail("%w", errTruncated)
		return nil
	}
	b := d.src[:n]
	d.src = d.src[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("%d is no truth value", b)
	}
	return b == 1
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.src)
	if n <= 0 {
		d.fail("%w", errTruncated)
		return 0
	}
	d.src = d.src[n:]
	return v
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		d.fail("%w", errTruncated)
		return 0
	}
	d.src = d.src[n:]
	return v
}

// word reads an integer of eight bytes.
func (d *decoder) word() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) time() Time         { return Time(d.int()) }
func (d *decoder) duration() Duration { return Duration(d.int()) }

// count reads the number of elements of a list whose elements take at least size bytes each, so
// that a forged number cannot make anybody allocate more than the snapshot's own size.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.src)/size) {
		d.fail("%d elements announced, %d bytes left", n, len(d.src))
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return string(d.take(d.count(1))) }

func (d *decoder) position() RawPosition {
	p := RawPosition{RawPartition: RawPartition{Topic: d.string(), Partition: int32(d.int())}}
	p.Offset = d.int()
	return p
}

func (d *decoder) labels() []Label {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	labels := make([]Label, n)
	for i := range labels {
		labels[i] = Label{Name: d.string(), Value: d.string()}
	}
	return labels
}
