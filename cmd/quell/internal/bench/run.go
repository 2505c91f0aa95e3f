package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"quell/bench/workload"
	"quell/correlate"
)

// Run measures everything and returns the report.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	load := o.load()
	load.Start = correlate.TimeOf(time.Now())
	l, err := workload.NewLoad(load)
	if err != nil {
		return nil, err
	}
	load = l.Options()
	s, err := openStage(ctx, &o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &Report{Workload: load.Name, Kafka: s.version, Command: o.Command, Seed: load.Seed,
		Events: int64(load.Events), Fingerprints: int64(load.Fingerprints), Partitions: o.Partitions, Rules: o.Rules,
		Checkpoints: o.Checkpoints, Machine: machine(), LeftOut: leftOut(),
		Versions: Versions{Quell: o.Version, Go: runtime.Version()}}
	b := &run{o: &o, s: s, r: r}
	return r, b.all(ctx, l)
}

// run is one run's way through its rows.
type run struct {
	o *Options
	s *stage
	r *Report
}

// setting returns one with topics and group of its own over the workload's topic.
func (b *run) setting(name string) setting {
	return setting{prefix: b.s.prefix + "." + name, raw: b.s.prefix + ".events", database: "bench_" + name, o: b.o}
}

func (b *run) all(ctx context.Context, l *workload.Load) error {
	drained, updates, whole := b.setting("drained"), b.setting("updates"), b.setting("whole")
	updates.update = "10ms"
	for _, s := range []setting{drained, updates, whole} {
		if err := b.s.create(ctx, s); err != nil {
			return err
		}
	}
	b.o.Note(fmt.Sprintf("producing %d events of %s", b.r.Events, b.r.Workload))
	var err error
	if b.r.EventBytes, err = b.s.preload(ctx, drained.raw, l); err != nil {
		return err
	}
	b.r.Disk.Kafka = b.r.EventBytes
	if err := b.bare(ctx, drained); err != nil {
		return err
	}
	for _, step := range []struct {
		row  string
		set  setting
		note string // what the step is for when it is no row of the report
	}{
		{rowIntake, drained, ""},
		{rowIntake, updates, "intake that passes every repeat on, for correlate"},
		{rowCorrelate, updates, ""},
		{rowCorrelate, drained, "correlate, for archive"},
		{rowArchive, drained, ""},
		{rowWhole, whole, ""},
	} {
		if err := b.row(ctx, step.row, step.set, step.note); err != nil {
			return err
		}
	}
	b.r.IntakeOverBare = b.r.Row(rowIntake).EventsPerSecond / b.r.Row(rowBare).EventsPerSecond
	b.r.ResidentMiB = b.r.Row(rowWhole).ResidentMiB
	if err := b.disk(ctx, whole); err != nil {
		return err
	}
	if b.o.Peers {
		if err := b.peers(ctx, drained.raw); err != nil {
			return err
		}
	}
	return b.live(ctx)
}

// bare measures one and two clients and keeps the better one.
func (b *run) bare(ctx context.Context, set setting) error {
	var best Row
	for n := 1; n <= 2 && n <= b.o.Partitions; n++ {
		b.o.Note(fmt.Sprintf("%s, %d client(s)", rowBare, n))
		row, err := measure(ctx, Part{Do: rowBare, Kafka: b.s.kafka, Raw: set.raw, Clients: n,
			Broker: b.s.brokerPID})
		if err != nil {
			return err
		}
		if row.EventsPerSecond > best.EventsPerSecond {
			best = row
		}
	}
	b.r.Rows = append(b.r.Rows, best)
	return nil
}

// row drains one stage; with a note it is only for what it leaves to others.
func (b *run) row(ctx context.Context, name string, set setting, note string) error {
	p := Part{Do: name, Config: set.yaml(), Kafka: b.s.kafka, ClickHouse: b.s.engineURL,
		Broker: b.s.brokerPID, Unchecked: !b.o.Checkpoints}
	if name == rowArchive || name == rowWhole {
		p.Engine = b.s.engine.pid()
	}
	if b.o.Profiles != "" && note == "" {
		p.Profiles = filepath.Join(b.o.Profiles, name)
	}
	if note == "" {
		b.o.Note(name)
	} else {
		b.o.Note("(" + note + ")")
	}
	row, err := measure(ctx, p)
	if err == nil && note == "" {
		b.r.Rows = append(b.r.Rows, row)
	}
	return err
}

// disk asks what an event takes in ClickHouse, all tables together.
func (b *run) disk(ctx context.Context, set setting) error {
	c, err := b.s.database(set)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	size, err := number(ctx, c, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '"+
		set.database+"'")
	b.r.Disk.Archive = size / float64(b.r.Events)
	return err
}
