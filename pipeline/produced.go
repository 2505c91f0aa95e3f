package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outbox produces a reader's records and remembers the first failure.
//
// Records of one partition must appear in the order of their causes. After a failure nothing more
// is produced: if record 7 is lost and record 8 were written, a restart from the checkpoint would
// write 7 behind 8, and whoever guards by position would ignore it.
//
// The client fails everything that it has buffered for a partition together with the first of it.
// What is handed to it between that failure and the news of it would be written nevertheless; it
// lingers for some milliseconds first, and fails because the news ends the records' context.
//
// A checkpoint stands for everything that was produced before it. Records therefore belong to one
// of two generations: [outbox.turn] begins the next, and once the former one is acknowledged, what
// was folded up to the turn may be kept. Nothing else has to stop for that.
type outbox struct {
	cl     *kgo.Client
	ctx    context.Context
	end    context.CancelFunc
	err    atomic.Pointer[error]
	blocks classes[byte]

	// at is the time of records that have none. The topics' own time is that of their arrival, and the
	// broker sets it; to have one time in all records of a batch spares the embedded broker, which must
	// open a batch for that, to compress it anew.
	at time.Time

	now     int // generation of what is produced next
	unacked [2]atomic.Int64
	drained chan struct{} // has a token when a generation may have become empty
	wake    func()        // is called when everything has been acknowledged

	// The promises, made once: a method's value is made anew wherever it is written.
	ack, ackBlock [2]func(*kgo.Record, error)
}

// newOutbox returns an outbox whose records may wait for the brokers until ctx ends. wake is called
// each time when everything that was produced has been acknowledged; it must not wait.
func newOutbox(ctx context.Context, cl *kgo.Client, wake func()) *outbox {
	o := &outbox{cl: cl, drained: make(chan struct{}, 1), wake: wake, at: time.Now()}
	o.ctx, o.end = context.WithCancel(ctx)
	for g := range o.ack {
		o.ack[g] = func(r *kgo.Record, err error) { o.acknowledged(g, r, err) }
		o.ackBlock[g] = func(r *kgo.Record, err error) {
			o.blocks.put(r.Value)
			o.acknowledged(g, r, err)
		}
	}
	return o
}

func (o *outbox) failed() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}

// settled reports whether everything that was produced has been acknowledged.
func (o *outbox) settled() bool {
	return o.unacked[0].Load() == 0 && o.unacked[1].Load() == 0 && o.err.Load() == nil
}

// produce hands r to the client; it blocks while the client's buffer is full.
func (o *outbox) produce(r *kgo.Record) { o.produceWith(r, o.ack[o.now]) }

// room returns empty memory for a block of about size bytes.
func (o *outbox) room(size int) []byte { return o.blocks.get(size)[:0] }

// produceBlock does as produce does; r's value lies in memory that room returned, and goes back.
func (o *outbox) produceBlock(r *kgo.Record) { o.produceWith(r, o.ackBlock[o.now]) }

// produceWith reports whether ack will be called.
func (o *outbox) produceWith(r *kgo.Record, ack func(*kgo.Record, error)) bool {
	if o.err.Load() != nil {
		return false
	}
	if r.Timestamp.IsZero() {
		r.Timestamp = o.at
	}
	o.unacked[o.now].Add(1)
	o.cl.Produce(o.ctx, r, ack)
	return true
}

func (o *outbox) acknowledged(g int, r *kgo.Record, err error) {
	if err != nil {
		o.fail(r, err)
	}
	if o.unacked[g].Add(-1) == 0 {
		select {
		case o.drained <- struct{}{}:
		default:
		}
		if o.settled() {
			o.wake()
		}
	}
}

// fail is apart, so that the error whose address is kept costs nothing where there is none.
func (o *outbox) fail(r *kgo.Record, err error) {
	err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
	o.err.CompareAndSwap(nil, &err)
	o.end()
}

// turn begins the next generation and returns the former, of which [outbox.wait] tells the end. The
// one before that must have ended.
func (o *outbox) turn() (former int) {
	former = o.now
	o.now = 1 - o.now
	return former
}

// wait returns nil when everything of generation g has been acknowledged, or why it will not be.
func (o *outbox) wait(ctx context.Context, g int) error {
	for o.unacked[g].Load() > 0 {
		select {
		case <-o.drained:
		case <-o.ctx.Done():
			if err := o.failed(); err != nil {
				return err
			}
			return context.Cause(o.ctx)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return o.failed()
}

// write produces records and waits until all are acknowledged or ctx ends. The client's own
// ProduceSync goes on waiting for a record that was sent and not answered, because it cannot know
// whether that was written; who stops must not, and does not need to know.
func write(ctx context.Context, cl *kgo.Client, records ...*kgo.Record) error {
	acks, now := make(chan error, len(records)), time.Now()
	for _, r := range records {
		if r.Timestamp.IsZero() {
			r.Timestamp = now // one for all, as in an outbox
		}
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) { acks <- err })
	}
	var first error
	for range records {
		select {
		case err := <-acks:
			if first == nil {
				first = err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return first
}

// fetchError explains an error of reading.
func fetchError(topic string, part int32, err error) error {
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return fmt.Errorf("read %s/%d: the position is outside of the log: retention took records "+
			"before they were read, or the topic was created again: %w", topic, part, err)
	}
	if errors.Is(err, kgo.ErrMaxDecompress) {
		return fmt.Errorf("read %s/%d: the next batch is larger than limits.batch_bytes when decompressed, or "+
			"damaged: raise the limit and restart; until then the partition stands still: %w", topic, part, err)
	}
	return fmt.Errorf("read %s/%d: %w", topic, part, err)
}
