// Package produce loads files of events into a raw topic.
//
// # What a record is
//
// The value is the line as it stands (a CSV line as a JSON object). The key is the event's
// fingerprint in hexadecimal and the partition follows from its index hash, both as intake will
// compute them, so that all events of one alert lie in one partition, in their order. A line that
// the topic's format refuses is loaded too, with the key and the partition of the line before it:
// intake rejects it, with a reason and a position.
//
// # Clock and order
//
// Under the event clock a record carries the time of its event, and lines are ordered by it (the
// whole input is held in memory for that); otherwise time is the broker's, and lines stream in the
// order of the files.
//
// # What it guarantees
//
// A line counts as acknowledged when all in-sync replicas have it; the producer is idempotent, so
// its own retries repeat nothing. When something fails for good, or the context ends, it stops
// reading, waits a moment for what is under way, and says how many were acknowledged. A line that is
// larger than the broker takes fails alone; the rest goes on. Whoever runs it twice loads twice.
package produce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/load"
	"quell/cmd/quell/internal/progress"
	"quell/correlate"
	"quell/pipeline"
	"quell/pipeline/dedup"
)

const (
	// maxRecordBytes is what the topics that quell creates take.
	maxRecordBytes = 8 << 20
	// patience is how long the broker may acknowledge nothing: longer than one takes to start again.
	// The client's own limit will not do: it counts from the record's timestamp, which may be years
	// old.
	patience = time.Minute
	// grace is how long what is under way may take when the context has ended.
	grace = 5 * time.Second
	// tellEvery is how many lines lie between two words about progress.
	tellEvery = 1024
)

// Options say what goes where.
type Options struct {
	Kafka    pipeline.Kafka
	Topic    pipeline.RawTopic
	Identity dedup.IdentityConfig
	Clock    correlate.ClockMode
	Files    []string // "-" is Stdin
	Stdin    io.Reader
	ByTime   bool // order all lines by their times; holds them in memory
	Rate     int  // lines a second; 0 is as fast as it goes
	Progress func(progress.Step)
}

// Result says what became of the lines.
type Result struct {
	Topic        string  `json:"topic"`
	Lines        int64   `json:"lines"`    // acknowledged
	Events       int64   `json:"events"`   // of them, readable by the topic's format
	Rejected     int64   `json:"rejected"` // of them, not: intake will say why
	Failed       int64   `json:"failed"`   // read, but not acknowledged
	Bytes        int64   `json:"bytes"`    // of the acknowledged lines
	Seconds      float64 `json:"seconds"`
	LinesASecond float64 `json:"per_second"`
}

// Run loads the files. The result is right also if there is an error: a failed delivery, a file
// that cannot be read, or the end of ctx.
func Run(ctx context.Context, o Options) (Result, error) {
	begun := time.Now()
	res := Result{Topic: o.Topic.Name}
	stamper, err := load.NewStamper(o.Topic.Name, o.Topic.Format, o.Identity)
	if err != nil {
		return res, err
	}
	cl, err := app.Client(o.Kafka, writing()...)
	if err != nil {
		return res, fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	partitions, err := check(ctx, cl, &o)
	if err != nil {
		return res, err
	}
	// What was handed over may still arrive for a moment after ctx has ended.
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	r := &run{o: &o, ctx: ctx, sending: sending, cl: cl, partitions: uint64(partitions),
		stamper: stamper, pace: newPace(o.Rate)}
	var watching sync.WaitGroup
	done := make(chan struct{})
	watching.Go(func() { r.watch(done, cancel) })
	readErr := r.all()
	flushErr := cl.Flush(sending)
	close(done)
	watching.Wait()
	res = r.result(time.Since(begun))
	if flushErr != nil {
		flushErr = context.Cause(sending)
	}
	return res, errors.Join(r.deliveryError(), readErr, flushErr)
}

// watch ends the sending when there is no point in it: a moment after the context ended, or when
// the broker has acknowledged nothing for too long.
func (r *run) watch(done <-chan struct{}, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	answered, at := int64(-1), time.Now()
	ended := r.ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case <-done:
			return
		case <-ended:
			ended, late = nil, time.After(grace)
		case <-late:
			cancel(errors.New("stopped before the broker had acknowledged everything"))
		case <-tick.C:
			n, handed := r.lines.Load()+r.failed.Load(), r.handed.Load()
			if n != answered || n == handed {
				answered, at = n, time.Now()
			}
			if time.Since(at) > patience {
				cancel(fmt.Errorf("the broker has acknowledged nothing for %v", patience))
			}
		}
	}
}

// writing returns the options of the client: the caller chooses partitions, and everything that the
// topic takes goes through.
func writing() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5 * time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(maxRecordBytes),
		kgo.MaxBufferedRecords(200_000),
		kgo.MaxBufferedBytes(64 << 20),
	}
}

// run is one loading. The fields from lines on are shared with the client's goroutines.
type run struct {
	o          *Options
	ctx        context.Context // ends the reading
	sending    context.Context // ends the waiting for acknowledgements
	cl         *kgo.Client
	partitions uint64
	stamper    *load.Stamper
	pace       pace
	arena      arena
	handed     atomic.Int64 // lines given to the client

	lines, rejected, failed, bytes atomic.Int64
	stop                           atomic.Bool // no line has a chance any more
	mu                             sync.Mutex
	err                            error // the first failure
}

// all reads and hands over everything.
func (r *run) all() error {
	if !r.o.ByTime {
		return r.inFileOrder()
	}
	plan, err := load.Read(r.ctx, r.o.Files, cancellable(r.ctx, r.o.Stdin), r.stamper,
		func(lines int) {
			r.o.Progress(progress.Step{What: "read", Unit: "lines", Done: int64(lines)})
		})
	if err != nil {
		return r.orEnd(err)
	}
	for i := range plan.Items {
		it := &plan.Items[i]
		if err := r.hand(it, it.Value); err != nil {
			return err
		}
		if n := r.handed.Load(); n%tellEvery == 0 {
			r.tell(progress.Step{Done: n, Total: int64(len(plan.Items))})
		}
	}
	return nil
}

// hand gives one line to the client. The error says that there is no point in the next one.
func (r *run) hand(it *load.Item, value []byte) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.stop.Load() {
		return nil // deliveryError has it
	}
	if err := r.pace.wait(r.ctx, r.handed.Load()); err != nil {
		return err
	}
	rec := r.arena.record()
	rec.Topic, rec.Partition = r.o.Topic.Name, int32(it.Index%r.partitions)
	rec.Key, rec.Value = r.arena.hex(it.Key[:]), value
	if r.o.Clock == correlate.ClockEvent {
		rec.Timestamp = it.Time.Std()
	}
	done := r.accepted
	if it.Rejected {
		done = r.acceptedRejected
	}
	r.handed.Add(1)
	r.cl.Produce(r.sending, rec, done)
	return nil
}

func (r *run) acceptedRejected(rec *kgo.Record, err error) {
	if err == nil {
		r.rejected.Add(1)
	}
	r.accepted(rec, err)
}

// accepted is told what became of a record. A record too large for the topic fails alone; any other
// failure is final (the client has retried what can be), so the reading stops.
func (r *run) accepted(rec *kgo.Record, err error) {
	if err == nil {
		r.lines.Add(1)
		r.bytes.Add(int64(len(rec.Value)))
		return
	}
	r.failed.Add(1)
	if !errors.Is(err, kerr.MessageTooLarge) {
		r.stop.Store(true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("%s/%d, a line of %d bytes: %w", rec.Topic, rec.Partition, len(rec.Value), err)
	}
}

// tell passes a step on, with what every step says.
func (r *run) tell(s progress.Step) {
	s.What, s.Unit = "produce", "lines"
	if n := r.failed.Load(); n > 0 {
		s.Note = fmt.Sprintf("%d failed", n)
	}
	r.o.Progress(s)
}

func (r *run) result(took time.Duration) Result {
	n, rejected := r.lines.Load(), r.rejected.Load()
	res := Result{Topic: r.o.Topic.Name, Lines: n, Events: n - rejected, Rejected: rejected,
		Failed: r.handed.Load() - n, Bytes: r.bytes.Load(), Seconds: took.Seconds()}
	if res.Seconds > 0 {
		res.LinesASecond = float64(n) / res.Seconds
	}
	return res
}

// deliveryError says how many lines failed and why the first of them did.
func (r *run) deliveryError() error {
	n := r.failed.Load()
	if n == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Errorf("%d of %d lines were not acknowledged; the first: %w", n, r.handed.Load(), r.err)
}

// orEnd returns the context's error in place of what it did to a reader.
func (r *run) orEnd(err error) error {
	if end := r.ctx.Err(); end != nil {
		return end
	}
	return err
}
