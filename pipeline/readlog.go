package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// stalled is how long a step of recovery may be without an answer. Then the owner begins anew, with
// new connections, and says so: an owner that waits in silence looks like one that works.
const stalled = 30 * time.Second

// bounds returns the first offset of a partition and the one behind its last record.
func bounds(ctx context.Context, adm *kadm.Client, p partition) (start, end int64, err error) {
	ends, err := adm.ListEndOffsets(ctx, p.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("end of %s/%d: %w", p.topic, p.id, err)
	}
	if start, err = logStart(ctx, adm, p); err != nil {
		return 0, 0, err
	}
	last, _ := ends.Lookup(p.topic, p.id)
	return min(start, last.Offset), last.Offset, nil
}

// logStart returns the first offset that retention has left of a partition.
func logStart(ctx context.Context, adm *kadm.Client, part partition) (int64, error) {
	starts, err := adm.ListStartOffsets(ctx, part.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("start of %s/%d: %w", part.topic, part.id, err)
	}
	first, _ := starts.Lookup(part.topic, part.id)
	return first.Offset, nil
}

// readToEnd reads a partition from its start to the high watermark that it has now.
func (k *Kafka) readToEnd(ctx context.Context, adm *kadm.Client, p partition, each func(*kgo.Record) error) error {
	start, end, err := bounds(ctx, adm, p)
	if err != nil || start >= end {
		return err
	}
	return k.readRange(ctx, p, start, end, each)
}

// readRange reads the records of [from, to) that are visible to read_committed.
func (k *Kafka) readRange(ctx context.Context, p partition, from, to int64, each func(*kgo.Record) error) error {
	return k.readAll(ctx, p, kgo.ReadCommitted(), from, to, func(r *kgo.Record) error {
		if r.Attrs.IsControl() {
			return nil
		}
		return each(r)
	})
}

// readDecided reads what readRange reads, but does not wait for transactions that are open: their
// records are left out. A partition of a state topic holds many units; a reader who has fenced the
// owner of its own, and so knows that nothing of it is open, must not wait until the transaction of
// somebody else's dead owner times out.
func (k *Kafka) readDecided(ctx context.Context, p partition, from, to int64, each func(*kgo.Record) error) error {
	open := map[int64][]*kgo.Record{} // by producer
	return k.readAll(ctx, p, kgo.ReadUncommitted(), from, to, func(r *kgo.Record) error {
		switch {
		case !r.Attrs.IsTransactional():
			return each(r)
		case !r.Attrs.IsControl():
			open[r.ProducerID] = append(open[r.ProducerID], r)
			return nil
		}
		records := open[r.ProducerID]
		delete(open, r.ProducerID)
		if !commits(r) {
			return nil
		}
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// commits reports whether a control record commits its producer's transaction: its key is a version
// and a type, two bytes each, of which 0 is abort and 1 is commit.
func commits(r *kgo.Record) bool {
	return len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 1
}

// readAll reads all records of [from, to), control records too, so that the end is reached by
// position even when the last transactions were aborted.
func (k *Kafka) readAll(ctx context.Context, p partition, isolation kgo.IsolationLevel, from, to int64,
	each func(*kgo.Record) error) error {
	cl, err := k.client("replay", reading(isolation), []kgo.Opt{kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.id: kgo.NewOffset().At(from)}})})
	if err != nil {
		return err
	}
	defer cl.Close()
	for next := from; next < to; {
		poll, cancel := context.WithTimeout(ctx, stalled)
		fs := cl.PollFetches(poll)
		silent := poll.Err() != nil && fs.NumRecords() == 0
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if silent {
			return fmt.Errorf("read %s/%d: no record for %s at offset %d of %d", p.topic, p.id, stalled, next, to)
		}
		if err := fetchErrors(fs); err != nil {
			return err
		}
		var errs []error
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset >= to {
				next = to
				return
			}
			next = r.Offset + 1
			if len(errs) == 0 {
				if err := each(r); err != nil {
					errs = append(errs, err)
				}
			}
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
