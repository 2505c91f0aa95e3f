package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/wire"
)

// run folds and commits until ctx ends; then it writes a last snapshot. A transaction that is under
// way when ctx ends comes to its end: cut off, its outcome would not be known, and the owner could
// only leave everything since the last one to its successor.
func (e *engineOwner) run(ctx context.Context) error {
	work, cancel := lasting(ctx, grace)
	defer e.snapshot.wait() // chunks that are still written see that work has ended
	defer cancel()
	ticking, stop := context.WithCancel(ctx)
	defer stop()
	ticked := make(chan error, 1)
	go func() { ticked <- e.tick(ticking) }()
	err := e.loop(ctx, work)
	stop()
	err = errors.Join(err, <-ticked)
	if err != nil {
		return err
	}
	return e.commit(work, true)
}

// tick appends the time to the partition: while no alert comes, nothing else tells the engine. Under
// the event clock time comes with the alerts.
func (e *engineOwner) tick(ctx context.Context) error {
	if e.c.o.Clock == correlate.ClockEvent {
		return nil
	}
	t := time.NewTicker(e.c.o.Pace.tick())
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		rec := &correlate.Record{Kind: correlate.KindTick,
			Tick: correlate.Tick{At: e.c.status.clockOf(e.id)}}
		if err := e.c.append(ctx, e.id, rec, 0); err != nil && ctx.Err() == nil {
			e.c.log.Warn("a tick could not be appended", "partition", e.id, "error", err)
		}
	}
}

// append writes one record to an alerts partition, outside of transactions.
func (c *correlating) append(ctx context.Context, id int32, r *correlate.Record, at correlate.Time) error {
	return write(ctx, c.plain, appended(c.o, id, r, at))
}

// appended is the record of an alerts partition that says r at a time, if the clock is the events'.
func appended(o *Options, id int32, r *correlate.Record, at correlate.Time) *kgo.Record {
	rec := &kgo.Record{Topic: o.Topics.Alerts, Partition: id, Value: wire.Append(nil, r)}
	if o.Clock == correlate.ClockEvent {
		rec.Timestamp = time.UnixMilli(max(int64(at), 1))
	}
	return rec
}

// pollRecords bounds what an engine folds between two looks at the time.
const pollRecords = 65536

// loop reads, steps and commits. When idle, effects are committed at once; under load they gather
// for CommitEvery, because a transaction costs the broker the same whether it carries ten records
// or ten thousand.
func (e *engineOwner) loop(ctx, work context.Context) error {
	for {
		wait := e.c.o.Pace.poll()
		if e.out.pending() {
			wait = max(e.c.o.Correlate.CommitEvery-time.Since(e.last), 0)
		}
		e.goOn(ctx)
		poll, cancel := context.WithTimeout(ctx, wait)
		fetches := e.cl.PollRecords(poll, pollRecords)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchErrors(fetches); err != nil {
			return err
		}
		if err := e.fold(work, fetches); err != nil {
			return err
		}
		if e.due() {
			if err := e.commit(work, false); err != nil {
				return err
			}
		}
	}
}

// goOn appends a tick if the engine has something left to do for which it needs a record, and there
// is none. Under the append clock ticks come anyway.
func (e *engineOwner) goOn(ctx context.Context) {
	position := e.engine.Position()
	if !e.engine.Stats().More || position < e.high || position == e.asked {
		return
	}
	rec := &correlate.Record{Kind: correlate.KindTick, Tick: correlate.Tick{At: e.engine.Clock()}}
	if err := e.c.append(ctx, e.id, rec, e.engine.Clock()); err != nil {
		if ctx.Err() == nil {
			e.c.log.Warn("a tick could not be appended; trying again", "partition", e.id, "error", err)
		}
		return
	}
	e.asked = position
}

// due reports whether it is time for a transaction.
func (e *engineOwner) due() bool {
	since := time.Since(e.last)
	if e.out.pending() {
		return since >= e.c.o.Correlate.CommitEvery || e.out.large()
	}
	if e.snapshot.under != nil && len(e.snapshot.done) > 0 {
		return true
	}
	moved := e.engine.Position() > e.position
	ended := e.engine.Stats().Ended // who waits for the end, waits no longer
	return moved && (since >= e.c.o.Pace.commit() || ended)
}

// stepRecords is how many records the engine steps over at most before it is looked whether a
// transaction is full; it returns earlier if they bring about enough for one.
const stepRecords = 1024

// fold steps the engine over what was fetched and turns effects into records. Engine and outputs
// keep copies of what they keep, so the memory of the records goes back to the client.
func (e *engineOwner) fold(ctx context.Context, fetches kgo.Fetches) error {
	var errs []error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		e.high = p.HighWatermark
		for records := range slices.Chunk(p.Records, stepRecords) {
			if err := e.foldChunk(ctx, records); err != nil {
				errs = append(errs, err)
				return
			}
			for _, r := range records {
				r.Recycle()
			}
		}
	})
	return errors.Join(errs...)
}

func (e *engineOwner) foldChunk(ctx context.Context, records []*kgo.Record) error {
	e.nextBatch()
	for _, r := range records {
		if err := e.decode(r); err != nil {
			return err
		}
	}
	if err := e.c.rules.know(ctx, e.batch); err != nil {
		return err
	}
	// The engine returns early when it has enough for a transaction.
	for n := len(e.batch); n > 0 && e.engine.Position() <= e.batch[n-1].Offset; {
		if err := e.step(e.batch); err != nil {
			return err
		}
		if e.out.large() {
			if err := e.commit(ctx, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextBatch forgets the records that were decoded: their memory is used again.
func (e *engineOwner) nextBatch() {
	e.batch = e.batch[:0]
	e.decoder.Reset()
}

func (e *engineOwner) step(batch []correlate.Record) error {
	if err := e.engine.Step(batch, &e.fx); err != nil {
		return fmt.Errorf("step to %d: %w", batch[len(batch)-1].Offset, err)
	}
	if err := e.out.add(&e.fx, e.engine.Position()); err != nil {
		return err
	}
	e.observe()
	e.fx.Reset()
	return nil
}

// decode appends a record of the alerts topic to the batch. One that cannot be read stops the
// partition: an engine that skipped it would differ from the one that wrote it.
func (e *engineOwner) decode(r *kgo.Record) error {
	rec, err := e.decoder.Decode(r.Value)
	if err != nil {
		return fmt.Errorf("%s/%d at %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	rec.Offset, rec.Time = r.Offset, correlate.Time(r.Timestamp.UnixMilli())
	e.batch = append(e.batch, rec)
	return nil
}

// observe brings metrics and status up to the batch.
func (e *engineOwner) observe() {
	m, id := e.c.metrics, fmt.Sprint(e.id)
	var became [correlate.OverLimit + 1]int
	for i := range e.fx.Disposed {
		became[e.fx.Disposed[i].Disposition]++
	}
	for d, n := range became {
		if n > 0 {
			m.alerts.WithLabelValues(correlate.Disposition(d).String()).Add(float64(n))
		}
	}
	for i := range e.fx.Changed {
		c := &e.fx.Changed[i]
		e.c.log.Info("a change of the rules", "partition", e.id, "from", c.Change.Previous,
			"to", c.Change.Hash, "explicit", c.Change.Explicit, "outcome", c.Outcome)
	}
	m.ignored.Add(float64(e.fx.Ignored))
	for i := range e.fx.Answered {
		m.responses.WithLabelValues(e.fx.Answered[i].Outcome.String()).Inc()
	}
	m.lag.WithLabelValues("correlate", e.c.o.Topics.Alerts, id).Set(float64(e.high - e.engine.Position()))
	st := e.engine.Stats()
	m.incidents.WithLabelValues(id, "pending").Set(float64(st.Pending))
	m.incidents.WithLabelValues(id, "open").Set(float64(st.Open))
	m.incidents.WithLabelValues(id, "acknowledged").Set(float64(st.Acknowledged))
	m.live.WithLabelValues(id).Set(float64(st.LiveAlerts))
	m.held.WithLabelValues(id).Set(float64(st.Held))
	e.observeLimits(&st)
	e.c.status.clockAt(e.id, e.engine.Clock())
}

func (e *engineOwner) observeLimits(st *correlate.Stats) {
	m, l, part := e.c.metrics, &e.c.o.Correlate.Limits, partition{e.c.o.Topics.Alerts, e.id}
	m.use("incidents", st.Incidents, l.Incidents, part)
	m.use("open_incidents", st.MostOpen, l.OpenIncidents, part)
	m.use("groups_per_rule", st.MostGroups, l.GroupsPerRule, part)
	m.use("alerts_per_incident", st.MostMembers, l.AlertsPerIncident, part)
	m.use("live_alerts", st.LiveAlerts, l.LiveAlerts, part)
	m.use("closed_groups", st.ClosedGroups, l.ClosedGroups, part)
	m.use("merge_buffer", st.Buffered, l.MergeBuffer, part)
	m.hit("incidents", st.Over.Incidents-e.counted.Over.Incidents)
	m.hit("open_incidents", st.Over.OpenIncidents-e.counted.Over.OpenIncidents)
	m.hit("groups_per_rule", st.Over.GroupsPerRule-e.counted.Over.GroupsPerRule)
	m.hit("alerts_per_incident", st.Over.AlertsPerIncident-e.counted.Over.AlertsPerIncident)
	m.hit("live_alerts", st.Over.LiveAlerts-e.counted.Over.LiveAlerts)
	m.hit("closed_groups", st.Evicted-e.counted.Evicted)
	m.hit("merge_buffer", st.Forced-e.counted.Forced)
	m.hit("step_bytes", st.Divided-e.counted.Divided)
	e.counted = *st
}
