package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A record batch (format 2) begins with these fields; the checksum covers all after itself.
// https://kafka.apache.org/documentation/#recordbatch
const (
	batchLength         = 8  // int32, of what follows the field
	batchCRC            = 17 // uint32, Castagnoli
	batchAttributes     = 21 // int16
	batchFirstTimestamp = 27 // int64, milliseconds
	batchMaxTimestamp   = 35 // int64, milliseconds
	batchRecords        = 57 // int32, how many
	batchHeader         = 61

	codecMask = 0x07
)

// renewAfter is how many produce requests one control function sees. kfake remembers the last
// request of each connection for every control function, and forgets only when the function goes.
const renewAfter = 4096

// stamper gives the records of LogAppendTime topics the time of their arrival. It works on produce
// requests before kfake sees them: kfake has one goroutine, so that the stamps of a partition never
// decrease while the clock does not.
//
// A real broker marks the batch as "appended at its maximum timestamp" and leaves the records
// alone. kfake cannot be given such a batch (it replaces the timestamps of a marked one and keeps
// the old checksum, and every reader then refuses the batch). So the batch stays unmarked, its base
// is the time of arrival, and every record's difference from it becomes zero: the same times for
// every reader, and for retention, compaction and searches by time. A compressed batch must be
// opened for that.
type stamper struct {
	cluster     *kfake.Cluster
	seen        int
	decompress  kgo.Decompressor
	memory      *lastUsed
	compressors map[kgo.CompressionCodecType]kgo.Compressor
}

func newStamper(cluster *kfake.Cluster) (*stamper, error) {
	memory := new(lastUsed)
	s := &stamper{
		cluster:     cluster,
		memory:      memory,
		decompress:  kgo.DefaultDecompressor(memory),
		compressors: make(map[kgo.CompressionCodecType]kgo.Compressor),
	}
	for codec, with := range map[kgo.CompressionCodecType]kgo.CompressionCodec{
		kgo.CodecGzip:   kgo.GzipCompression(),
		kgo.CodecSnappy: kgo.SnappyCompression(),
		kgo.CodecLz4:    kgo.Lz4Compression(),
		kgo.CodecZstd:   kgo.ZstdCompression(),
	} {
		c, err := kgo.DefaultCompressor(with)
		if err != nil {
			return nil, fmt.Errorf("embedded broker: %w", err)
		}
		s.compressors[codec] = c
	}
	return s, nil
}

// lastUsed is the memory that was decompressed to last, for one goroutine.
type lastUsed struct{ b []byte }

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (l *lastUsed) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	b := l.b
	l.b = nil
	return b
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (l *lastUsed) PutDecompressBytes(b []byte) {
	if cap(b) <= 4<<20 {
		l.b = b[:0]
	}
}

// install puts the stamper in front of kfake's own handling of produce requests.
func (s *stamper) install() {
	s.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if s.seen++; s.seen%renewAfter == 0 {
			s.cluster.DropControl()
			s.install()
		}
		s.stamp(req.(*kmsg.ProduceRequest))
		return nil, nil, false // kfake handles the request
	})
}

func (s *stamper) stamp(req *kmsg.ProduceRequest) {
	now := time.Now().UnixMilli()
	for i := range req.Topics {
		t := &req.Topics[i]
		if !s.appendTime(req.Version, t) {
			continue
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			p.Records = s.stampBatch(p.Records, now)
		}
	}
}

// appendTime reports whether the topic wants LogAppendTime now. It is asked each time, because the
// setting may be altered at any time.
func (s *stamper) appendTime(version int16, t *kmsg.ProduceRequestTopic) bool {
	var info *kfake.TopicInfo
	if version >= 13 { // from then on topics are named by id
		info = s.cluster.TopicIDInfo(t.TopicID)
	} else {
		info = s.cluster.TopicInfo(t.Topic)
	}
	if info == nil {
		return false
	}
	v := info.Configs["message.timestamp.type"]
	return v != nil && *v == "LogAppendTime"
}

// stampBatch returns the batch with all its records at now (milliseconds). It writes into the
// request's bytes, which are read for this request alone; a request that is seen twice is stamped
// twice. A batch that is damaged
// is returned as it is if its checksum says so already, and otherwise with a wrong checksum: kfake
// refuses both as CORRUPT_MESSAGE, as a real broker does.
func (s *stamper) stampBatch(batch []byte, now int64) []byte {
	if len(batch) < batchHeader || crcOf(batch) != binary.BigEndian.Uint32(batch[batchCRC:]) {
		return batch
	}
	body, ok := s.stampRecords(batch)
	if !ok {
		batch[batchCRC] ^= 0xff
		return batch
	}
	if body != nil {
		batch = append(batch[:batchHeader:batchHeader], body...)
		binary.BigEndian.PutUint32(batch[batchLength:], uint32(len(batch)-batchLength-4))
	}
	binary.BigEndian.PutUint64(batch[batchFirstTimestamp:], uint64(now))
	binary.BigEndian.PutUint64(batch[batchMaxTimestamp:], uint64(now))
	binary.BigEndian.PutUint32(batch[batchCRC:], crcOf(batch))
	return batch
}

func crcOf(batch []byte) uint32 {
	return crc32.Checksum(batch[batchAttributes:], crc32.MakeTable(crc32.Castagnoli))
}

// stampRecords returns what has to follow the header so that no record differs from the base timestamp,
// compressed as it was; nil if it is there already. It writes into a batch that is not compressed.
func (s *stamper) stampRecords(batch []byte) (body []byte, ok bool) {
	codec := kgo.CompressionCodecType(binary.BigEndian.Uint16(batch[batchAttributes:]) & codecMask)
	if codec == kgo.CodecNone {
		_, ok = clearDeltas(batch[batchHeader:], batch)
		return nil, ok
	}
	plain, err := s.decompress.Decompress(batch[batchHeader:], codec)
	if err != nil {
		return nil, false
	}
	defer s.memory.PutDecompressBytes(plain)
	changed, ok := clearDeltas(plain, batch)
	if !ok || !changed {
		return nil, ok
	}
	compressor, ok := s.compressors[codec]
	if !ok {
		return nil, false
	}
	var dst bytes.Buffer
	body, used := compressor.Compress(&dst, plain)
	return body, used == codec
}

// clearDeltas sets the timestamp differences of all records to zero without moving a byte: a varint
// may carry leading zeros, so a difference of two bytes becomes a zero of two bytes.
func clearDeltas(records, batch []byte) (changed, ok bool) {
	n := int(int32(binary.BigEndian.Uint32(batch[batchRecords:])))
	for range n {
		length, used := binary.Varint(records)
		if used <= 0 || length < 2 || length > int64(len(records)-used) {
			return changed, false
		}
		record := records[used : used+int(length)]
		records = records[used+int(length):]
		delta := record[1:] // after the attributes
		_, size := binary.Varint(delta)
		if size <= 0 {
			return changed, false
		}
		for i := range delta[:size] {
			changed = changed || delta[i]&0x7f != 0
			delta[i] &= 0x80
		}
	}
	return changed, len(records) == 0
}
