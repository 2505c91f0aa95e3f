package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batchOf returns n bytes as a storm has them: text that repeats and some that does not.
func batchOf(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":"%x","service":"service-%d","summary":"p99 latency above objective"}`,
			r.Uint64(), r.IntN(9))
	}
	return b[:n]
}

func newTestUnpacker(t testing.TB, most int) *unpacker {
	u, err := newUnpacker(new(recycled), most)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// frameWith returns src as an LZ4 frame of a writer with the given options.
func frameWith(t testing.TB, src []byte, options ...lz4.Option) []byte {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	_, err := w.Write(src)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What any producer writes comes out as it went in, whoever decodes it.
func TestUnpack(t *testing.T) {
	sizes := []int{0, 1, 100, 5000, 70_000, 1 << 20, 5 << 20}
	small, sums := lz4.BlockSizeOption(lz4.Block64Kb), lz4.BlockChecksumOption(true)
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodecType
		pack  func([]byte) []byte
	}{
		{"as franz-go writes LZ4", kgo.CodecLz4, func(b []byte) []byte { return frameWith(t, b) }},
		{"as the Java client writes LZ4", kgo.CodecLz4, func(b []byte) []byte {
			return frameWith(t, b, small, lz4.ChecksumOption(false))
		}},
		{"with block checksums and a size", kgo.CodecLz4, func(b []byte) []byte {
			return frameWith(t, b, small, sums, lz4.SizeOption(uint64(len(b))))
		}},
		{"two frames, which is left to the client", kgo.CodecLz4, func(b []byte) []byte {
			half := len(b) / 2
			return append(frameWith(t, b[:half]), frameWith(t, b[half:])...)
		}},
		{"snappy", kgo.CodecSnappy, packed(t, kgo.SnappyCompression())},
		{"snappy as the Java client frames it", kgo.CodecSnappy, framedSnappy},
		{"gzip", kgo.CodecGzip, packed(t, kgo.GzipCompression())},
		{"zstd", kgo.CodecZstd, packed(t, kgo.ZstdCompression())},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newTestUnpacker(t, 64<<20)
			for _, size := range sizes {
				want := batchOf(size)
				got, err := u.Decompress(c.pack(want), c.codec)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
				}
				u.giveBack(got)
			}
		})
	}
}

// framedSnappy returns b as Snappy blocks of 32 KiB in a frame.
func framedSnappy(b []byte) []byte {
	out := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for {
		block := s2.EncodeSnappy(nil, b[:min(len(b), 32<<10)])
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
		if b = b[min(len(b), 32<<10):]; len(b) == 0 {
			return out
		}
	}
}

func packed(t testing.TB, codec kgo.CompressionCodec) func([]byte) []byte {
	c, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	return func(b []byte) []byte {
		out, _ := c.Compress(new(bytes.Buffer), b)
		return bytes.Clone(out)
	}
}

// A batch that would become larger than the bound is refused, and so is a damaged one.
func TestUnpackRefuses(t *testing.T) {
	u := newTestUnpacker(t, 1<<20)
	bomb := make([]byte, 64<<20)
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodecType
		src   []byte
	}{
		{"LZ4 bomb", kgo.CodecLz4, frameWith(t, bomb)},
		{"snappy bomb", kgo.CodecSnappy, packed(t, kgo.SnappyCompression())(bomb)},
		{"framed snappy bomb", kgo.CodecSnappy, framedSnappy(bomb)},
		{"framed snappy cut in a block", kgo.CodecSnappy, framedSnappy(batchOf(5000))[:300]},
		{"framed snappy cut in a length", kgo.CodecSnappy, append(framedSnappy(batchOf(5000)), 0, 0)},
		{"framed snappy block that says nonsense", kgo.CodecSnappy, append(framedSnappy(batchOf(50)), 0, 0, 0, 3, 9, 255, 255)},
		{"gzip bomb", kgo.CodecGzip, packed(t, kgo.GzipCompression())(bomb)},
		{"zstd bomb", kgo.CodecZstd, packed(t, kgo.ZstdCompression())(bomb)},
		{"LZ4 cut in a block", kgo.CodecLz4, frameWith(t, batchOf(5000))[:300]},
		{"LZ4 block that says nonsense", kgo.CodecLz4, nonsense(frameWith(t, batchOf(5000)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := u.Decompress(c.src, c.codec); err == nil {
				t.Errorf("%d bytes came out", len(got))
			}
		})
	}
	if s := u.swells.Load(); s > mostSwells {
		t.Errorf("the guess is %d sixteenths, more than %d", s, mostSwells)
	}
}

// nonsense overwrites what a frame's first block holds.
func nonsense(frame []byte) []byte {
	size := binary.LittleEndian.Uint32(frame[7:])
	for i := range size {
		frame[11+i] = 0xff
	}
	return frame
}

// FuzzUnpackLZ4 holds the frame reader against the client's own decompressor: what it accepts must
// be accepted there with the same bytes, but for checksums, which it does not look at.
func FuzzUnpackLZ4(f *testing.F) {
	f.Add(frameWith(f, batchOf(300)))
	f.Add(frameWith(f, batchOf(300), lz4.ChecksumOption(false), lz4.BlockChecksumOption(true)))
	u := newTestUnpacker(f, 1<<20)
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := u.Decompress(src, kgo.CodecLz4)
		want, err2 := kgo.DefaultDecompressor().Decompress(src, kgo.CodecLz4)
		switch {
		case err2 == nil && len(want) <= 1<<20 && err != nil:
			t.Fatalf("refused what the client reads: %v", err)
		case err2 == nil && err == nil && !bytes.Equal(got, want):
			t.Fatalf("%q, the client reads %q", got, want)
		}
	})
}

// FuzzUnpackSnappy is the same for Snappy, framed or not.
func FuzzUnpackSnappy(f *testing.F) {
	f.Add(framedSnappy(batchOf(300)))
	f.Add(framedSnappy(batchOf(70_000)))
	f.Add(s2.EncodeSnappy(nil, batchOf(300)))
	u := newTestUnpacker(f, 1<<20)
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := u.Decompress(src, kgo.CodecSnappy)
		want, err2 := kgo.DefaultDecompressor().Decompress(src, kgo.CodecSnappy)
		switch {
		case err2 == nil && len(want) <= 1<<20 && err != nil:
			t.Fatalf("refused what the client reads: %v", err)
		case err2 == nil && err == nil && !bytes.Equal(got, want):
			t.Fatalf("%q, the client reads %q", got, want)
		}
	})
}

// A slice comes back for as much as it can hold, and never for more.
func TestSizeClasses(t *testing.T) {
	last := -1
	for n := 1; n < 1<<16; n++ {
		class, capacity := classOf(n)
		if capacity < n || n > leastClass && capacity > n+n/8+1 || class < last {
			t.Fatalf("%d elements get class %d of %d, after class %d", n, class, capacity, last)
		}
		if again, same := classOf(capacity); again != class || same != capacity {
			t.Fatalf("a slice of class %d (%d) goes back to %d (%d)", class, capacity, again, same)
		}
		last = class
	}
	var c classes[byte]
	for n := 1; n < 4096; n += 7 {
		c.put(make([]byte, n))
		if got := c.get(n); len(got) < n {
			t.Fatalf("asked for %d, got %d", n, len(got))
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodecType
		src   []byte
	}{
		{"LZ4", kgo.CodecLz4, frameWith(b, batchOf(1<<20))},
		{"framed snappy", kgo.CodecSnappy, framedSnappy(batchOf(1 << 20))},
	} {
		for name, d := range map[string]kgo.Decompressor{"own": newTestUnpacker(b, 64<<20),
			"client": kgo.DefaultDecompressor()} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(1 << 20)
				for b.Loop() {
					out, err := d.Decompress(c.src, c.codec)
					if err != nil {
						b.Fatal(err)
					}
					if u, ok := d.(*unpacker); ok {
						u.giveBack(out)
					}
				}
			})
		}
	}
}
