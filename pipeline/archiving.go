package pipeline

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// archiving is the role that writes blocks to ClickHouse. Nothing waits for it: while ClickHouse is
// away its partitions stand still and Kafka keeps the blocks.
type archiving struct {
	o       *Options
	adm     *kadm.Client
	plain   *kgo.Client // checkpoints
	metrics *metrics
	status  *status
	log     *slog.Logger
}

func newArchiving(s *Service) (*archiving, error) {
	plain, err := s.o.Kafka.client("archive", writing(0))
	if err != nil {
		return nil, err
	}
	return &archiving{o: &s.o, adm: s.adm, plain: plain, metrics: s.metrics, status: s.status,
		log: s.log.With("role", "archive")}, nil
}

// Run works until ctx ends.
func (a *archiving) Run(ctx context.Context) error {
	p := &placement{kafka: &a.o.Kafka, group: a.o.Kafka.Group + "-archive",
		topics: []string{a.o.Topics.Archive, a.o.Topics.Dispositions}, own: a.own, log: a.log}
	err := p.Run(ctx)
	a.plain.Close()
	return err
}

func (a *archiving) own(ctx context.Context, part partition) error {
	w, err := a.recover(ctx, part)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer w.cl.Close()
	defer func() {
		if ctx.Err() != nil { // else the partition stays ours, and what holds it up does too
			a.metrics.forget("archive", part)
		}
	}()
	a.log.Info("archiving", "topic", part.topic, "partition", part.id, "from", w.next)
	return w.run(ctx)
}

// recover makes the worker of a partition from its newest checkpoint.
func (a *archiving) recover(ctx context.Context, part partition) (*archiver, error) {
	name := "archive/" + part.topic + "/" + strconv.Itoa(int(part.id))
	w := &archiver{a: a, part: part, pending: newPending(), unit: unit{name: name,
		topic: a.o.Topics.Checkpoints, partition: spread(name, a.o.Topics.ArchivePartitions)}}
	st, err := a.o.Kafka.readState(ctx, a.adm, w.unit.topic, w.unit.partition, w.unit.name)
	if err != nil {
		return nil, err
	}
	w.unit.after(st.manifest)
	first, err := logStart(ctx, a.adm, part)
	if err != nil {
		return nil, err
	}
	w.next, w.saved = first, first
	if st.manifest != nil {
		w.saved = st.manifest.Position
		w.next = afterLoss(a.log, a.metrics, part, w.saved, first)
	}
	w.done = w.next
	w.cl, err = a.o.Kafka.client(name, reading(kgo.ReadCommitted()), []kgo.Opt{kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{part.topic: {part.id: kgo.NewOffset().At(w.next)}})})
	return w, err
}
