package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// commit produces what is pending and the position in one transaction. A clean stop writes a
// snapshot too, and so does a log that has grown long since the last one. The chunks of a snapshot
// go ahead, outside of the transaction; only the manifest makes them count.
func (e *engineOwner) commit(ctx context.Context, clean bool) error {
	position := e.engine.Position()
	var last []*kgo.Record
	if (clean && position > e.snapshot) || position-e.snapshot >= e.c.o.Correlate.SnapshotEvery {
		m, err := e.writeSnapshot(ctx)
		if err != nil {
			return err
		}
		last = append(last, m)
	}
	if position == e.position && len(last) == 0 {
		return nil
	}
	hash := e.engine.Hash()
	pos, err := stateRecord(e.unit.topic, e.unit.partition, e.unit.name, "position",
		committed{Position: position, Hash: hex.EncodeToString(hash[:])})
	if err != nil {
		return err
	}
	records, err := e.out.records()
	if err != nil {
		return err
	}
	if err := e.transact(ctx, append(append(records, last...), pos)); err != nil {
		return err
	}
	e.committed(position, len(last) > 0)
	return nil
}

func (e *engineOwner) transact(ctx context.Context, records []*kgo.Record) error {
	began := time.Now()
	if err := e.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	err := write(ctx, e.cl, records...)
	if err == nil {
		err = e.cl.EndTransaction(ctx, kgo.TryCommit)
	}
	if err != nil {
		// The next owner, possibly ourselves, fences this transaction away.
		if fenced(err) {
			return fmt.Errorf("another owner has taken the partition: %w", err)
		}
		return fmt.Errorf("commit %d records: %w", len(records), err)
	}
	e.c.metrics.transaction.Observe(time.Since(began).Seconds())
	return nil
}

// writeSnapshot produces the engine's snapshot and returns the manifest to commit.
func (e *engineOwner) writeSnapshot(ctx context.Context) (*kgo.Record, error) {
	body := e.engine.Snapshot(nil)
	hash := e.engine.Hash()
	records, err := e.unit.records(body, manifest{Position: e.engine.Position(),
		Rules: e.engine.Rules().String(), Hash: hex.EncodeToString(hash[:])})
	if err != nil {
		return nil, err
	}
	n := len(records) - 1
	if err := write(ctx, e.c.plain, records[:n]...); err != nil {
		return nil, fmt.Errorf("write a snapshot: %w", err)
	}
	return records[n], nil
}

func (e *engineOwner) committed(position int64, snapshot bool) {
	e.position, e.last = position, time.Now()
	if snapshot {
		e.snapshot = position
	}
	e.out.sent(e.c.metrics, e.c.status)
	e.c.status.correlated(e.id, position, e.engine)
}
