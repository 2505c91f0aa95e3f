package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/go-faster/city"
	"github.com/klauspost/compress/zstd"
)

func TestRoundTrip(t *testing.T) {
	noise := make([]byte, 3<<20+17)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(random.Uint32() >> (i % 9))
	}
	for name, zstd := range map[string]bool{"LZ4": false, "ZSTD": true} {
		var packed bytes.Buffer
		w := NewWriter(&packed, zstd)
		for _, n := range []int{0, 1, 100, len(noise)} {
			if m, err := w.Write(noise[:n]); m != n || err != nil {
				t.Fatal(name, m, err)
			}
		}
		r := NewReader(&packed)
		defer r.Close()
		got, err := io.ReadAll(r)
		want := append(append(bytes.Clone(noise[:1]), noise[:100]...), noise...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
	}
}

func TestReadsWhatOthersWrite(t *testing.T) {
	for _, method := range []compress.Method{compress.None, compress.LZ4, compress.LZ4HC,
		compress.ZSTD} {
		w := compress.NewWriter(0, method)
		if err := w.Compress([]byte("some rows")); err != nil {
			t.Fatal(err)
		}
		r := NewReader(bytes.NewReader(w.Data))
		b, err := r.ReadByte()
		if b != 's' || err != nil || r.Buffered() != 8 {
			t.Errorf("%v: %c, %v, %d more", method, b, err, r.Buffered())
		}
		r.Close()
	}
}

// frameOf makes a frame with a right checksum and any lengths.
func frameOf(method byte, claim uint32, packed []byte) []byte {
	b := append([]byte{method}, binary.LittleEndian.AppendUint32(nil,
		uint32(len(packed)+headerSize))...)
	b = append(binary.LittleEndian.AppendUint32(b, claim), packed...)
	sum := city.CH128(b)
	return append(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, sum.Low),
		sum.High), b...)
}

func TestBrokenFrames(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	good := frameOf(methodNone, 3, []byte("abc"))
	torn := bytes.Clone(good)
	torn[len(torn)-1]++
	for _, test := range []struct {
		name   string
		data   []byte
		reason string
	}{
		{"a bomb", frameOf(methodZSTD, 10, bomb), "compressed frame"},
		{"noise as LZ4",
			frameOf(methodLZ4, 1000, []byte{0xff, 0xff, 0xff, 0xff, 1, 2}), "compressed frame"},
		{"less than it claims", frameOf(methodNone, 10, []byte("abc")), "claimed 10"},
		{"more than it claims", frameOf(methodNone, 1, []byte("abc")), "claimed 1"},
		{"a method of no name", frameOf(7, 3, []byte("abc")), "method 0x7"},
		{"a wrong checksum", torn, "checksum"},
		{"a claim of 4 GiB", frameOf(methodLZ4, 1<<32-1, []byte("abc")), "at most"},
		{"shorter than its header",
			append(make([]byte, 16), 0x82, 3, 0, 0, 0, 1, 0, 0, 0), "at most"},
	} {
		r := NewReader(bytes.NewReader(test.data))
		if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: %v", test.name, err)
		}
		r.Close()
	}
	for n := 1; n < len(good); n++ {
		if _, err := io.ReadAll(NewReader(bytes.NewReader(good[:n]))); !errors.Is(err,
			io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(frameOf(methodNone, 3, []byte("abc")), true)
	f.Add([]byte{methodLZ4, 0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal && len(data) > 1 { // let it get past the checksum
			data = frameOf(data[0], uint32(data[1])<<4, data[2:])
		}
		r := NewReader(bytes.NewReader(data))
		defer r.Close()
		_, _ = io.CopyN(io.Discard, r, 1<<20)
	})
}
