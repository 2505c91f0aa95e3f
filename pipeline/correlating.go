package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
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
	plain, err := s.o.Kafka.client("correlate", writing(0))
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
		topics: []string{c.o.Topics.Alerts}, own: c.own, log: c.log}
	err := p.Run(ctx)
	c.plain.Close()
	c.rules.Close()
	return err
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
	defer c.metrics.forget("correlate", part)
	c.log.Info("correlating", "partition", part.id, "from", e.engine.Position())
	return e.run(ctx)
}

// engineOwner is one owner's time with one alerts partition.
type engineOwner struct {
	c      *correlating
	id     int32
	unit   unit
	cl     *kgo.Client // consumer of the partition and transactional producer of its outputs
	engine *correlate.Engine
	out    *outputs

	fx       correlate.Effects
	batch    []correlate.Record
	snapshot int64 // position of the newest snapshot
	position int64 // committed
	last     time.Time
	high     int64
}

// recover fences the former owner, reads what it left, and folds silently to where it had
// committed. The order matters: read before fencing, and the former owner may commit once more
// after we looked.
func (c *correlating) recover(ctx context.Context, id int32) (*engineOwner, error) {
	e := &engineOwner{c: c, id: id, unit: unit{name: "correlate/" + strconv.Itoa(int(id)),
		topic: c.o.Topics.Snapshots, partition: id}, out: newOutputs(c.o, id)}
	cl, err := c.o.Kafka.client("correlate-"+strconv.Itoa(int(id)), reading(kgo.ReadUncommitted()),
		writing(0), dispositions(c.o.Topics.Dispositions), []kgo.Opt{
			kgo.TransactionalID(c.o.Kafka.Group + "-correlate-" + c.o.Topics.Alerts + "-" + strconv.Itoa(int(id))),
			kgo.TransactionTimeout(time.Minute)})
	if err != nil {
		return nil, err
	}
	e.cl = cl
	if err := e.restore(ctx); err != nil {
		e.close()
		return nil, fmt.Errorf("recover alerts partition %d: %w", id, err)
	}
	return e, nil
}

func (e *engineOwner) restore(ctx context.Context) error {
	takeOver, cancel := context.WithTimeout(ctx, stalled)
	_, _, err := e.cl.ProducerID(takeOver)
	cancel()
	if err != nil {
		return fmt.Errorf("take over the transactional id: %w", err)
	}
	st, err := e.c.o.Kafka.readState(ctx, e.c.adm, e.unit.topic, e.unit.partition, e.unit.name)
	if err != nil {
		return err
	}
	e.unit.after(st.manifest)
	if e.engine, err = e.build(st); err != nil {
		return err
	}
	e.snapshot = e.engine.Position()
	if err := e.replay(ctx, st.committed); err != nil {
		return err
	}
	from, err := e.start(ctx, st)
	if err != nil {
		return err
	}
	e.position, e.last = e.engine.Position(), time.Now()
	e.out.from = e.position
	e.c.status.correlated(e.id, e.position, e.engine)
	e.c.status.clockAt(e.id, e.engine.Clock()) // the first tick names it: where this owner begins
	e.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		e.c.o.Topics.Alerts: {e.id: kgo.NewOffset().At(from)}})
	return e.adoptRules(ctx)
}

// start returns the offset to go live at: where the engine stands, or where the log begins. An
// engine without any state has lost nothing that anybody waits for.
func (e *engineOwner) start(ctx context.Context, st *unitState) (int64, error) {
	part, position := partition{e.c.o.Topics.Alerts, e.id}, e.engine.Position()
	first, err := logStart(ctx, e.c.adm, part)
	if err != nil || st.manifest == nil && st.committed == nil {
		return max(first, position), err
	}
	return afterLoss(e.c.log, e.c.metrics, part, position, first), nil
}

// build makes the engine from the newest snapshot, or an empty one at the start of the log.
func (e *engineOwner) build(st *unitState) (*correlate.Engine, error) {
	opts := correlate.Options{Partition: e.id, Clock: e.c.o.Clock, Limits: e.c.o.Correlate.Limits,
		RuleSet: e.c.rules.current(), RuleSets: e.c.rules.lookup}
	if st.manifest == nil {
		return correlate.New(opts)
	}
	return correlate.Restore(opts, st.body)
}

// replay folds, without effects, what was folded and committed before.
func (e *engineOwner) replay(ctx context.Context, c *committed) error {
	if c == nil || c.Position <= e.engine.Position() {
		return nil
	}
	from := partition{e.c.o.Topics.Alerts, e.id}
	err := e.c.o.Kafka.readRange(ctx, from, e.engine.Position(), c.Position, func(r *kgo.Record) error {
		if err := e.decode(r); err != nil {
			return err
		}
		if err := e.engine.Step(e.batch, &e.fx); err != nil {
			return err
		}
		e.batch = e.batch[:0]
		e.fx.Reset()
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay from %d to %d: %w", e.snapshot, c.Position, err)
	}
	if hash := e.engine.Hash(); hex.EncodeToString(hash[:]) != c.Hash {
		e.c.metrics.divergence.Inc()
		return fmt.Errorf("replay of %s/%d from %d to %d does not reproduce what was committed: the "+
			"log, the rules or the engine's version differ; nothing was emitted. To rebuild the "+
			"partition from the log, delete its records in %s", from.topic, from.id, e.snapshot,
			c.Position, e.unit.topic)
	}
	return nil
}

// adoptRules asks, by a record, for the configured rule set to be put in force, if it is not.
func (e *engineOwner) adoptRules(ctx context.Context) error {
	want, have := e.c.rules.current().Hash(), e.engine.Rules()
	if want == have {
		return nil
	}
	e.c.log.Info("the rules changed", "partition", e.id, "from", have, "to", want)
	return e.c.append(ctx, e.id, &correlate.Record{Kind: correlate.KindRuleChange,
		RuleChange: correlate.RuleChange{Previous: have, Hash: want}}, 0)
}

func (e *engineOwner) close() { e.cl.Close() }
