package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// unpacker decompresses the batches that are read, into recycled memory. It is the [fetch.Memory] of
// intake.
//
// The client's own decompressor reads LZ4 as a stream: a block goes into the reader's buffer, from
// there into another one, and every byte through the frame's own checksum, a third of the cost
// of consuming. A batch is in memory as a whole and was checked by Kafka's CRC, which covers the
// compressed bytes; so blocks are decoded straight to where the records will lie, and the
// checksums of the frame are passed over. Snappy knows its size beforehand and gets exactly that.
// All else is left to the client's decompressor: other codecs, and frames with parts that no
// Kafka client is known to write (a dictionary, blocks that refer to one another, a second frame).
type unpacker struct {
	memory *classes[byte]
	most   int // bytes that a batch may decompress to
	other  kgo.Decompressor
	// swells is how much larger batches became lately, in sixteenths: the guess for the next one.
	swells atomic.Int64
}

// newUnpacker returns a decompressor of batches of at most that many bytes.
func newUnpacker(memory *recycled, most int) (*unpacker, error) {
	// The client's own decompressor, with a bound, can be had from a client only.
	cl, err := kgo.NewClient(kgo.WithPools(memory), kgo.MaxDecompressBatchBytes(most))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	other, ok := cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if !ok {
		return nil, errors.New("the Kafka client names no decompressor")
	}
	u := &unpacker{memory: &memory.bytes, most: most, other: other}
	u.swells.Store(4 * 16)
	return u, nil
}

// Free takes back what Decompress returned.
func (u *unpacker) Free(b []byte) { u.memory.put(b) }

// Decompress implements kgo.Decompressor.
func (u *unpacker) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	switch codec {
	case kgo.CodecNone:
		return src, nil
	case kgo.CodecLz4:
		if f, ok := frameOf(src); ok {
			return u.blocks(f, len(src))
		}
	case kgo.CodecSnappy:
		if framed(src) {
			if n, ok := framedLen(src, u.most); ok {
				return u.framed(src, n)
			}
		} else if n, err := s2.DecodedLen(src); err == nil && n <= u.most {
			return u.snappy(src, n)
		}
	}
	return u.other.Decompress(src, codec)
}

// framedHeader is how many bytes come before the blocks of a frame.
const framedHeader = 16

// framed reports whether Snappy blocks lie in the frame that the Java client writes, and franz-go
// around large batches: 32 KiB a block, each behind its length.
func framed(src []byte) bool {
	return len(src) > framedHeader && string(src[:8]) == "\x82SNAPPY\x00"
}

// framedLen returns how much the blocks of a frame hold; false if that is not known or too much.
func framedLen(src []byte, most int) (n int, ok bool) {
	for rest := src[framedHeader:]; len(rest) > 0; {
		block, more, ok := cutFramed(rest)
		size, err := s2.DecodedLen(block)
		if n += size; !ok || err != nil || n > most {
			return 0, false
		}
		rest = more
	}
	return n, true
}

// cutFramed parts a block from what follows it.
func cutFramed(src []byte) (block, rest []byte, ok bool) {
	if len(src) < 4 {
		return nil, nil, false
	}
	size := uint64(binary.BigEndian.Uint32(src))
	if size > uint64(len(src)-4) {
		return nil, nil, false
	}
	return src[4 : 4+size], src[4+size:], true
}

// framed decodes the blocks of a frame, which hold n bytes, one behind the other. The client does it
// into memory of their own and copies it together.
func (u *unpacker) framed(src []byte, n int) ([]byte, error) {
	dst, at := u.memory.get(n), 0
	for rest := src[framedHeader:]; len(rest) > 0; {
		var block []byte
		block, rest, _ = cutFramed(rest)
		size, _ := s2.DecodedLen(block)
		if _, err := s2.Decode(dst[at:at+size], block); err != nil {
			u.giveBack(dst)
			return nil, err
		}
		at += size
	}
	return dst[:at], nil
}

func (u *unpacker) snappy(src []byte, n int) ([]byte, error) {
	dst := u.memory.get(n)
	out, err := s2.Decode(dst, src)
	if err != nil {
		u.giveBack(dst)
		return nil, err
	}
	return out, nil
}

// blocks decodes the blocks of an LZ4 frame one behind the other. How much they hold is not known
// before; if the guess was too small, all of it begins anew in twice the memory.
func (u *unpacker) blocks(f frame, compressed int) ([]byte, error) {
	guess := int(int64(compressed)*u.swells.Load()/16) + 64
	for {
		dst := u.memory.get(min(guess, u.most))
		n, err := f.decode(dst)
		if err == nil {
			u.learn(n, compressed)
			return dst[:n], nil
		}
		u.giveBack(dst)
		if !errors.Is(err, lz4.ErrInvalidSourceShortBuffer) {
			return nil, err
		}
		// Damaged bytes look like too little memory; then the bound is what ends this.
		if len(dst) >= u.most {
			return nil, fmt.Errorf("a batch of %d bytes is damaged, or more than %d when decompressed: %w",
				compressed, u.most, kgo.ErrMaxDecompress)
		}
		guess = 2 * len(dst)
	}
}

// giveBack returns memory that no record will refer to. Nobody may see what was there.
func (u *unpacker) giveBack(dst []byte) {
	clear(dst[:cap(dst)])
	u.memory.put(dst)
}

// mostSwells bounds the guess, in sixteenths: one batch of zeroes must not make the next ones large.
const mostSwells = 16 * 16

// learn keeps the guess an eighth above the largest batch lately: it rises at once and falls slowly.
func (u *unpacker) learn(n, compressed int) {
	was, now := u.swells.Load(), min(int64(n)*18/int64(compressed)+1, mostSwells)
	if now < was {
		now = was - (was-now+63)/64
	}
	if now != was {
		u.swells.Store(now)
	}
}

// frame is an LZ4 frame whose blocks stand alone.
type frame struct {
	blocks   []byte // behind the header
	checksum int    // bytes behind each block
}

// Of an LZ4 frame (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
const (
	frameMagic    = 0x184d2204
	frameVersion  = 0xc0 // mask; version 01
	independent   = 0x20
	blockChecksum = 0x10
	contentSize   = 0x08
	contentSum    = 0x04
	reservedBits  = 0x03 // reserved, dictionary
	stored        = 1 << 31
)

// frameOf reads the header of the one frame that src is, false if src is anything else. It also
// walks over the blocks: what it accepts has an end.
func frameOf(src []byte) (f frame, ok bool) {
	if len(src) < 11 || binary.LittleEndian.Uint32(src) != frameMagic {
		return f, false
	}
	flags := src[4]
	if flags&frameVersion != 0x40 || flags&independent == 0 || flags&reservedBits != 0 {
		return f, false
	}
	begin, sum := 7, 0
	if flags&contentSize != 0 {
		begin += 8
	}
	if flags&blockChecksum != 0 {
		f.checksum = 4
	}
	if flags&contentSum != 0 {
		sum = 4
	}
	for i := begin; len(src)-i >= 4; {
		size := binary.LittleEndian.Uint32(src[i:])
		if size == 0 {
			f.blocks = src[begin:i]
			return f, i+4+sum == len(src)
		}
		if i += 4 + int(size&^stored) + f.checksum; i > len(src) {
			break
		}
	}
	return f, false
}

// decode writes what the blocks hold to dst and returns how much that is. There is
// lz4.ErrInvalidSourceShortBuffer when dst is too small or a block is damaged.
func (f *frame) decode(dst []byte) (n int, err error) {
	for b := f.blocks; len(b) > 0; {
		size := binary.LittleEndian.Uint32(b)
		block := b[4 : 4+size&^stored]
		b = b[4+int(size&^stored)+f.checksum:]
		if size&stored != 0 {
			if len(dst)-n < len(block) {
				return 0, lz4.ErrInvalidSourceShortBuffer
			}
			n += copy(dst[n:], block)
			continue
		}
		k, err := lz4.UncompressBlock(block, dst[n:])
		if err != nil {
			return 0, err
		}
		n += k
	}
	return n, nil
}
