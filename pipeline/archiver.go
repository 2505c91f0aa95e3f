package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
)

// archiver is the worker of one partition of the archive or dispositions topic.
//
// It works in rounds. A round is the blocks of consecutive offsets, and makes an insert per table and
// day. The round is logged before its first insert is made: its offsets, and the highest archived
// positions before it. From these and the blocks the inserts follow, byte for byte and with the same
// tokens; so whoever becomes owner after a crash repeats the round, and it does not matter which of
// its inserts ClickHouse had taken, or takes an hour later from a process that was asleep: a token
// counts once. (A token may also be all that is left of an insert in which ClickHouse was killed; so
// of what is repeated, ClickHouse is asked for the rows.) The log belongs to the unit's transactional
// id. An owner who was succeeded cannot log a round any more, and so makes no other inserts than
// those that its successor has repeated.
type archiver struct {
	a       *archiving
	part    partition
	keeper  *keeper
	pending *pending

	next     int64     // offset to read
	done     int64     // position below which everything is in ClickHouse
	recalled bool      // what is pending is a former owner's round
	saved    int64     // position of the newest manifest
	logged   time.Time // when the round under way was logged last
	high     int64
}

// saveEvery bounds how many blocks are read once more after a crash.
const saveEvery = 5 * time.Second

// fresh is for how long the log of a round proves that the partition is ours. An owner that was
// asleep for longer logs it once more before an insert, and finds out.
const fresh = 2 * time.Second

// run gathers blocks and inserts them when they are many or old enough, until ctx ends; then it
// inserts what it has, as long as ClickHouse answers in time. What it cannot insert stays in Kafka.
func (w *archiver) run(ctx context.Context) error {
	work, cancel := lasting(ctx, grace)
	defer cancel()
	if err := w.round(work); err != nil { // a former owner's, if it left one
		return w.stopped(ctx, err)
	}
	saved := time.Now()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, w.a.o.Pace.poll())
		fetches := w.keeper.cl.PollRecords(poll, 16)
		cancel()
		if err := w.take(fetches); err != nil {
			return err
		}
		if w.pending.ready(w.a.o.Archive.Rows, w.a.o.Archive.Every, int(w.a.owned.Load())) {
			if err := w.round(work); err != nil {
				return w.stopped(ctx, err)
			}
		}
		if time.Since(saved) >= saveEvery && w.pending.empty() {
			if err := w.save(work); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
	if err := w.round(work); err != nil {
		return w.stopped(ctx, err)
	}
	return w.save(work)
}

// stopped tells a stop before everything was inserted, which is in order, from a failure.
func (w *archiver) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	w.a.log.Warn("stopped before ClickHouse took the last blocks; they stay in Kafka",
		"topic", w.part.topic, "partition", w.part.id, "error", err)
	return nil
}

// take adds what was fetched. A block that cannot be read stops the partition: skipping it would
// lose rows silently.
func (w *archiver) take(fetches kgo.Fetches) error {
	if err := fetchErrors(fetches); err != nil {
		return err
	}
	var failed error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		w.high = max(w.high, p.HighWatermark)
		for _, r := range p.Records {
			w.next = r.Offset + 1
			if !r.Attrs.IsControl() && failed == nil {
				failed = w.add(r)
			}
		}
	})
	if w.pending.empty() {
		w.settled()
	} else {
		w.lag()
	}
	return failed
}

// add makes a block pending.
func (w *archiver) add(r *kgo.Record) error {
	env, err := archive.DecodeInto(r.Value, w.pending.room)
	if err != nil {
		return fmt.Errorf("block at %s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	w.pending.add(&env, r.Timestamp)
	w.pending.records = append(w.pending.records, r)
	return nil
}

// settled notes that everything that was read is in ClickHouse.
func (w *archiver) settled() {
	w.done = w.next
	w.a.status.archived(w.part, w.next)
	w.lag()
}

// lag tells how much is not in ClickHouse yet, read or not.
func (w *archiver) lag() {
	w.a.metrics.lag.WithLabelValues("archive", w.part.topic, strconv.Itoa(int(w.part.id))).
		Set(float64(max(w.high-w.done, 0)))
}

// look asks how far the log has grown while nothing is read, so that the lag shows it.
func (w *archiver) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	ends, err := w.a.adm.ListEndOffsets(ctx, w.part.topic)
	if err != nil {
		return // the next look may tell
	}
	if end, ok := ends.Lookup(w.part.topic, w.part.id); ok && end.Err == nil {
		w.high = max(w.high, end.Offset)
		w.lag()
	}
}

// round inserts everything that is pending, one insert per table and day, trying again until ctx
// ends.
func (w *archiver) round(ctx context.Context) error {
	if w.pending.empty() {
		return nil
	}
	for _, g := range w.pending.groups {
		for _, src := range g.sources {
			if err := w.stand(ctx, g, src); err != nil {
				return err
			}
		}
	}
	log := w.pending.log(w.next)
	w.logged = time.Time{}
	for _, g := range w.pending.groups {
		if err := w.insert(ctx, g, log); err != nil {
			return err
		}
	}
	w.pending.reset()
	w.recalled = false
	w.settled()
	return nil
}

// prove logs the round under way, if it was not logged a moment ago.
func (w *archiver) prove(ctx context.Context, log *insertLog) error {
	if time.Since(w.logged) < fresh {
		return nil
	}
	w.logged = time.Now()
	err := w.keeper.save(ctx, manifest{Position: w.done, Insert: log}, nil)
	if err == nil {
		w.saved = w.done
	}
	return err
}

func (w *archiver) insert(ctx context.Context, g *insertGroup, log *insertLog) error {
	batch, rows := g.batch(w.pending.standing)
	batch.Token = fmt.Sprintf("%s:%d:%d-%d:%s", w.part.topic, w.part.id, w.done, log.Until, batch.Token)
	if repeated := g.rows - rows; repeated > 0 {
		w.a.metrics.repeated.WithLabelValues(g.table).Add(float64(repeated))
		w.a.log.Info("rows were left out: their positions are archived already, as after a crash",
			"table", g.table, "of", g.String(), "rows", repeated)
	}
	if rows == 0 {
		w.pending.raise(g)
		return nil
	}
	batch.Repeated = w.recalled
	err := w.retry(ctx, g, func() error {
		if err := w.prove(ctx, log); err != nil {
			return err
		}
		err := w.a.o.Archive.To.Insert(ctx, batch)
		batch.Repeated = true
		return err
	})
	if err != nil {
		return err
	}
	w.pending.raise(g)
	w.blocked().Set(0)
	w.a.metrics.rows.WithLabelValues(g.table).Add(float64(rows))
	w.a.metrics.toArchive.Observe(time.Since(g.oldest).Seconds())
	w.a.status.inserted(g.table, int64(rows))
	return nil
}

// stand finds out up to where a source of the group is archived. The log says so; a new owner
// compares it, once a source, with what the table holds. A source that the log does not know stands
// where the table says.
func (w *archiver) stand(ctx context.Context, g *insertGroup, src *insertSource) error {
	logged, known := w.pending.standing[src.origin]
	if w.pending.checked[src.origin] || known && w.recalled {
		return nil // of a recalled round ClickHouse may hold a part
	}
	var held int64
	err := w.retry(ctx, g, func() (err error) {
		held, err = w.a.o.Archive.To.HighWater(ctx, src.table, src.topic, src.partition)
		return err
	})
	if err != nil {
		return err
	}
	if known && (held > logged.Covered || held < logged.Row) {
		// An owner that was asleep finds what its successor inserted, and must not take that for
		// damage: first it has to prove that it still is the owner.
		if err := w.prove(ctx, w.pending.log(w.done)); err != nil {
			return err
		}
	}
	w.pending.checked[src.origin] = true
	if known {
		w.compare(src, logged, held)
	} else if err := w.belongs(ctx, src, held); err != nil {
		return err
	}
	if !known || held > logged.Covered {
		w.pending.standing[src.origin] = standing{Covered: held, Row: held}
	}
	return nil
}

// belongs stops the partition if the table holds positions which the source does not have yet: they
// are of another topic of the same name, and the source's rows would be left out as repeated.
func (w *archiver) belongs(ctx context.Context, src *insertSource, held int64) error {
	ends, err := w.a.adm.ListEndOffsets(ctx, src.topic)
	if err != nil {
		return fmt.Errorf("end of %s: %w", src.topic, err)
	}
	end, ok := ends.Lookup(src.topic, src.partition)
	if !ok || end.Err != nil || held < end.Offset {
		return nil
	}
	w.blocked().Set(1)
	return fmt.Errorf("table %s in ClickHouse holds positions of %s/%d up to %d, and the topic ends at "+
		"%d: they are of another topic of that name, or of another cluster's; rows of this one would be "+
		"left out as repeated. The partition stands still, paging goes on: configure another "+
		"clickhouse.database, or another name for the topic",
		src.table, src.topic, src.partition, held, end.Offset)
}

// compare tells of a table that holds something else than the log of inserts says.
func (w *archiver) compare(src *insertSource, logged standing, held int64) {
	log := w.a.log.With("table", src.table, "of", src.topic, "of_partition", src.partition, "held_up_to", held)
	switch {
	case held > logged.Covered:
		w.a.metrics.mismatches.WithLabelValues(src.table).Inc()
		log.Error("ClickHouse holds rows that this quell has not inserted; rows up to there are left out "+
			"as repeated. Does another quell write into the same database? Give each its own",
			"logged_up_to", logged.Covered)
	case held < logged.Row:
		w.a.metrics.mismatches.WithLabelValues(src.table).Inc()
		log.Warn("rows that were archived are gone from ClickHouse: their time to live has ended, or "+
			"somebody deleted or restored the table; `quell audit` tells which", "inserted_up_to", logged.Row)
	}
}

// retry calls f until it succeeds, ctx ends, or the archive refuses the rows as they are.
//
// What may pass by itself is tried again without end. So is what needs a person (no right to
// write, a table that somebody changed), but it is told as an error: nothing else will end it. Rows
// that will never go in stop the partition: to leave them out would lose them, and behind them
// order is lost. Its owner says so, and begins again from its checkpoint; what ends it is another
// release of ClickHouse or of quell.
func (w *archiver) retry(ctx context.Context, g *insertGroup, f func() error) error {
	log := w.a.log.With("table", g.table, "topic", w.part.topic, "partition", w.part.id,
		"of", g.String())
	for n := 0; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil || errors.Is(err, errFenced) || errors.Is(err, errUncertain) {
			return err
		}
		w.a.metrics.archiveErrors.Inc()
		switch archive.FaultOf(err) {
		case archive.FaultReject:
			w.blocked().Set(1)
			return fmt.Errorf("ClickHouse will never take the rows of %s for table %s as they are; the "+
				"partition stands still, nothing behind them is lost, and paging goes on: %w", g, g.table, err)
		case archive.FaultStop:
			w.blocked().Set(1)
			log.Error("ClickHouse takes nothing until somebody changes something; trying again, paging "+
				"goes on", "error", err, "wait", backoff(n))
		default:
			log.Warn("ClickHouse did not take a block; trying again, paging goes on", "error", err,
				"wait", backoff(n))
		}
		w.look(ctx)
		pause(ctx, backoff(n))
	}
}

func (w *archiver) blocked() prometheus.Gauge {
	return w.a.metrics.blocked.WithLabelValues(w.part.topic, strconv.Itoa(int(w.part.id)))
}

// save logs that nothing is under way.
func (w *archiver) save(ctx context.Context) error {
	if w.next == w.saved {
		return nil
	}
	m := manifest{Position: w.next, Insert: w.pending.log(w.next)}
	if err := w.keeper.save(ctx, m, nil); err != nil {
		return err
	}
	w.saved = w.next
	return nil
}
