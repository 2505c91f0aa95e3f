package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline"
)

// checkUninterrupted gives the round's raw records, at the same positions, to one process that
// nobody disturbs, on a broker of its own, and wants the same incidents and pages. Only the event
// clock promises that: under the append clock the time at which a record is appended decides.
func (w *world) checkUninterrupted(ctx context.Context, v *verdict) (err error) {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	broker := w.o.quell(w.dir, "clean-kafka", "dev", "kafka", "--listen", addr, "--data",
		filepath.Join(w.dir, "clean-kafka-data"))
	if err := broker.start(); err != nil {
		return err
	}
	defer broker.kill()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DisableClientMetrics(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if err := until(ctx, 30*time.Second, "the second broker answers", func() (bool, error) {
		err := cl.Ping(ctx)
		return err == nil, err
	}); err != nil {
		return err
	}
	if _, err := pipeline.CreateTopics(ctx, adm, w.topics.Specs(w.config.Clock), 1); err != nil {
		return err
	}
	if err := w.copyRaw(ctx, cl); err != nil {
		return err
	}
	run, err := w.cleanRun(addr)
	if err != nil {
		return err
	}
	defer run.kill()
	if err := w.cleanDrained(ctx, addr, adm, run); err != nil {
		return err
	}
	if _, err := run.terminate(); err != nil {
		return err
	}
	for p := range w.topics.AlertsPartitions {
		if err := w.sameAsClean(ctx, addr, adm, p, v); err != nil {
			return err
		}
	}
	v.Uninterrupted = true
	return nil
}

func (w *world) cleanRun(addr string) (*process, error) {
	set := w.settings("clean")
	set.Kafka, set.Database = addr, w.database()+"_clean"
	path, err := set.write(w.dir)
	if err != nil {
		return nil, err
	}
	run := w.o.quell(w.dir, "clean", "run", "--config", path)
	return run, run.start()
}

// copyRaw appends the records of the round to the other broker, in their order and with their times.
func (w *world) copyRaw(ctx context.Context, cl *kgo.Client) error {
	ends, err := endsOf(ctx, w.adm, w.load.topic)
	if err != nil {
		return err
	}
	for p, end := range ends {
		var failed error
		err := reach{w.broker.Addr(), w.load.topic, p, end, true}.each(ctx, func(r *kgo.Record) error {
			cl.Produce(ctx, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value,
				Timestamp: r.Timestamp}, func(got *kgo.Record, err error) {
				if err == nil && got.Offset != r.Offset {
					err = fmt.Errorf("copy of %d/%d is at %d", r.Partition, r.Offset, got.Offset)
				}
				if err != nil && failed == nil {
					failed = err
				}
			})
			return nil
		})
		if err = errors.Join(err, cl.Flush(ctx), failed); err != nil {
			return fmt.Errorf("copy the raw records: %w", err)
		}
	}
	return nil
}

// cleanDrained waits until the undisturbed process has nothing more to do.
func (w *world) cleanDrained(ctx context.Context, addr string, adm *kadm.Client, run *process) error {
	want := w.load.acked.Load()
	err := until(ctx, flowWithin, "the undisturbed run has archived everything", func() (bool, error) {
		if !run.alive() {
			return false, run.ended()
		}
		n, err := w.store.number(ctx, fmt.Sprintf("SELECT (SELECT count() FROM %[1]s.events) + "+
			"(SELECT count() FROM %[1]s.rejected)", w.database()+"_clean"))
		return n >= want, err
	})
	if err != nil {
		return err
	}
	return w.still(ctx, adm, 7*time.Second)
}

// sameAsClean compares what both runs told about one alerts partition.
func (w *world) sameAsClean(ctx context.Context, addr string, adm *kadm.Client, p int32,
	v *verdict) error {
	for _, topic := range []string{w.topics.Incidents, w.topics.Pages} {
		want, err := visible(ctx, addr, adm, topic, p)
		if err != nil {
			return err
		}
		have, err := visible(ctx, w.broker.Addr(), w.adm, topic, p)
		if err != nil {
			return err
		}
		compare(fmt.Sprintf("%s/%d against the undisturbed run:", topic, p), have, want, v)
	}
	return nil
}
