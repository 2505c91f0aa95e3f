package pipeline

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
)

// archiver is the worker of one partition of the archive or dispositions topic.
type archiver struct {
	a       *archiving
	part    partition
	unit    unit
	cl      *kgo.Client
	pending *pending

	next  int64 // offset to read
	done  int64 // position below which everything is in ClickHouse
	saved int64 // position of the newest checkpoint
	high  int64
}

// saveEvery bounds how many blocks are offered to ClickHouse once more after a crash.
const saveEvery = 5 * time.Second

// run gathers blocks and inserts them when they are many or old enough, until ctx ends; then it
// inserts what it has, as long as ClickHouse answers in time. What it cannot insert stays in Kafka.
func (w *archiver) run(ctx context.Context) error {
	work, cancel := lasting(ctx, grace)
	defer cancel()
	saved := time.Now()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollEvery)
		fetches := w.cl.PollRecords(poll, 16)
		cancel()
		if err := w.take(fetches); err != nil {
			return err
		}
		if w.pending.ready(w.a.o.Archive.Rows, w.a.o.Archive.Every) {
			if err := w.insertAll(work); err != nil {
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
	if err := w.insertAll(work); err != nil {
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
			if r.Attrs.IsControl() || failed != nil {
				continue
			}
			env, err := archive.Decode(r.Value)
			if err != nil {
				failed = fmt.Errorf("block at %s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
				return
			}
			w.pending.add(&env, r.Timestamp)
		}
	})
	if w.pending.empty() {
		w.settled()
	} else {
		w.lag()
	}
	return failed
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

// insertAll inserts everything that is pending, one insert per table, source partition and day,
// trying again until ctx ends.
func (w *archiver) insertAll(ctx context.Context) error {
	for _, g := range w.pending.groups {
		if err := w.insert(ctx, g); err != nil {
			return err
		}
	}
	w.pending.reset()
	w.settled()
	return nil
}

func (w *archiver) insert(ctx context.Context, g *insertGroup) error {
	high, err := w.highWater(ctx, g)
	if err != nil {
		return err
	}
	batch, rows := g.batch(high)
	if repeated := g.rows - rows; repeated > 0 {
		w.a.metrics.repeated.WithLabelValues(g.table).Add(float64(repeated))
		w.a.log.Warn("rows were left out: ClickHouse holds their positions. After a crash that is as it "+
			"should be. If the topic was created anew, or belongs to another cluster, they are lost to "+
			"the archive: use another topic name or another database", "table", g.table, "of", g.topic,
			"of_partition", g.partition, "rows", repeated, "archived_up_to", high)
	}
	if rows == 0 {
		w.pending.raise(g)
		return nil
	}
	err = w.retry(ctx, g, func() error { return w.a.o.Archive.To.Insert(ctx, batch) })
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

// highWater returns the highest position of the group's source that the table is known to hold; a
// new owner asks ClickHouse once per table and source.
func (w *archiver) highWater(ctx context.Context, g *insertGroup) (int64, error) {
	if high, ok := w.pending.marks[g.source]; ok {
		return high, nil
	}
	var high int64
	err := w.retry(ctx, g, func() (err error) {
		high, err = w.a.o.Archive.To.HighWater(ctx, g.table, g.topic, g.partition)
		return err
	})
	if err == nil {
		w.pending.marks[g.source] = high
	}
	return high, err
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
		"of", g.topic, "of_partition", g.partition, "from", g.from, "to", g.to)
	for n := 0; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		w.a.metrics.archiveErrors.Inc()
		switch archive.FaultOf(err) {
		case archive.FaultReject:
			w.blocked().Set(1)
			return fmt.Errorf("ClickHouse will never take the rows of %s/%d [%d, %d) for table %s as they "+
				"are; the partition stands still, nothing behind them is lost, and paging goes on: %w",
				g.topic, g.partition, g.from, g.to, g.table, err)
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

func (w *archiver) save(ctx context.Context) error {
	if w.next == w.saved {
		return nil
	}
	records, err := w.unit.records(nil, manifest{Position: w.next})
	if err != nil {
		return err
	}
	if err := write(ctx, w.a.plain, records...); err != nil {
		return fmt.Errorf("checkpoint of %s: %w", w.unit.name, err)
	}
	w.saved = w.next
	return nil
}
