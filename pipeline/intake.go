package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"

	"quell/correlate"
	"quell/pipeline/fetch"
)

// intake is the role that turns raw events into alerts and archive blocks. See the package
// comment for what a crash leaves behind.
type intake struct {
	o       *Options
	adm     *kadm.Client
	shards  []*shard
	metrics *metrics
	status  *status
	log     *slog.Logger

	race    *race
	joining sync.Mutex

	// raws names all raw partitions, for the first watermark of each under the event clock.
	raws []correlate.RawPartition
}

func newIntake(ctx context.Context, s *Service) (*intake, error) {
	in := &intake{o: &s.o, adm: s.adm, metrics: s.metrics, status: s.status,
		race: newRace(), log: s.log.With("role", "intake")}
	names := make([]string, len(s.o.Topics.Raw))
	for i, r := range s.o.Topics.Raw {
		names[i] = r.Name
	}
	found, err := s.adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list raw topics: %w", err)
	}
	for _, name := range names {
		for id := range found[name].Partitions.Sorted() {
			in.raws = append(in.raws, correlate.RawPartition{Topic: name, Partition: int32(id)})
		}
	}
	n := s.o.Intake.Shards
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	most := s.o.Intake.BatchBytes
	if most <= 0 {
		most = maxDecompressBytes
	}
	for i := range n {
		cl, err := s.o.Kafka.client("intake-"+strconv.Itoa(i), writing(5*time.Millisecond))
		if err != nil {
			return nil, err
		}
		memory, err := newUnpacker(new(recycled), most)
		if err != nil {
			return nil, err
		}
		fetcher := fetch.New(fetch.Options{Client: cl, PartitionBytes: fetchPartition, Bytes: fetchBytes,
			Wait: fetchWait, Committed: true, Memory: memory})
		in.shards = append(in.shards, &shard{cl: cl, fetcher: fetcher, metrics: in.metrics,
			every: s.o.Intake.CheckpointEvery, poll: s.o.Pace.poll(), held: map[partition]*holding{}})
	}
	return in, nil
}

// Run works until ctx ends and returns when placement and shards have stopped.
func (in *intake) Run(ctx context.Context) error {
	// Shards outlive the placement: an owner that stops needs its shard for the last checkpoint.
	shardCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	for _, s := range in.shards {
		wg.Go(func() { _ = s.Run(shardCtx) })
	}
	topics := []string{in.o.Topics.Responses}
	for _, r := range in.o.Topics.Raw {
		topics = append(topics, r.Name)
	}
	p := &placement{kafka: &in.o.Kafka, group: in.o.Kafka.Group + "-intake", topics: topics, own: in.own,
		halted: in.status.halt, log: in.log}
	err := p.Run(ctx)
	stop()
	wg.Wait()
	return err
}

// join chooses the shard with the fewest raw partitions for the owner of one more partition, who calls
// leave at the end. Responses are few and do not count: counted, they would take the place of a raw
// partition, and of four of these one shard of two would get three.
func (in *intake) join(part partition) (_ *shard, leave func()) {
	in.joining.Lock()
	defer in.joining.Unlock()
	least := in.shards[0]
	for _, s := range in.shards[1:] {
		if s.raws.Load() < least.raws.Load() {
			least = s
		}
	}
	if part.topic == in.o.Topics.Responses {
		return least, func() {}
	}
	least.raws.Add(1)
	return least, func() { least.raws.Add(-1) }
}

// own recovers one partition and reads it until ctx ends.
func (in *intake) own(ctx context.Context, part partition) error {
	sh, leave := in.join(part)
	defer leave()
	work, cancel := lasting(ctx, grace)
	defer cancel()
	defer in.race.leave(part)
	if part.topic != in.o.Topics.Responses {
		// It holds back the others from now on, not only once it has recovered.
		in.race.at(part, 0, false)
	}
	kp, st, err := in.o.Kafka.keep(ctx, in.adm, in.o.checkpoint("intake", part))
	if err == nil {
		defer kp.close()
		err = in.read(ctx, work, part, sh, kp, st)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// read makes the reader of a partition from its newest checkpoint and lets the shard work it.
func (in *intake) read(ctx, work context.Context, part partition, sh *shard, kp *keeper, st *unitState) error {
	from, err := in.start(ctx, part, st)
	if err != nil {
		return err
	}
	out := newOutbox(work, sh.cl, sh.wake)
	var r reader
	if part.topic == in.o.Topics.Responses {
		r = newResponseReader(in, part, out, from)
	} else if r, err = newRawReader(in, part, out, from, st); err != nil {
		return err
	}
	in.log.Info("reading", "topic", part.topic, "partition", part.id, "from", r.position())
	return sh.hold(ctx, &holding{part: part, reader: r, out: out, keeper: kp, work: work})
}

// checkpoint says where the state of a unit of the checkpoints topic lies.
func (o *Options) checkpoint(role string, of partition) keeping {
	w := keeping{role: role, of: of, topic: o.Topics.Checkpoints, off: o.Uncheckpointed}
	w.partition = spread(w.unit(), o.Topics.ArchivePartitions)
	return w
}

// spread places a name on one of n partitions.
func spread(name string, n int32) int32 { return int32(xxhash.Sum64String(name) % uint64(n)) }

// start returns the position to read from: the checkpoint's, or the start of the log. A position
// that retention has overtaken is loud: what lay in between is lost to quell.
func (in *intake) start(ctx context.Context, part partition, st *unitState) (int64, error) {
	first, err := logStart(ctx, in.adm, part)
	if err != nil || st.manifest == nil {
		return first, err
	}
	return afterLoss(in.log, in.metrics, part, st.manifest.Position, first), nil
}
