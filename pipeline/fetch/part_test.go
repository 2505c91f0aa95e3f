package fetch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wary is a Memory that spoils what it takes back, and knows what was not given back.
type wary struct {
	kgo.Decompressor
	out map[*byte]int
}

// plain decompresses for all tests: to make one is costly.
var plain = kgo.DefaultDecompressor()

func newWary() *wary { return &wary{plain, map[*byte]int{}} }

func (w *wary) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	b, err := w.Decompressor.Decompress(src, codec)
	if err != nil || cap(b) == 0 {
		return b, err
	}
	b = slices.Clone(b) // some decompressors return what is empty as it came
	if len(b) > 0 {
		w.out[&b[0]]++
	}
	return b, nil
}

func (w *wary) Free(b []byte) {
	if len(b) == 0 {
		return
	}
	if w.out[&b[0]]--; w.out[&b[0]] < 0 {
		panic("memory is given back twice")
	}
	for i := range b {
		b[i] = 0xdb
	}
}

func (w *wary) left() (n int) {
	for _, out := range w.out {
		n += out
	}
	return n
}

// made is one batch as a broker would have it.
type made struct {
	first   int64
	records []kmsg.Record
	last    int32 // difference of the last offset
	codec   kgo.CompressionCodec
	attrs   int16
	time    int64
	max     int64
	pid     int64
	count   int32 // instead of the number of records, if it is not 0
}

func (m *made) bytes() []byte {
	var body []byte
	for i := range m.records {
		r := &m.records[i]
		r.Length = 0
		b := r.AppendTo(nil)
		_, n := binary.Varint(b)
		r.Length = int32(len(b) - n)
		body = r.AppendTo(body)
	}
	attrs := m.attrs
	if c := compressors()[m.codec]; c != nil {
		packed, used := c.Compress(new(bytes.Buffer), body)
		body, attrs = slices.Clone(packed), attrs|int16(used)
	}
	b := kmsg.RecordBatch{FirstOffset: m.first, PartitionLeaderEpoch: 3, Magic: 2, Attributes: attrs,
		LastOffsetDelta: m.last, FirstTimestamp: m.time, MaxTimestamp: m.max, ProducerID: m.pid,
		NumRecords: int32(len(m.records)), Records: body}
	if m.count != 0 {
		b.NumRecords = m.count
	}
	return seal(b.AppendTo(nil))
}

// compressors are for all tests: to make one is costly.
var compressors = sync.OnceValue(func() map[kgo.CompressionCodec]kgo.Compressor {
	m := map[kgo.CompressionCodec]kgo.Compressor{}
	for _, codec := range codecs() {
		m[codec], _ = kgo.DefaultCompressor(codec)
	}
	return m
})

func codecs() []kgo.CompressionCodec {
	return []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(),
		kgo.ZstdCompression()}
}

// seal sets length and checksum of a batch.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-atEpoch))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

// answer makes what a broker could have at some position: batches of all codecs, some of them of
// transactions, with gaps where compaction took records.
func answer(r *rand.Rand) (rp kmsg.FetchResponseTopicPartition, from int64) {
	rp = kmsg.NewFetchResponseTopicPartition()
	next := r.Int64N(1000)
	begin := next
	open := map[int64]int64{} // first offsets of transactions
	for range r.IntN(12) {
		m := made{first: next, codec: codecs()[r.IntN(5)], time: r.Int64N(1 << 41), max: r.Int64N(1 << 41), pid: r.Int64N(3)}
		switch r.IntN(6) {
		case 0, 1:
			m.attrs |= transactional
			if _, ok := open[m.pid]; !ok {
				open[m.pid] = next
			}
		case 2:
			m.attrs |= transactional | control
			m.codec = kgo.NoCompression()
			kind := byte(r.IntN(2)) // 0 is an abort
			m.records = []kmsg.Record{{Key: []byte{0, 0, 0, kind}, Value: []byte{0, 0, 0, 0, 0, 0}}}
			if first, ok := open[m.pid]; ok && kind == 0 {
				rp.AbortedTransactions = append(rp.AbortedTransactions,
					kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: m.pid, FirstOffset: first})
			} else if kind == 0 {
				m.records[0].Key[3] = 1
			}
			delete(open, m.pid)
		}
		if r.IntN(4) == 0 {
			m.attrs |= appendTime
		}
		if m.attrs&control == 0 {
			for delta := range int32(1 + r.IntN(20)) {
				m.last = delta
				if r.IntN(10) == 0 {
					continue // compaction took it
				}
				m.records = append(m.records, record(r, delta))
			}
		}
		rp.RecordBatches = append(rp.RecordBatches, m.bytes()...)
		next += int64(m.last) + 1
	}
	r.Shuffle(len(rp.AbortedTransactions), func(i, j int) {
		a := rp.AbortedTransactions
		a[i], a[j] = a[j], a[i]
	})
	rp.HighWatermark = next
	if r.IntN(3) == 0 && len(rp.RecordBatches) > 0 { // the answer was full
		rp.RecordBatches = rp.RecordBatches[:r.IntN(len(rp.RecordBatches))]
	}
	return rp, begin + r.Int64N(max(1, min(20, next-begin)))
}

func record(r *rand.Rand, delta int32) kmsg.Record {
	rec := kmsg.Record{TimestampDelta64: r.Int64N(100_000) - 50_000, OffsetDelta: delta, Value: make([]byte, r.IntN(400))}
	for i := range rec.Value {
		rec.Value[i] = byte('a' + r.IntN(3))
	}
	switch r.IntN(5) {
	case 0:
		rec.Value = nil
	case 1:
		rec.Key = rec.Value
	case 2:
		rec.Headers = []kmsg.Header{{Key: "trace", Value: []byte("1")}, {Key: "none"}}
	}
	return rec
}

// theirs is what franz-go's consumer makes of the answer.
func theirs(rp *kmsg.FetchResponseTopicPartition, from int64) (lines []string, end int64, err error) {
	fp, end := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: from, IsolationLevel: kgo.ReadCommitted(),
		Topic: "t"}, rp, plain, nil)
	for _, r := range fp.Records {
		lines = append(lines, line(r.Offset, r.Timestamp.UnixMilli(), r.Value))
	}
	return lines, end, fp.Err
}

func line(offset, ms int64, value []byte) string {
	return fmt.Sprintf("%d at %d: %v %q", offset, ms, value == nil, value)
}

// ours reads the answer with a Part, some records at a time.
func ours(t testing.TB, rp *kmsg.FetchResponseTopicPartition, from int64, group, size int) ([]string, *Part) {
	memory := newWary()
	p := &Part{memory: memory, from: from, end: from, src: rp.RecordBatches, High: rp.HighWatermark,
		aborted: abortedOf(rp.AbortedTransactions)}
	p.survey()
	var lines []string
	to := make([]Record, group)
	last := int64(-1)
	for recs := p.Next(to, size); len(recs) > 0; recs = p.Next(to, size) {
		for _, r := range recs {
			if r.Offset <= last || r.Offset < from || r.Offset >= p.End() {
				t.Fatalf("offset %d behind %d, from %d to %d", r.Offset, last, from, p.End())
			}
			last = r.Offset
			lines = append(lines, line(r.Offset, r.Time, r.Value))
		}
	}
	p.Close()
	if n := memory.left(); n != 0 {
		t.Fatalf("%d batches were not given back", n)
	}
	return lines, p
}

// A Part gives what franz-go's own consumer gives, whatever the answer and however it is read.
func TestAsFranzGo(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		rp, from := answer(r)
		want, end, err := theirs(&rp, from)
		if err != nil {
			t.Fatalf("seed %d: franz-go: %v", seed, err)
		}
		got, p := ours(t, &rp, from, 1+r.IntN(70), r.IntN(2000))
		if p.Err != nil || !slices.Equal(got, want) || p.End() != end {
			t.Fatalf("seed %d, from %d, error %v:\n%d records to %d\n%q\nfranz-go has %d to %d\n%q", seed, from, p.Err,
				len(got), p.End(), got, len(want), end, want)
		}
	}
}

func TestUnread(t *testing.T) {
	data := func(first int64) made { return made{first: first, records: []kmsg.Record{{Value: []byte("v")}}} }
	marker := func(first int64) made {
		return made{first: first, attrs: transactional | control, records: []kmsg.Record{{Key: []byte{0, 0, 0, 1}}}}
	}
	for _, c := range []struct {
		name    string
		batches []made
		high    int64
		want    int64
	}{
		{"the log closes with a record", []made{marker(5), data(6)}, 7, 7},
		{"the log closes with the ends of transactions", []made{data(5), marker(6), marker(7)}, 8, 6},
		{"only ends of transactions", []made{marker(5), marker(6)}, 7, 5},
		{"there is more in the log", []made{data(5), marker(6)}, 9, 9},
	} {
		rp := kmsg.FetchResponseTopicPartition{HighWatermark: c.high}
		for _, b := range c.batches {
			rp.RecordBatches = append(rp.RecordBatches, b.bytes()...)
		}
		if _, p := ours(t, &rp, 5, 10, 1000); p.Unread() != c.want || p.Err != nil {
			t.Errorf("%s: %d, want %d (%v)", c.name, p.Unread(), c.want, p.Err)
		}
	}
}

// What is damaged is an error that names the position, after all that was whole before it.
func TestDamaged(t *testing.T) {
	whole := made{first: 10, last: 1, codec: kgo.Lz4Compression(), records: []kmsg.Record{{Value: []byte("a")}, {Value: []byte("b"), OffsetDelta: 1}}}
	for _, c := range []struct {
		name  string
		spoil func(b []byte) []byte
		want  string
	}{
		{"a bit fell over", func(b []byte) []byte { b[len(b)-1] ^= 4; return b }, "checksum"},
		{"an old format", func(b []byte) []byte { b[atMagic] = 1; return b }, "format 1"},
		{"too short for a header", func(b []byte) []byte { binary.BigEndian.PutUint32(b[atLength:], 9); return b }, "has 21 bytes"},
		{"it ends before it begins", func(b []byte) []byte { binary.BigEndian.PutUint32(b[atLastDelta:], 1<<31); return b }, "ends before"},
		{"fewer records than it says", func([]byte) []byte {
			m := whole
			m.first, m.count = 12, 3
			return m.bytes()
		}, "no end"},
		{"less than no records", func([]byte) []byte {
			m := whole
			m.first, m.count = 12, -3
			return m.bytes()
		}, "-3 records"},
		{"an offset beyond its last", func([]byte) []byte {
			m := made{first: 12, last: 1, records: []kmsg.Record{{OffsetDelta: 2}}}
			return m.bytes()
		}, "no end"},
		{"not what the codec makes", func([]byte) []byte {
			m := made{first: 12, attrs: 2, records: []kmsg.Record{{Value: []byte("not snappy")}}}
			return m.bytes()
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := whole
			second.first = 12
			rp := kmsg.FetchResponseTopicPartition{RecordBatches: append(whole.bytes(), c.spoil(second.bytes())...), HighWatermark: 20}
			got, p := ours(t, &rp, 10, 1, 100)
			if len(got) < 2 || p.Err == nil || !bytes.Contains([]byte(p.Err.Error()), []byte(c.want)) ||
				!bytes.Contains([]byte(p.Err.Error()), []byte("position 1")) {
				t.Errorf("%q, then %v", got, p.Err)
			}
		})
	}
}

// FuzzPart: whatever a broker sends, a Part ends, its records are in order and within it, and it gives
// its memory back (all of which ours looks at).
func FuzzPart(f *testing.F) {
	for seed := range uint64(20) {
		rp, from := answer(rand.New(rand.NewPCG(seed, 2)))
		f.Add(rp.RecordBatches, from, uint16(seed*37), byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, src []byte, from int64, at uint16, to byte, sealed bool) {
		if from < 0 || len(src) > 1<<16 {
			return
		}
		src = slices.Clone(src)
		if len(src) > 0 {
			src[int(at)%len(src)] ^= to
		}
		if b, _, err := cut(src); sealed && err == nil && b != nil {
			seal(b)
		}
		ours(t, &kmsg.FetchResponseTopicPartition{RecordBatches: src, HighWatermark: 1 << 40}, from, 7, 300)
	})
}
