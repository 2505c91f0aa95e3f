package audit

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batch is the header of a batch of records.
type batch struct {
	first, last int64
	magic       byte
	attributes  int16
	latest      time.Time
	producer    int64
	records     int32
}

func (b *batch) control() bool       { return b.attributes&0x20 != 0 }
func (b *batch) transactional() bool { return b.attributes&0x10 != 0 }

// batchHeader is how many bytes stand before the records; https://kafka.apache.org/documentation/
// #recordbatch has the layout.
const batchHeader = 61

// nextBatch reads the header of the first batch and returns the batch's bytes, or nil when what is
// left is no whole batch: a broker cuts the last one where the fetch ends.
func nextBatch(src []byte) (b batch, raw []byte) {
	if len(src) < batchHeader {
		return b, nil
	}
	be := binary.BigEndian
	length := 12 + int(int32(be.Uint32(src[8:])))
	if length < batchHeader || length > len(src) {
		return b, nil
	}
	b.first = int64(be.Uint64(src))
	b.magic = src[16]
	b.attributes = int16(be.Uint16(src[21:]))
	b.last = b.first + int64(int32(be.Uint32(src[23:])))
	b.latest = time.UnixMilli(int64(be.Uint64(src[35:])))
	b.producer = int64(be.Uint64(src[43:]))
	b.records = int32(be.Uint32(src[57:]))
	return b, src[:length]
}

// aborted are the aborted transactions of a fetch: per producer the first offsets, ascending.
type aborted map[int64][]int64

func newAborted(got *kmsg.FetchResponseTopicPartition) aborted {
	out := aborted{}
	for _, t := range got.AbortedTransactions {
		out[t.ProducerID] = append(out[t.ProducerID], t.FirstOffset)
	}
	for _, firsts := range out {
		slices.Sort(firsts)
	}
	return out
}

// took tells whether the batch is data of an aborted transaction. Batches come in their order: a
// producer's first marker behind a transaction's first offset is the end of that transaction.
func (a aborted) took(b *batch) bool {
	firsts := a[b.producer]
	if !b.transactional() || len(firsts) == 0 || b.last < firsts[0] {
		return false
	}
	if b.control() {
		a[b.producer] = firsts[1:]
		return false
	}
	return true
}
