package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

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
type outbox struct {
	cl      *kgo.Client
	ctx     context.Context
	end     context.CancelFunc
	err     atomic.Pointer[error]
	unacked atomic.Int64 // records that were handed to the client and not acknowledged
}

// newOutbox returns an outbox whose records may wait for the brokers until ctx ends.
func newOutbox(ctx context.Context, cl *kgo.Client) *outbox {
	o := &outbox{cl: cl}
	o.ctx, o.end = context.WithCancel(ctx)
	return o
}

func (o *outbox) failed() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}

// settled reports whether everything that was produced has been acknowledged.
func (o *outbox) settled() bool { return o.unacked.Load() == 0 && o.err.Load() == nil }

// produce hands r to the client; it blocks while the client's buffer is full.
func (o *outbox) produce(r *kgo.Record) {
	if o.err.Load() != nil {
		return
	}
	o.unacked.Add(1)
	o.cl.Produce(o.ctx, r, o.acknowledged)
}

func (o *outbox) acknowledged(r *kgo.Record, err error) {
	if err != nil {
		err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
		o.err.CompareAndSwap(nil, &err)
		o.end()
	}
	o.unacked.Add(-1)
}

// write produces records and waits until all are acknowledged or ctx ends. The client's own
// ProduceSync goes on waiting for a record that was sent and not answered, because it cannot know
// whether that was written; who stops must not, and does not need to know.
func write(ctx context.Context, cl *kgo.Client, records ...*kgo.Record) error {
	acks := make(chan error, len(records))
	for _, r := range records {
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
	return fmt.Errorf("read %s/%d: %w", topic, part, err)
}
