package pipeline

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

// batchWith returns a batch's records as a client writes them, before compression.
func batchWith(key []byte, values ...[]byte) (batch []byte) {
	bytesOf := func(dst, b []byte) []byte {
		if b == nil {
			return binary.AppendVarint(dst, -1)
		}
		return append(binary.AppendVarint(dst, int64(len(b))), b...)
	}
	for i, v := range values {
		r := []byte{0}                       // attributes
		r = binary.AppendVarint(r, int64(i)) // of the timestamp
		r = binary.AppendVarint(r, int64(i)) // of the offset
		r = bytesOf(bytesOf(r, key), v)      // key, value
		r = binary.AppendVarint(r, 0)        // headers
		batch = binary.AppendVarint(batch, int64(len(r)))
		batch = append(batch, r...)
	}
	return batch
}

// TestBlocksArePackedOnce: column blocks stay as they are, everything else is compressed and comes
// out of the decompressor as it went in.
func TestBlocksArePackedOnce(t *testing.T) {
	o := archivetest.Origin("raw", 4)
	env := archive.Envelope{Origin: o, To: 1000, Sections: []archive.Section{archivetest.Events(o, 0, 1000)}}
	block, text := env.Append(nil), batchOf(5000)
	for _, c := range []struct {
		name  string
		batch []byte
		want  kgo.CompressionCodecType
	}{
		{"column blocks", batchWith(nil, block, block), kgo.CodecNone},
		{"a column block with a key", batchWith([]byte("k"), block), kgo.CodecNone},
		{"a block of an older quell", batchWith(nil, append([]byte("QA\x01"), text...)), kgo.CodecSnappy},
		{"text", batchWith(nil, text), kgo.CodecSnappy},
		{"records without a value", batchWith(text, nil, nil), kgo.CodecSnappy},
		{"nothing", nil, kgo.CodecSnappy},
		{"no batch", []byte("\xff\xff\xff"), kgo.CodecSnappy},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dst bytes.Buffer
			out, codec := packer{}.Compress(&dst, c.batch)
			if codec != c.want {
				t.Errorf("codec %d, want %d", codec, c.want)
			}
			back, err := newTestUnpacker(t, 1<<20).Decompress(out, codec)
			if err != nil || !bytes.Equal(back, c.batch) {
				t.Errorf("another batch came back: %v", err)
			}
		})
	}
}
