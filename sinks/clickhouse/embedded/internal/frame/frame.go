// Package frame reads and writes ClickHouse's compressed frames: a checksum, a method, two lengths
// and the data, by which the native protocol and HTTP's compress and decompress parameters carry
// blocks.
//
// Reading trusts nothing: a frame's claimed lengths are bounded, memory is taken as bytes come, the
// checksum is checked before anything is unpacked, and nothing unpacks to more than it claimed.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/go-faster/city"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// MaxFrame bounds a frame's data, packed and unpacked, in bytes. It is what clients' own libraries
// allow; they send a whole block as one frame.
const MaxFrame = 128 << 20

const (
	checksumSize = 16
	headerSize   = 9 // method, packed length with this header, unpacked length

	methodNone = 0x02
	methodLZ4  = 0x82
	methodZSTD = 0x90
)

// Reader unpacks frames. At the end of the input between two frames it returns io.EOF.
type Reader struct {
	src    io.Reader
	packed []byte
	data   []byte
	rest   []byte // of data, not read yet
	zstd   *zstd.Decoder
}

// NewReader returns a Reader that takes whole frames from src and never more. The caller must
// Close it.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Close gives memory back.
func (r *Reader) Close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}

// Buffered is the number of unpacked bytes that were not read yet.
func (r *Reader) Buffered() int { return len(r.rest) }

func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// ReadByte makes a Reader a source of blocks.
func (r *Reader) ReadByte() (byte, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b, nil
}

func (r *Reader) next() error {
	var head [checksumSize + headerSize]byte
	if _, err := io.ReadFull(r.src, head[:]); err != nil {
		return err // io.EOF if no frame began
	}
	method := head[checksumSize]
	packed := binary.LittleEndian.Uint32(head[checksumSize+1:])
	unpacked := binary.LittleEndian.Uint32(head[checksumSize+5:])
	if packed < headerSize || packed > MaxFrame || unpacked > MaxFrame {
		return fmt.Errorf("a compressed frame of %d bytes for %d; at most %d are taken",
			packed, unpacked, MaxFrame)
	}
	if unpacked == 0 {
		// Nobody sends one, and the LZ4 decoder does not survive an empty destination.
		return errors.New("a compressed frame of no bytes")
	}
	if err := r.readPacked(head[checksumSize:], int(packed)); err != nil {
		return err
	}
	sum := city.U128{
		Low:  binary.LittleEndian.Uint64(head[0:]),
		High: binary.LittleEndian.Uint64(head[8:]),
	}
	if city.CH128(r.packed) != sum {
		return errors.New("a compressed frame whose checksum does not match")
	}
	return r.unpack(method, r.packed[headerSize:], int(unpacked))
}

// readPacked reads a frame of n bytes whose header is here already; memory grows as bytes come.
func (r *Reader) readPacked(header []byte, n int) error {
	r.packed = append(r.packed[:0], header...)
	for len(r.packed) < n {
		from, piece := len(r.packed), min(n-len(r.packed), 1<<20)
		if cap(r.packed)-from < piece {
			r.packed = append(make([]byte, 0, 2*from+piece), r.packed...)
		}
		r.packed = r.packed[:from+piece]
		if _, err := io.ReadFull(r.src, r.packed[from:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (r *Reader) unpack(method byte, packed []byte, size int) error {
	if cap(r.data) < size {
		r.data = make([]byte, size)
	}
	r.data = r.data[:size]
	n := 0
	var err error
	switch method {
	case methodNone:
		n = len(packed)
		copy(r.data, packed)
	case methodLZ4:
		n, err = lz4.UncompressBlock(packed, r.data)
	case methodZSTD:
		n, err = r.unpackZSTD(packed)
	default:
		return fmt.Errorf("a compressed frame of method %#x; none, LZ4 and ZSTD are taken", method)
	}
	if err != nil {
		return fmt.Errorf("a compressed frame: %w", err)
	}
	if n != size {
		return fmt.Errorf("a compressed frame of %d bytes that claimed %d", n, size)
	}
	r.rest = r.data
	return nil
}

// unpackZSTD fills r.data; its capacity is the decoder's limit.
func (r *Reader) unpackZSTD(packed []byte) (int, error) {
	if r.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return 0, err
		}
		r.zstd = d
	}
	out, err := r.zstd.DecodeAll(packed, r.data[:0:len(r.data)])
	return len(out), err
}

// Writer packs what is written to it, frame by frame.
type Writer struct {
	dst io.Writer
	c   *compress.Writer
}

// NewWriter returns a Writer to dst with LZ4, or with ZSTD if zstd is set.
func NewWriter(dst io.Writer, zstd bool) *Writer {
	method := compress.LZ4
	if zstd {
		method = compress.ZSTD
	}
	return &Writer{dst: dst, c: compress.NewWriter(0, method)}
}

// Write packs p into one or more whole frames; nothing is held back.
func (w *Writer) Write(p []byte) (int, error) {
	for from := 0; from < len(p); {
		piece := p[from:min(len(p), from+1<<20)]
		if err := w.c.Compress(piece); err != nil {
			return from, err
		}
		if _, err := w.dst.Write(w.c.Data); err != nil {
			return from, err
		}
		from += len(piece)
	}
	return len(p), nil
}
