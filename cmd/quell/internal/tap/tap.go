// Package tap shows what lies on quell's topics: every record as one line of JSON, live.
//
// A line is an object of topic, partition, offset, time, key and one member more, whose name says
// what the record is and whose value is what it says:
//
//	raw topics         event, or rejection: what intake would make of it
//	responses          response, or rejection
//	alerts             alert, tick, response, watermark or rule_change
//	incidents, pages   incident, page
//	rejected           rejected
//	archive            block: coverage, and the rows of each table (without the columns that the
//	dispositions       block's head says once: topic, partition, archive_day, epoch)
//	checkpoints        manifest, position or chunk (its size; the body is bytes)
//	snapshots          likewise
//	rules              rules
//
// A record without a value is a tombstone; one that cannot be read is undecodable, with the reason,
// and tapping goes on. Only what transactions have committed is shown, and nothing is written or
// committed: tapping disturbs nobody.
package tap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/pipeline"
)

// From says where reading begins in each partition.
type From struct {
	kind   string // "start", "end" or "offset"
	offset int64
}

// ParseFrom reads start, end or an offset.
func ParseFrom(s string) (From, error) {
	if s == "start" || s == "end" {
		return From{kind: s}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return From{}, fmt.Errorf("%q is no place to begin; write start, end or an offset", s)
	}
	return From{kind: "offset", offset: n}, nil
}

// AllPartitions is the Partition of Options that means every one.
const AllPartitions = -1

// Options say what is shown.
type Options struct {
	Kafka     pipeline.Kafka
	Topics    pipeline.Topics
	Topic     string
	From      From
	Partition int32 // or AllPartitions
	Count     int64 // end after so many records; 0 never ends
	Out       io.Writer
	// Ready is told where reading begins, by partition, before the first line; nil is not told.
	Ready func(offsets map[int32]int64)
}

// ErrUnknownTopic is what the error of a topic that is not quell's wraps: the call is wrong, not the
// cluster.
var ErrUnknownTopic = errors.New("not one of quell's topics")

// Check returns an error that names quell's topics if name is none of them.
func Check(t pipeline.Topics, name string) error {
	_, err := readerOf(&t, name)
	return err
}

// Run shows records until ctx ends or there were Count of them.
func Run(ctx context.Context, o Options) error {
	read, err := readerOf(&o.Topics, o.Topic)
	if err != nil {
		return err
	}
	cl, err := app.Client(o.Kafka, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	begin, err := positions(ctx, kadm.NewClient(cl), &o)
	if err != nil {
		return err
	}
	offsets := map[int32]kgo.Offset{}
	for p, at := range begin {
		offsets[p] = kgo.NewOffset().At(at)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{o.Topic: offsets})
	if o.Ready != nil {
		o.Ready(begin)
	}
	return show(ctx, cl, &o, read)
}

// show prints record after record.
func show(ctx context.Context, cl *kgo.Client, o *Options, read reader) error {
	out := bufio.NewWriter(o.Out)
	var shown int64
	var line []byte
	for {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, e := range fs.Errors() {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			var err error
			if line, err = appendLine(line[:0], it.Next(), read); err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
			if shown++; shown == o.Count {
				return out.Flush()
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// positions resolves where reading begins.
func positions(ctx context.Context, adm *kadm.Client, o *Options) (map[int32]int64, error) {
	starts, err := adm.ListStartOffsets(ctx, o.Topic)
	if err != nil {
		return nil, fmt.Errorf("look for topic %s: %w", o.Topic, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, o.Topic) // the end of what is visible to us
	if err != nil {
		return nil, fmt.Errorf("look for topic %s: %w", o.Topic, err)
	}
	begin := map[int32]int64{}
	for p, start := range starts[o.Topic] {
		if start.Err != nil {
			return nil, fmt.Errorf("topic %s is not there (%w): run `quell topics create` with the same"+
				" configuration", o.Topic, start.Err)
		}
		if o.Partition != AllPartitions && o.Partition != p {
			continue
		}
		end, _ := ends.Lookup(o.Topic, p)
		if end.Err != nil {
			return nil, fmt.Errorf("end of %s/%d: %w", o.Topic, p, end.Err)
		}
		if begin[p], err = o.From.resolve(start.Offset, end.Offset); err != nil {
			return nil, fmt.Errorf("%s/%d: %w", o.Topic, p, err)
		}
	}
	switch n := len(starts[o.Topic]); {
	case n == 0:
		return nil, fmt.Errorf("topic %s is not there: run `quell topics create` with the same"+
			" configuration", o.Topic)
	case len(begin) == 0:
		return nil, fmt.Errorf("topic %s has the partitions 0 to %d, and no %d", o.Topic, n-1, o.Partition)
	case o.From.kind == "offset" && len(begin) > 1:
		return nil, fmt.Errorf("an offset belongs to one partition, and topic %s has %d: add"+
			" --partition", o.Topic, n)
	}
	return begin, nil
}

func (f From) resolve(start, end int64) (int64, error) {
	switch {
	case f.kind == "start":
		return start, nil
	case f.kind != "offset":
		return end, nil
	case f.offset < start || f.offset > end:
		return 0, fmt.Errorf("offset %d is not there: it holds %d to %d, and the next will be %d",
			f.offset, start, end-1, end)
	}
	return f.offset, nil
}

// readerOf finds how the topic's records are read.
func readerOf(t *pipeline.Topics, name string) (reader, error) {
	for _, raw := range t.Raw {
		if raw.Name == name {
			return rawReader(raw), nil
		}
	}
	readers := map[string]reader{
		t.Responses: readResponse, t.Alerts: readAlertRecord, t.Incidents: jsonReader("incident"),
		t.Pages: jsonReader("page"), t.Rejected: jsonReader("rejected"), t.Archive: readBlock,
		t.Dispositions: readBlock, t.Checkpoints: readState, t.Snapshots: readState,
		t.Rules: jsonReader("rules"),
	}
	if r, ok := readers[name]; ok {
		return r, nil
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range readers {
			if !yield(n) {
				return
			}
		}
	})
	for i := len(t.Raw) - 1; i >= 0; i-- {
		names = append([]string{t.Raw[i].Name}, names...)
	}
	return nil, fmt.Errorf("%q is %w, which are: %s", name, ErrUnknownTopic, strings.Join(names, ", "))
}
