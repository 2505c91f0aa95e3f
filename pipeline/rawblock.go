package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline/decode"
	"quell/pipeline/fetch"
)

// rejected is the form of the rejected topic: a courtesy copy for people; the archive has it too.
type rejected struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Received  correlate.Time `json:"received"`
	Reason    string         `json:"reason"`
	Detail    string         `json:"detail"`
	Payload   []byte         `json:"payload"` // base64: it may be anything; cut to a bound
	Size      int            `json:"size"`    // of the whole payload
	Hash      string         `json:"xxh64"`   // of the whole payload
}

// refusedBlock gathers rejected records, raw events' or responses'.
type refusedBlock struct {
	o    *Options
	rows *archive.RejectedBuilder
	size int // bytes, about
}

func newRefusedBlock(o *Options) refusedBlock {
	return refusedBlock{o: o, rows: archive.NewRejectedBuilder()}
}

// add appends a rejected record and returns its copy for the rejected topic.
func (b *refusedBlock) add(of *correlate.RawPartition, rec *fetch.Record, reason, detail string) *kgo.Record {
	payload := rec.Value[:min(len(rec.Value), b.o.Intake.RejectedPayload)]
	hash, received := xxhash.Sum64(rec.Value), correlate.Time(rec.Time)
	b.rows.Append(&archive.Rejection{Offset: rec.Offset, Received: received, Reason: reason,
		Detail: detail, Payload: payload, Size: len(rec.Value), Hash: hash})
	b.size += len(payload) + len(detail) + 64
	v, err := json.Marshal(rejected{Topic: of.Topic, Partition: of.Partition, Offset: rec.Offset,
		Received: received, Reason: reason, Detail: detail, Payload: payload, Size: len(rec.Value),
		Hash: fmt.Sprintf("%016x", hash)})
	if err != nil {
		// Nothing in it can fail to marshal; a copy that says less beats none.
		v = fmt.Appendf(nil, `{"topic":%q,"partition":%d,"offset":%d}`, of.Topic, of.Partition, rec.Offset)
	}
	return &kgo.Record{Topic: b.o.Topics.Rejected, Value: v}
}

func (b *refusedBlock) reset() {
	b.rows.Reset()
	b.size = 0
}

// reject keeps a record that could not be decoded: its reason, its position and its beginning.
func (r *rawReader) reject(rec *fetch.Record, no *decode.Rejection) {
	r.verdicts[correlate.VerdictRejected]++
	r.in.metrics.rejected.WithLabelValues(r.raw.Topic, no.Reason.String()).Inc()
	r.out.produce(r.refused.add(&r.raw, rec, no.Reason.String(), no.Error()))
}

// flushBlock produces the rows gathered so far as one block that covers [from, next).
func (r *rawReader) flushBlock() {
	if r.from == r.next {
		return
	}
	origin := archive.Origin{Topic: r.raw.Topic, Partition: r.raw.Partition,
		Epoch: r.in.o.Intake.Epoch, Day: today()}
	env := archive.Envelope{Origin: origin, From: r.from, To: r.next,
		Sections: []archive.Section{r.block.Section(origin), r.refused.rows.Section(origin)}}
	value := env.Append(r.out.room((r.block.Size()+r.refused.size)/2 + 4096)) // packed it is less
	r.block.Reset()
	r.refused.reset()
	r.from = r.next
	r.out.produceBlock(&kgo.Record{Topic: r.in.o.Topics.Archive,
		Partition: archivePartition(r.raw, r.in.o.Topics.ArchivePartitions), Value: value})
}

// archivePartition maps a raw partition to its one partition of the archive topic.
func archivePartition(raw correlate.RawPartition, n int32) int32 {
	return (spread(raw.Topic, n) + raw.Partition) % n
}

// count adds the batch to the metrics and the status, once a batch.
func (r *rawReader) count(records int) {
	for v, n := range r.verdicts {
		if n > 0 {
			r.in.metrics.events.WithLabelValues(r.raw.Topic, correlate.Verdict(v).String()).Add(float64(n))
			r.in.status.verdicts[v].Add(n)
		}
	}
	r.in.metrics.hit("fingerprints", uint64(r.verdicts[correlate.VerdictOverLimit]))
	r.verdicts = [16]int64{}
	r.in.metrics.clamped.WithLabelValues(r.raw.Topic).Add(float64(r.clamped))
	r.in.metrics.lag.WithLabelValues("intake", r.raw.Topic, fmt.Sprint(r.raw.Partition)).Set(float64(max(r.high-r.next, 0)))
	r.in.metrics.use("fingerprints", r.table.Len(), r.in.o.Intake.Dedup.MaxEntries, partition{r.raw.Topic, r.raw.Partition})
	r.in.metrics.batch.Observe(float64(records))
	r.in.status.passed.Add(r.passed)
	r.clamped, r.passed = 0, 0
}

// today is the day of archiving, in days since 1970-01-01 UTC. It decides where ClickHouse keeps
// the rows and for how long, and nothing else.
func today() uint16 { return uint16(time.Now().Unix() / 86400) }
