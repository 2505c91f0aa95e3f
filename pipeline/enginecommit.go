package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

// commit produces what is pending and the position in one transaction. A clean stop writes a
// snapshot too; otherwise one is written beside the work, and its manifest goes with the next
// transaction after that.
func (e *engineOwner) commit(ctx context.Context, clean bool) error {
	if e.keeper.off {
		return e.commitUnkept(ctx)
	}
	if err := e.beginSnapshot(ctx, clean); err != nil {
		return err
	}
	m, err := e.snapshot.written(clean)
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	position := e.engine.Position()
	if position == e.position && m == nil {
		return nil
	}
	records, err := e.records(m, position)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := e.keeper.commit(ctx, records); err != nil {
		return err
	}
	e.c.metrics.transaction.Observe(time.Since(began).Seconds())
	if m != nil {
		e.keeper.turned(m)
		e.snapshot.turned(m)
	}
	e.committed(position)
	return nil
}

// records returns all that one transaction carries: outputs, the manifest of a snapshot if there is
// one, and the position.
func (e *engineOwner) records(m *manifest, position int64) ([]*kgo.Record, error) {
	records, err := e.out.records()
	if err != nil {
		return nil, err
	}
	if m != nil {
		turn, err := e.keeper.manifest(m)
		if err != nil {
			return nil, err
		}
		records = append(records, turn...)
	}
	hash := e.engine.Hash()
	pos, err := e.keeper.position(committed{Position: position, Hash: hex.EncodeToString(hash[:]),
		Engine: correlate.Version})
	return append(records, pos), err
}

// commitUnkept produces what is pending without a transaction.
func (e *engineOwner) commitUnkept(ctx context.Context) error {
	records, err := e.out.records()
	if err == nil {
		err = write(ctx, e.cl, records...)
	}
	if err == nil {
		e.committed(e.engine.Position())
	}
	return err
}

func (e *engineOwner) committed(position int64) {
	e.position, e.last = position, time.Now()
	e.out.sent(e.c.metrics, e.c.status)
	e.c.status.correlated(e.id, position, e.engine)
}
