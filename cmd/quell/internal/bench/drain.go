package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/correlate"
	"quell/pipeline"
)

// drain is the service with the roles of one row, over topics that are full already.
type drain struct {
	p        *Part
	cfg      *config.Config
	o        pipeline.Options
	archive  *app.Archive
	registry *prometheus.Registry
	adm      *kadm.Client
	service  *pipeline.Service
	ends     map[string]map[int32]int64 // of all topics, before the service began
	m        *meter
}

// serve runs the service until the row's work is done, or as long as it is wanted.
func (p *Part) serve(ctx context.Context, say *json.Encoder, log *slog.Logger) error {
	d := &drain{p: p, m: p.meter(), registry: prometheus.NewRegistry()}
	var err error
	if d.cfg, err = parse(p.Config, p.Kafka, p.ClickHouse); err != nil {
		return err
	}
	if d.o, err = app.Pipeline(d.cfg, p.Kafka); err != nil {
		return err
	}
	all := p.Do == rowWhole || p.Do == partLive
	d.o.Roles = pipeline.Roles{Intake: all || p.Do == rowIntake, Correlate: all || p.Do == rowCorrelate,
		Archive: all || p.Do == rowArchive}
	d.o.Uncheckpointed, d.o.Metrics, d.o.Logger = p.Unchecked, d.registry, log
	if d.o.Roles.Archive {
		client, err := app.ClickHouse(d.cfg, p.ClickHouse)
		if err != nil {
			return err
		}
		d.archive = app.NewArchive(client, log)
		defer func() { _ = d.archive.Close() }()
		d.archive.Prepare(ctx)
		d.o.Archive.To = d.archive
	}
	cl, err := app.Client(d.o.Kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	d.adm = kadm.NewClient(cl)
	t := &d.o.Topics
	if d.ends, err = endsOf(ctx, d.adm, t.Raw[0].Name, t.Alerts, t.Archive, t.Dispositions); err != nil {
		return err
	}
	if d.service, err = pipeline.New(d.o); err != nil {
		return err
	}
	return d.run(ctx, say)
}

// run starts the service, sees the row's work through and stops it.
func (d *drain) run(ctx context.Context, say *json.Encoder) error {
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		err := d.service.Run(run)
		cancel(err) // if it ends by itself, nobody must wait for it
		done <- err
	}()
	both, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(run, func() { stop(context.Cause(run)) })()
	if d.p.Do == partLive {
		err := d.live(both, say)
		cancel(nil)
		return errors.Join(err, <-done)
	}
	last, events, err := d.work(both)
	cancel(nil)
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	if d.p.Do == rowIntake {
		last = d.m.read() // everything acknowledged, the last checkpoint written
	}
	row := d.m.row(d.p.Do, last, events)
	return errors.Join(say.Encode(answer{Row: &row}), d.m.close())
}

// partLive serves as long as it is wanted, and measures nothing.
const partLive = "live"

func (d *drain) live(ctx context.Context, say *json.Encoder) error {
	err := until(ctx, func() (bool, error) {
		st := d.service.Status()
		return len(st.Engines) == int(d.o.Topics.AlertsPartitions) && d.reading() == d.cfg.Topics.Raw[0].Partitions, nil
	})
	if err != nil {
		return err
	}
	if err := say.Encode(answer{Ready: true}); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// reading returns how many raw partitions intake has found and begun to read.
func (d *drain) reading() (n int32) {
	return int32(len(d.service.Status().Read[d.o.Topics.Raw[0].Name]))
}

// work waits from the row's first records to its last, and returns what was used by then and how
// many events it took.
func (d *drain) work(ctx context.Context) (usage, int64, error) {
	if err := d.m.begin(); err != nil {
		return usage{}, 0, err
	}
	err := until(ctx, func() (bool, error) { return d.taken() })
	if err != nil {
		return usage{}, 0, fmt.Errorf("%s takes nothing: %w", d.p.Do, err)
	}
	before := d.count()
	if d.p.Do != rowArchive && before >= d.all() {
		before = 0 // so few that the first were all: the window is the process's life
	} else if err := d.m.begin(); err != nil {
		return usage{}, 0, err
	}
	var last usage
	switch d.p.Do {
	case rowWhole:
		t := &d.o.Topics
		ends := map[correlate.RawPartition]int64{}
		for id, end := range d.ends[t.Raw[0].Name] {
			ends[correlate.RawPartition{Topic: t.Raw[0].Name, Partition: id}] = end
		}
		err = app.Settle(ctx, d.service, d.adm, *t, ends, func(pipeline.Status) bool { return true },
			func(pipeline.Status) {})
	default:
		err = until(ctx, func() (bool, error) { return d.done(), nil })
	}
	if err == nil && d.archive != nil {
		last, err = d.settle(ctx)
	} else {
		last = d.m.read()
	}
	if err != nil {
		return last, 0, fmt.Errorf("%s after %d of %d events: %w", d.p.Do, d.count(), d.all(), err)
	}
	return last, d.all() - before, nil
}

// all is how many events the row has to work off, count how many it has.
func (d *drain) all() int64 {
	t := &d.o.Topics
	switch d.p.Do {
	case rowCorrelate:
		return total(d.ends[t.Alerts])
	case rowArchive:
		st := d.service.Status()
		return st.Rows["events"] + st.Rows["rejected"] // all there were, when it is done
	}
	return total(d.ends[t.Raw[0].Name])
}

func (d *drain) count() int64 {
	st := d.service.Status()
	switch d.p.Do {
	case rowCorrelate:
		return total(st.Correlated)
	case rowArchive:
		return st.Rows["events"] + st.Rows["rejected"]
	}
	var events int64 // with a verdict; Read tells only what has been acknowledged
	for _, n := range st.Verdicts {
		events += n
	}
	return events
}

// taken reports whether the first records have come. The archive counts what ClickHouse has, which
// is nothing for a while; that it reads, its lag says first.
func (d *drain) taken() (bool, error) {
	if d.p.Do != rowArchive {
		return d.count() > 0, nil
	}
	families, err := d.registry.Gather()
	if err != nil {
		return false, err
	}
	for _, f := range families {
		if f.GetName() == "quell_consumer_lag_records" && len(f.GetMetric()) > 0 {
			return true, nil
		}
	}
	return false, nil
}

func (d *drain) done() bool {
	st, t := d.service.Status(), &d.o.Topics
	reached := func(have, want map[int32]int64) bool {
		for id, end := range want {
			if have[id] < end {
				return false
			}
		}
		return true
	}
	switch d.p.Do {
	case rowCorrelate:
		return reached(st.Correlated, d.ends[t.Alerts])
	case rowArchive:
		return reached(st.Archived[t.Archive], d.ends[t.Archive]) &&
			reached(st.Archived[t.Dispositions], d.ends[t.Dispositions])
	}
	return reached(st.Read[t.Raw[0].Name], d.ends[t.Raw[0].Name])
}

// settle waits until no merge runs for a while, and returns what had been used when the last one
// had ended.
func (d *drain) settle(ctx context.Context) (usage, error) {
	const quiet = 300 * time.Millisecond
	calm := d.m.read()
	err := until(ctx, func() (bool, error) {
		merging, err := number(ctx, d.archive.Client, "SELECT count() FROM system.merges")
		if err == nil && merging > 0 {
			calm = d.m.read()
		}
		return time.Since(calm.at) > quiet, err
	})
	return calm, err
}

// until looks every few milliseconds until f is true.
func until(ctx context.Context, f func() (bool, error)) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
}
