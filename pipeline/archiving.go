package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// archiving is the role that writes blocks to ClickHouse. Nothing waits for it: while ClickHouse is
// away its partitions stand still and Kafka keeps the blocks.
type archiving struct {
	o       *Options
	adm     *kadm.Client
	metrics *metrics
	status  *status
	log     *slog.Logger
	owned   atomic.Int32 // partitions
}

func newArchiving(s *Service) *archiving {
	return &archiving{o: &s.o, adm: s.adm, metrics: s.metrics, status: s.status,
		log: s.log.With("role", "archive")}
}

// Run works until ctx ends.
func (a *archiving) Run(ctx context.Context) error {
	p := &placement{kafka: &a.o.Kafka, group: a.o.Kafka.Group + "-archive",
		topics: []string{a.o.Topics.Archive, a.o.Topics.Dispositions}, own: a.own,
		halted: a.status.halt, log: a.log}
	return p.Run(ctx)
}

func (a *archiving) own(ctx context.Context, part partition) error {
	w, err := a.recover(ctx, part)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	a.owned.Add(1)
	defer a.owned.Add(-1)
	defer w.keeper.close()
	a.status.works(part)
	a.log.Info("archiving", "topic", part.topic, "partition", part.id, "from", w.done)
	return w.run(ctx)
}

// recover makes the worker of a partition from its insert log.
func (a *archiving) recover(ctx context.Context, part partition) (*archiver, error) {
	at := a.o.checkpoint("archive", part)
	at.recycles = true
	at.more = [][]kgo.Opt{reading(kgo.ReadCommitted()), {kgo.KeepControlRecords()}}
	kp, st, err := a.o.Kafka.keep(ctx, a.adm, at)
	if err != nil {
		return nil, err
	}
	w := &archiver{a: a, part: part, keeper: kp, pending: newPending()}
	if err := w.restore(ctx, st); err != nil {
		kp.close()
		return nil, err
	}
	return w, nil
}

// restore takes up what the former owner logged.
func (w *archiver) restore(ctx context.Context, st *unitState) error {
	first, err := logStart(ctx, w.a.adm, w.part)
	if err != nil {
		return err
	}
	w.done, w.saved = first, first
	if m := st.manifest; m != nil {
		w.saved = m.Position
		w.done = afterLoss(w.a.log, w.a.metrics, w.part, m.Position, first)
		w.pending.standing = m.Insert.standings()
	}
	w.next = w.done
	if err := w.recall(ctx, st.manifest); err != nil {
		return err
	}
	w.keeper.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		w.part.topic: {w.part.id: kgo.NewOffset().At(w.next)}})
	return nil
}

// recall makes the round pending again that was logged last, if it may not have come to its end. If
// retention took blocks of it, the rest is a round of its own: its inserts have other tokens, and
// what ClickHouse holds says where they begin.
func (w *archiver) recall(ctx context.Context, m *manifest) error {
	if m == nil || m.Insert == nil || m.Insert.Until <= w.done {
		return nil
	}
	if w.done > m.Position {
		clear(w.pending.standing)
		return nil
	}
	err := w.a.o.Kafka.readRange(ctx, w.part, w.done, m.Insert.Until, w.add)
	if err != nil {
		return fmt.Errorf("read the blocks whose insert was under way: %w", err)
	}
	w.next, w.recalled = m.Insert.Until, true
	return nil
}
