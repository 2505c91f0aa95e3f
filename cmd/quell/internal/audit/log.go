package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/correlate"
)

// stretch is a run of offsets [from, to) that all hold a record which read_committed sees.
type stretch struct {
	from, to int64
	latest   time.Time // no record of it is younger
}

// logReader tells which offsets of a log hold records. It fetches by itself, at the offsets it is
// asked for, instead of consuming: a consumer never says that nothing is there.
type logReader struct {
	cl  *kgo.Client
	adm *kadm.Client

	leaders map[string]kadm.TopicDetail

	// The last fetch: what it found of [from, to).
	of       correlate.RawPartition
	from, to int64
	found    []stretch
	size     int32 // bytes of the next fetch
}

// A lookup here and there fetches little; one that goes on where the last one ended fetches more
// each time.
const (
	smallFetch = 64 << 10
	largeFetch = 8 << 20
)

func newLogReader(cl *kgo.Client) *logReader {
	return &logReader{cl: cl, adm: kadm.NewClient(cl), leaders: map[string]kadm.TopicDetail{}}
}

// lookup calls each with the stretches of records in [from, to), clipped to it, in order. Offsets
// that retention has taken meanwhile are passed over.
func (l *logReader) lookup(ctx context.Context, p correlate.RawPartition, from, to int64,
	each func(stretch)) error {
	for at := from; at < to; {
		if l.of != p || at < l.from || at >= l.to {
			if err := l.fetch(ctx, p, at, to); err != nil {
				return err
			}
		}
		for _, s := range l.found {
			s.from, s.to = max(s.from, at), min(s.to, to)
			if s.from < s.to {
				each(s)
			}
		}
		at = l.to
	}
	return nil
}

// fetch reads the headers of the batches at offset at. If there are none, nothing is there up to
// end, which must be a stable offset.
func (l *logReader) fetch(ctx context.Context, p correlate.RawPartition, at, end int64) error {
	if l.size = min(2*l.size, largeFetch); l.of != p || at != l.to || l.size == 0 {
		l.size = smallFetch
	}
	got, err := l.batches(ctx, p, at, end, l.size)
	if err != nil {
		return err
	}
	l.of, l.from, l.to, l.found = p, at, at, l.found[:0]
	switch {
	case got == nil: // gone
		l.to = end
	case got.LogStartOffset > at && len(got.RecordBatches) == 0:
		l.to = got.LogStartOffset
	default:
		err = l.take(got)
	}
	if err == nil && l.to == at {
		l.to = end
	}
	return err
}

// take notes what the batches of a response hold.
func (l *logReader) take(got *kmsg.FetchResponseTopicPartition) error {
	aborted := newAborted(got)
	for rest := got.RecordBatches; ; {
		b, raw := nextBatch(rest)
		if raw == nil {
			return nil
		}
		rest = rest[len(raw):]
		if b.magic != 2 {
			return fmt.Errorf("%s/%d at %d: a batch of format %d: convert the topic to the format of "+
				"Kafka 0.11 or later", l.of.Topic, l.of.Partition, b.first, b.magic)
		}
		l.to = max(l.to, b.last+1)
		switch {
		case aborted.took(&b) || b.control() || b.records == 0:
		case int64(b.records) == b.last-b.first+1:
			l.found = append(l.found, stretch{b.first, b.last + 1, b.latest})
		default: // compacted: the offsets are inside
			l.unpack(got, raw, &b)
		}
	}
}

// unpack notes the offsets of a batch from which compaction took records.
func (l *logReader) unpack(got *kmsg.FetchResponseTopicPartition, raw []byte, b *batch) {
	one := *got
	one.RecordBatches = raw
	fp, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: b.first,
		Topic: l.of.Topic, Partition: l.of.Partition}, &one, kgo.DefaultDecompressor(), nil)
	for _, r := range fp.Records {
		l.found = append(l.found, stretch{r.Offset, r.Offset + 1, b.latest})
	}
}

// records calls each with every record of [from, to) that read_committed sees.
func (l *logReader) records(ctx context.Context, p correlate.RawPartition, from, to int64,
	each func(*kgo.Record) error) error {
	for at := from; at < to; {
		got, err := l.batches(ctx, p, at, to, largeFetch)
		if err != nil || got == nil {
			return err
		}
		fp, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: at, Topic: p.Topic,
			Partition: p.Partition, IsolationLevel: kgo.ReadCommitted()}, got,
			kgo.DefaultDecompressor(), nil)
		if fp.Err != nil {
			return fmt.Errorf("read %s/%d at %d: %w", p.Topic, p.Partition, at, fp.Err)
		}
		for _, r := range fp.Records {
			if r.Offset >= to {
				break
			}
			if err := each(r); err != nil {
				return err
			}
		}
		next := at
		for rest := got.RecordBatches; ; {
			b, raw := nextBatch(rest)
			if raw == nil {
				break
			}
			rest, next = rest[len(raw):], max(next, b.last+1)
		}
		if len(got.RecordBatches) == 0 && got.LogStartOffset > at {
			next = got.LogStartOffset
		}
		if next == at { // nothing more is there
			return nil
		}
		at = next
	}
	return nil
}

// batches fetches once, from the partition's leader, whoever that is by now. It returns nil when
// retention has taken the offset.
func (l *logReader) batches(ctx context.Context, p correlate.RawPartition, at, end int64, size int32,
) (*kmsg.FetchResponseTopicPartition, error) {
	const tries = 8
	for n := 1; ; n++ {
		got, err := l.try(ctx, p, at, size)
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange):
			return l.outOfRange(ctx, p, at, end)
		case err == nil && got.LastStableOffset < end:
			err = fmt.Errorf("the leader's log ends at %d, before %d", got.LastStableOffset, end)
		case err == nil:
			return got, nil
		}
		if ctx.Err() != nil || n == tries || isFinal(err) {
			return nil, fmt.Errorf("read %s/%d at %d: %w", p.Topic, p.Partition, at, err)
		}
		delete(l.leaders, p.Topic)
		t := time.NewTimer(time.Duration(n*n) * 50 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
	}
}

// isFinal tells the broker's answers that another try will not change.
func isFinal(err error) bool {
	var e *kerr.Error
	return errors.As(err, &e) && !e.Retriable && !errors.Is(err, kerr.UnknownTopicID)
}

// outOfRange explains an offset that the log does not have: retention took it since the audit
// began, or the topic is another one by now.
func (l *logReader) outOfRange(ctx context.Context, p correlate.RawPartition, at, end int64,
) (*kmsg.FetchResponseTopicPartition, error) {
	starts, err := l.adm.ListStartOffsets(ctx, p.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("start of %s/%d: %w", p.Topic, p.Partition, err)
	}
	start, _ := starts.Lookup(p.Topic, p.Partition)
	switch {
	case start.Offset <= at:
		return nil, fmt.Errorf("read %s/%d at %d: the log does not reach there any more: was the topic "+
			"created again? run the audit again", p.Topic, p.Partition, at)
	case start.Offset >= end:
		return nil, nil
	}
	return &kmsg.FetchResponseTopicPartition{LogStartOffset: start.Offset}, nil
}

func (l *logReader) try(ctx context.Context, p correlate.RawPartition, at int64, size int32,
) (*kmsg.FetchResponseTopicPartition, error) {
	topic, ok := l.leaders[p.Topic]
	if !ok {
		meta, err := l.adm.Metadata(ctx, p.Topic)
		if err != nil {
			return nil, err
		}
		if topic = meta.Topics[p.Topic]; topic.Err != nil {
			return nil, topic.Err
		}
		l.leaders[p.Topic] = topic
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 200, 1, size
	req.IsolationLevel, req.SessionEpoch = 1, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.Partition, at, size
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = p.Topic, topic.ID, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = []kmsg.FetchRequestTopic{t}

	answer, err := l.cl.Broker(int(topic.Partitions[p.Partition].Leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errors.New("the broker's answer is not about the partition that was asked for")
	}
	got := &resp.Topics[0].Partitions[0]
	return got, kerr.ErrorForCode(got.ErrorCode)
}
