package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A record batch (format 2) begins with these fields; the checksum covers all after itself.
// https://kafka.apache.org/documentation/#recordbatch
const (
	atLength      = 8  // int32, of what follows the field
	atEpoch       = 12 // int32, of the partition's leader
	atMagic       = 16 // int8
	atCRC         = 17 // uint32, Castagnoli
	atAttributes  = 21 // int16
	atLastDelta   = 23 // int32
	atFirstTime   = 27 // int64, milliseconds
	atMaxTime     = 35 // int64, milliseconds
	atProducer    = 43 // int64
	atRecords     = 57 // int32, how many
	batchHeader   = 61
	codecMask     = 0x07
	appendTime    = 0x08
	transactional = 0x10
	control       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is one record batch: all of its bytes, of which there are batchHeader at least.
type batch []byte

func (b batch) first() int64      { return int64(binary.BigEndian.Uint64(b)) }
func (b batch) epoch() int32      { return b.int32(atEpoch) }
func (b batch) attributes() int16 { return int16(binary.BigEndian.Uint16(b[atAttributes:])) }
func (b batch) lastDelta() int32  { return b.int32(atLastDelta) }
func (b batch) producer() int64   { return int64(binary.BigEndian.Uint64(b[atProducer:])) }
func (b batch) count() int32      { return b.int32(atRecords) }
func (b batch) control() bool     { return b.attributes()&control != 0 }
func (b batch) end() int64        { return b.first() + int64(b.lastDelta()) + 1 }

func (b batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }

// baseTime returns what the records' times are counted from, and whether they are counted at all: in
// a topic of LogAppendTime all records of a batch have one.
func (b batch) baseTime() (ms int64, counted bool) {
	if b.attributes()&appendTime != 0 {
		return int64(binary.BigEndian.Uint64(b[atMaxTime:])), false
	}
	return int64(binary.BigEndian.Uint64(b[atFirstTime:])), true
}

// check reports whether the bytes are what the broker has.
func (b batch) check() error {
	if sum, want := crc32.Checksum(b[atAttributes:], castagnoli), binary.BigEndian.Uint32(b[atCRC:]); sum != want {
		return fmt.Errorf("the batch is damaged: its checksum is %#x, not %#x", sum, want)
	}
	return nil
}

// cut parts the first batch from what follows it. A batch that is not whole is none: a broker cuts
// its answer where it is full.
func cut(src []byte) (b batch, rest []byte, err error) {
	if len(src) <= atMagic {
		return nil, nil, nil
	}
	size := int64(int32(binary.BigEndian.Uint32(src[atLength:]))) + atEpoch
	switch {
	case size > int64(len(src)):
		return nil, nil, nil
	case src[atMagic] != 2:
		return nil, nil, fmt.Errorf("a batch in format %d: only format 2 (Kafka 0.11 and newer) can be read",
			src[atMagic])
	case size < batchHeader:
		return nil, nil, fmt.Errorf("the batch is damaged: it has %d bytes", size)
	}
	b = src[:size:size]
	if b.lastDelta() < 0 || b.first() < 0 || b.end() <= b.first() {
		return nil, nil, errors.New("the batch is damaged: it ends before it begins")
	}
	return b, src[size:], nil
}

// farthest is how far a record's time may be from 1970, in milliseconds: as far as nanoseconds in 64
// bits go, the year 2262. What a producer wrote may be anything.
const farthest = 1 << 63 / 1_000_000

// Record is one record: its value is a view into memory that lives until the next call of [Part.Next].
type Record struct {
	Value  []byte // nil if the record has none
	Offset int64
	Time   int64 // milliseconds since 1970
}

// records reads the records of one batch.
type records struct {
	src     []byte // those that are left
	left    int32
	first   int64
	last    int32 // the highest difference of an offset
	time    int64
	counted bool // times are differences from time
}

var errRecord = errors.New("the batch is damaged: a record in it has no end")

// open begins with the records of b, which lie in src without compression.
func (r *records) open(b batch, src []byte) error {
	*r = records{src: src, left: b.count(), first: b.first(), last: b.lastDelta()}
	r.time, r.counted = b.baseTime()
	if r.left < 0 {
		return fmt.Errorf("the batch is damaged: it has %d records", r.left)
	}
	return nil
}

// next reads a record; there is one.
func (r *records) next(to *Record) error {
	length, n := varint(r.src)
	if n <= 0 || length < 0 || length > int64(len(r.src)-n) {
		return errRecord
	}
	body := r.src[n : n+int(length)]
	r.src = r.src[n+int(length):]
	r.left--
	if len(body) == 0 {
		return errRecord
	}
	body = body[1:] // attributes, of which there are none
	time, n := varint(body)
	if n <= 0 {
		return errRecord
	}
	body = body[n:]
	delta, n := varint(body)
	if n <= 0 || delta < 0 || delta > int64(r.last) {
		return errRecord
	}
	if _, body = text(body[n:]); body == nil { // the key
		return errRecord
	}
	if to.Value, body = text(body); body == nil {
		return errRecord
	}
	to.Offset, to.Time = r.first+delta, r.time
	if r.counted {
		to.Time += time
	}
	to.Time = min(max(to.Time, -farthest), farthest)
	return nil
}

// text reads bytes behind their length, which is -1 for none. rest is nil if they have no end; it is
// not nil otherwise, since the number of headers follows.
func text(src []byte) (value, rest []byte) {
	n, used := varint(src)
	if used <= 0 || n >= int64(len(src)-used) || n < -1 {
		return nil, nil
	}
	src = src[used:]
	if n < 0 {
		return nil, src[:len(src):len(src)]
	}
	return src[:n:n], src[n:]
}

// varint is binary.Varint; most are one byte or two.
func varint(src []byte) (int64, int) {
	if len(src) >= 2 {
		if a := uint64(src[0]); a < 0x80 {
			return int64(a>>1) ^ -int64(a&1), 1
		} else if b := uint64(src[1]); b < 0x80 {
			a = a&0x7f | b<<7
			return int64(a>>1) ^ -int64(a&1), 2
		}
	}
	return binary.Varint(src)
}

// Memory decompresses batches, and takes back the memory that they became. A batch without
// compression is not shown to it.
type Memory interface {
	kgo.Decompressor
	Free([]byte)
}
