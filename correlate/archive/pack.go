package archive

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/s2"
)

// A column's bytes are written as pieces: a length in bytes (uvarint, twice that, plus one if the
// piece is packed) and what it says. A packed piece is a block of S2, whose own head says how many
// bytes it unpacks to.
//
// Packing is done here, and by no codec of Kafka's, because here each column is at hand for itself,
// still in the builder. What does not shrink (identifiers) is copied once and looked at no more. To
// pack the columns takes as long as Snappy takes for a whole block; what is saved is to put the block
// together and copy it into a batch before, and that a broker which stamps the batch has to open it.

// leastPacked is how many bytes are worth packing.
const leastPacked = 64

// Forms of a fixed column: its first byte.
const (
	formEach   = 0
	formRepeat = 1
	formRun    = 2 // Int64: the first value; each of the others is the one before and 1
)

// Packed reports whether value is a column block whose columns are packed: to compress it would be in
// vain.
func Packed(value []byte) bool {
	return len(value) > len(magic) && string(value[:len(magic)]) == magic && value[len(magic)] >= 2
}

// writer writes a block.
type writer struct {
	dst      []byte
	unpacked int // bytes that a reader unpacks to
}

// piece writes b, packed if it becomes smaller by an eighth: less would not pay who unpacks it.
func (w *writer) piece(b []byte) {
	if len(b) < leastPacked {
		w.whole(b)
		return
	}
	const head = binary.MaxVarintLen32
	most := s2.MaxEncodedLen(len(b))
	w.dst = slices.Grow(w.dst, head+most)
	at := len(w.dst)
	packed := s2.Encode(w.dst[at+head:at+head:at+head+most], b)
	if len(packed) > len(b)-len(b)/8 {
		w.whole(b)
		return
	}
	w.unpacked += len(b)
	w.dst = binary.AppendUvarint(w.dst, uint64(len(packed))<<1|1)
	w.dst = append(w.dst, packed...) // some bytes down, where it lies already
}

func (w *writer) whole(b []byte) {
	w.dst = append(binary.AppendUvarint(w.dst, uint64(len(b))<<1), b...)
}

func (w *writer) fixed(c *Column) {
	switch {
	case c.Repeat:
		w.dst = append(append(w.dst, formRepeat), c.Data...)
	case c.Type == typeInt64 && run(c.Data):
		w.dst = append(append(w.dst, formRun), c.Data[:8]...)
		w.unpacked += len(c.Data)
	default:
		w.dst = append(w.dst, formEach)
		w.piece(c.Data)
	}
}

// run reports whether each Int64 is the one before and 1, as positions mostly are.
func run(data []byte) bool {
	if len(data) < 16 {
		return false
	}
	first := binary.LittleEndian.Uint64(data)
	for i := 8; i < len(data); i += 8 {
		if first++; binary.LittleEndian.Uint64(data[i:]) != first {
			return false
		}
	}
	return true
}

// head reads how much memory unpacking takes.
func (d *reader) head() {
	b := d.take(4)
	if b == nil {
		return
	}
	n := binary.LittleEndian.Uint32(b)
	if n > MaxBytes {
		d.fail("a block of %d bytes when unpacked: at most %d", n, MaxBytes)
		return
	}
	d.unpacked = int(n)
}

// unpack returns n bytes to unpack to: there are no more of them than the block's head says.
func (d *reader) unpack(n int) []byte {
	if d.err != nil || n == 0 {
		return nil
	}
	if n > d.unpacked {
		d.fail("a block that unpacks to more than the %d bytes of its head", d.unpacked)
		return nil
	}
	if d.free == nil {
		d.free = d.room(d.unpacked)
	}
	d.unpacked -= n
	b := d.free[:n:n]
	d.free = d.free[n:]
	return b
}

// bytes reads a piece of any length.
func (d *reader) bytes() []byte {
	if d.plain {
		return d.text()
	}
	h := d.uint()
	if d.err == nil && h>>1 > uint64(len(d.src)) {
		d.err = ErrTruncated
	}
	if d.err != nil {
		return nil
	}
	b := d.take(int(h >> 1))
	if h&1 == 0 {
		return b
	}
	n, err := s2.DecodedLen(b)
	if err != nil {
		d.fail("a packed column is damaged: %w", err)
		return nil
	}
	out := d.unpack(n)
	if d.err != nil {
		return nil
	}
	if out, err = s2.Decode(out, b); err != nil {
		d.fail("a packed column is damaged: %w", err)
		return nil
	}
	return out
}

// values takes n values of the given width; n is small enough not to overflow.
func (d *reader) values(n, width int) []byte {
	if d.plain {
		return d.take(n * width)
	}
	b := d.bytes()
	if d.err == nil && len(b) != n*width {
		d.fail("%d bytes where %d values of %d bytes should be", len(b), n, width)
		return nil
	}
	return b
}

// fixed reads n values, or the one that stands for them.
func (d *reader) fixed(c *Column, n int) {
	switch form := d.byte(); {
	case form == formEach:
		c.Data = d.values(n, c.Width)
	case form == formRepeat || d.plain:
		c.Repeat = true
		c.Data = d.take(c.Width)
	case form == formRun && c.Type == typeInt64:
		c.Data = d.unpack(8 * n)
		first := d.fixed64()
		if d.err != nil {
			return
		}
		for i := range n {
			binary.LittleEndian.PutUint64(c.Data[8*i:], first+uint64(i))
		}
	default:
		d.fail("form %d of a fixed column", form)
	}
}
