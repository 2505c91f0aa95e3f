package pipeline

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
)

// packer compresses the batches that quell produces, by Snappy: it makes our records as small as LZ4
// does in a third of the time. Batches of column blocks are left as they are: their columns are
// packed already, and to compress them again would cost every reader, and a broker that has to open
// the batch, as much as to pack them.
type packer struct{}

// Compress implements kgo.Compressor.
func (packer) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag,
) ([]byte, kgo.CompressionCodecType) {
	if archive.Packed(firstValue(src)) {
		return src, kgo.CodecNone
	}
	dst.Grow(s2.MaxEncodedLen(len(src)))
	return s2.EncodeSnappy(dst.AvailableBuffer(), src), kgo.CodecSnappy
}

// firstValue returns the value of the first record of a batch, nil if it has none or src is none.
// https://kafka.apache.org/documentation/#record
func firstValue(src []byte) []byte {
	_, n := binary.Varint(src) // length of the record
	if n <= 0 || n >= len(src) {
		return nil
	}
	src = src[n+1:]    // attributes
	for i := range 4 { // differences of timestamp and offset, lengths of key and value
		v, n := binary.Varint(src)
		if n <= 0 {
			return nil
		}
		src = src[n:]
		if i < 2 || v < 0 {
			continue
		}
		if v > int64(len(src)) {
			return nil
		}
		if i == 3 {
			return src[:v]
		}
		src = src[v:]
	}
	return nil
}
