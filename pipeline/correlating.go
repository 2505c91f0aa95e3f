package pipeline

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/wire"
)

// correlating is the role that folds alerts into incidents and pages: one engine per alerts
// partition.
type correlating struct {
	o       *Options
	adm     *kadm.Client
	plain   *kgo.Client // ticks, rule changes and snapshot chunks: outside transactions
	rules   *ruleBook
	metrics *metrics
	status  *status
	log     *slog.Logger
}

func newCorrelating(ctx context.Context, s *Service) (*correlating, error) {
	plain, err := s.o.Kafka.client("correlate", writing(0), snapshots(s.o.Topics.Snapshots))
	if err != nil {
		return nil, err
	}
	c := &correlating{o: &s.o, adm: s.adm, plain: plain, metrics: s.metrics, status: s.status,
		log: s.log.With("role", "correlate")}
	c.rules, err = openRuleBook(ctx, s, plain)
	if err != nil {
		plain.Close()
		return nil, err
	}
	return c, nil
}

// Run works until ctx ends.
func (c *correlating) Run(ctx context.Context) error {
	p := &placement{kafka: &c.o.Kafka, group: c.o.Kafka.Group + "-correlate",
		topics: []string{c.o.Topics.Alerts}, own: c.own,
		halted: c.status.halt, log: c.log}
	defer c.close()
	return p.Run(ctx)
}

func (c *correlating) close() {
	c.plain.Close()
	c.rules.Close()
}

func (c *correlating) own(ctx context.Context, part partition) error {
	c.log.Info("recovering", "partition", part.id)
	e, err := c.recover(ctx, part.id)
	if err != nil && ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer e.close()
	defer c.status.forget(part.id)
	c.status.works(part)
	c.log.Info("correlating", "partition", part.id, "from", e.engine.Position())
	return e.run(ctx)
}

// engineOwner is one owner's time with one alerts partition.
type engineOwner struct {
	c      *correlating
	id     int32
	keeper *keeper     // its transactions carry the engine's outputs too
	cl     *kgo.Client // the keeper's: also the consumer of the partition
	engine *correlate.Engine
	out    *outputs

	fx       correlate.Effects
	batch    []correlate.Record
	decoder  wire.Decoder // of what is in batch
	snapshot snapshot
	position int64 // committed
	last     time.Time
	high     int64
	asked    int64 // position for which a tick was appended to go on

	counted correlate.Stats // as the metrics have its counters
}

// recover fences the former owner, reads what it left, and folds silently to where it had
// committed.
func (c *correlating) recover(ctx context.Context, id int32) (*engineOwner, error) {
	kp, st, err := c.o.Kafka.keep(ctx, c.adm, keeping{role: "correlate",
		of: partition{c.o.Topics.Alerts, id}, topic: c.o.Topics.Snapshots, partition: id,
		off: c.o.Uncheckpointed, recycles: true,
		outputs: []partition{{c.o.Topics.Incidents, id}, {c.o.Topics.Pages, id},
			{c.o.Topics.Dispositions, id}},
		more: [][]kgo.Opt{reading(kgo.ReadUncommitted()), dispositions(c.o.Topics.Dispositions)}})
	if err != nil {
		return nil, err
	}
	e := &engineOwner{c: c, id: id, keeper: kp, cl: kp.cl, out: newOutputs(c.o, id), asked: -1,
		fx: correlate.Effects{Most: largeBytes}}
	if err := e.restore(ctx, st); err != nil {
		e.close()
		return nil, fmt.Errorf("recover alerts partition %d: %w", id, err)
	}
	return e, nil
}

func (e *engineOwner) restore(ctx context.Context, st *unitState) error {
	err := e.c.rules.refresh(ctx)
	if err != nil {
		return err
	}
	if e.engine, err = e.build(st); err != nil {
		return err
	}
	e.snapshot.from(st)
	part := partition{e.c.o.Topics.Alerts, e.id}
	first, err := logStart(ctx, e.c.adm, part)
	if err != nil {
		return err
	}
	from := e.engine.Position()
	if st.manifest == nil {
		from = max(from, first)
	}
	if err := e.replay(ctx, from, st.commits); err != nil {
		return err
	}
	from = max(first, e.engine.Position())
	if st.manifest != nil || len(st.commits) > 0 {
		// An engine without any state has lost nothing that anybody waits for.
		from = afterLoss(e.c.log, e.c.metrics, part, e.engine.Position(), first)
	}
	e.position, e.last = e.engine.Position(), time.Now()
	e.counted = e.engine.Stats() // what a replay meets was met before
	e.out.from = e.position
	e.c.status.correlated(e.id, e.position, e.engine)
	e.c.status.clockAt(e.id, e.engine.Clock()) // the first tick names it: where this owner begins
	e.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		e.c.o.Topics.Alerts: {e.id: kgo.NewOffset().At(from)}})
	return e.adoptRules(ctx)
}

// build makes the engine from the newest snapshot, or an empty one for the start of the log. So does
// a snapshot of another version of the engine, when quell was updated without a clean stop: what it
// has, the log has.
func (e *engineOwner) build(st *unitState) (*correlate.Engine, error) {
	opts := correlate.Options{Partition: e.id, Clock: e.c.o.Clock, Limits: e.c.o.Correlate.Limits,
		RuleSet: e.c.rules.current(), RuleSets: e.c.rules.lookup}
	if st.manifest == nil {
		return correlate.New(opts)
	}
	engine, err := correlate.Restore(opts, st.body)
	if errors.Is(err, correlate.ErrVersion) {
		e.c.log.Warn("the snapshot was made by another version of the engine: the partition is rebuilt from "+
			"its log", "partition", e.id, "up_to", st.manifest.Position)
		if len(st.commits) == 0 {
			st.commits = []committed{{Position: st.manifest.Position}}
		}
		st.manifest = nil
		return correlate.New(opts)
	}
	return engine, err
}

// replay folds, without effects, what was folded and committed before, and compares the engine's
// hash at every committed position that is known. It steps over as many records at a time as the
// owner did, but never beyond a position at which there is something to compare.
func (e *engineOwner) replay(ctx context.Context, from int64, commits []committed) error {
	if len(commits) == 0 || commits[len(commits)-1].Position <= from {
		return nil
	}
	end := commits[len(commits)-1].Position
	agreed, part := from, partition{e.c.o.Topics.Alerts, e.id}
	e.nextBatch()
	err := e.c.o.Kafka.readRange(ctx, part, from, end, func(r *kgo.Record) error {
		stands := len(commits) > 0 && commits[0].Position <= r.Offset
		if stands || len(e.batch) == stepRecords {
			if err := e.refold(ctx); err != nil {
				return err
			}
		}
		if stands {
			var err error
			if agreed, commits, err = e.compare(agreed, r.Offset, commits); err != nil {
				return err
			}
		}
		return e.decode(r)
	})
	if err == nil {
		err = e.refold(ctx)
	}
	if err == nil {
		_, _, err = e.compare(agreed, end, commits)
	}
	if err != nil {
		return fmt.Errorf("replay of %s/%d from %d to %d: %w", part.topic, part.id, from, end, err)
	}
	return nil
}

// refold steps over the batch and forgets what that brings about: it was told before.
func (e *engineOwner) refold(ctx context.Context) error {
	if err := e.c.rules.know(ctx, e.batch); err != nil {
		return err
	}
	defer e.nextBatch()
	for n := len(e.batch); n > 0 && e.engine.Position() <= e.batch[n-1].Offset; {
		err := e.engine.Step(e.batch, &e.fx)
		e.fx.Reset()
		if err != nil {
			return err
		}
	}
	return nil
}

// compare compares the engine with what was committed up to position at, where it has come to.
func (e *engineOwner) compare(agreed, at int64, commits []committed) (int64, []committed, error) {
	for len(commits) > 0 && commits[0].Position <= at {
		c := commits[0]
		hash := e.engine.Hash()
		if c.Hash != "" && c.Engine == correlate.Version && hex.EncodeToString(hash[:]) != c.Hash {
			e.c.metrics.divergence.Inc()
			return 0, nil, &Divergence{Topic: e.c.o.Topics.Alerts, Partition: e.id, Agreed: agreed,
				Position: c.Position, Unit: e.keeper.unit}
		}
		agreed, commits = c.Position, commits[1:]
	}
	return agreed, commits, nil
}

// Divergence is the error of an alerts partition whose replay does not reproduce what was
// committed: the log, a rule set or the engine is not what it was. To go on would be to tell other
// incidents than were told. Nothing was emitted.
type Divergence struct {
	Topic     string
	Partition int32
	Agreed    int64  // up to here replay and what was committed agree
	Position  int64  // the first committed position at which they do not
	Unit      string // of the state
}

// Error names the position and what to do.
func (d *Divergence) Error() string {
	return fmt.Sprintf("%s/%d diverges at position %d: up to %d the replay reproduces what was committed, "+
		"behind the records [%d, %d) it does not; nothing was emitted and the partition stands still. Run "+
		"the release of quell that committed it, with the limits of then, or accept what the replay gives "+
		"with `quell checkpoints reset %s`", d.Topic, d.Partition, d.Position, d.Agreed, d.Agreed, d.Position, d.Unit)
}

// adoptRules asks, by a record, for the configured rule set to be put in force, if it is not.
func (e *engineOwner) adoptRules(ctx context.Context) error {
	want, have := e.c.rules.current().Hash(), e.engine.Rules()
	if want == have {
		return nil
	}
	if slices.Contains(e.engine.Replaced(), want) {
		e.c.log.Warn("the rules configured here were replaced by others, which stay in force: restart "+
			"this process with the new configuration, or put these in force with `quell rules apply`",
			"partition", e.id, "in_force", have, "configured", want)
		return nil
	}
	e.c.log.Info("the rules changed", "partition", e.id, "from", have, "to", want)
	return e.c.append(ctx, e.id, &correlate.Record{Kind: correlate.KindRuleChange,
		RuleChange: correlate.RuleChange{Previous: have, Hash: want}}, 0)
}

func (e *engineOwner) close() {
	e.snapshot.wait()
	e.keeper.close()
}
