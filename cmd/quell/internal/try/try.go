// Package try answers "what would quell have made of this?": it runs files of real events through
// the whole pipeline, in the events' own time.
//
// There is no shorter way inside. The files' lines are produced to a raw topic of an embedded
// broker, with the events' times as record times; the same service that `quell run` starts reads
// them, deduplicates, correlates and archives into an embedded ClickHouse; and everything that is
// printed is asked of that ClickHouse by SQL. What makes days pass in seconds is the event clock,
// which takes the engine's time from the records; equal files give equal output, byte for byte.
package try

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/load"
	"quell/cmd/quell/internal/servers"
	"quell/correlate"
	"quell/pipeline"
	"quell/sinks/clickhouse"
)

// Options say what to try.
type Options struct {
	Config     *config.Config
	Files      []string
	Stdin      io.Reader
	Topic      string // raw topic whose format the files have; "" is the first
	Partitions int32  // of the raw topic; 0 is the configuration's
	Data       string // directory to keep; "" is a temporary one
	Incidents  string // file to write incidents to; "" writes none
	Logger     *slog.Logger
	// Progress is told what is being done and how far it is: done of total, total 0 when unknown.
	Progress func(what string, done, total int64)
}

// Summary is what a try or a demo prints.
type Summary struct {
	clickhouse.Funnel
	EventsPerSecond float64 `json:"events_per_second"` // events / (last archived - first append)
	ElapsedSeconds  float64 `json:"elapsed_seconds"`
	MTTA            float64 `json:"mtta_seconds_p50"` // 0 without an acknowledgement
	MTTR            float64 `json:"mttr_seconds_p50"` // 0 without a resolution
}

// Summarise asks the archive for the figures of a run that appended its first record at first and
// whose last row was archived at last.
func Summarise(ctx context.Context, c *clickhouse.Client, began, first, last time.Time) (Summary, error) {
	f, err := c.Funnel(ctx)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Funnel: f, ElapsedSeconds: time.Since(began).Seconds()}
	if d := last.Sub(first).Seconds(); d > 0 {
		s.EventsPerSecond = float64(f.Events) / d
	}
	if f.MTTAp50 != nil {
		s.MTTA = *f.MTTAp50
	}
	if f.MTTRp50 != nil {
		s.MTTR = *f.MTTRp50
	}
	return s, nil
}

// Run tries the files and returns the summary.
func Run(ctx context.Context, o Options) (Summary, error) {
	began := time.Now()
	t, err := prepare(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	defer t.cleanUp()
	set, err := servers.Start(ctx, servers.Want{Kafka: true, ClickHouse: true, Fresh: true,
		DataDir: t.dir, Logger: o.Logger})
	if err != nil {
		return Summary{}, err
	}
	defer func() { _ = set.Stop() }()
	if err := t.open(ctx, set); err != nil {
		return Summary{}, err
	}
	defer t.close()
	first := time.Now()
	if err := t.produce(ctx); err != nil {
		return Summary{}, err
	}
	last, err := t.pass(ctx)
	if err != nil {
		return Summary{}, err
	}
	if o.Incidents != "" {
		o.Progress("writing incidents", 0, 0)
		if err := t.export(ctx); err != nil {
			return Summary{}, err
		}
	}
	return Summarise(ctx, t.archive.Client, began, first, last)
}

// trial is one run.
type trial struct {
	o       Options
	c       *config.Config
	dir     string
	keep    bool
	plan    *load.Plan
	stamper *load.Stamper

	pipeline pipeline.Options
	archive  *app.Archive
	cl       *kgo.Client
	adm      *kadm.Client
	ends     map[correlate.RawPartition]int64
	lines    [][]int32 // per partition: index into plan.Items by offset
}

// prepare reads the files; nothing is started for a file that cannot be read.
func prepare(ctx context.Context, o Options) (*trial, error) {
	t := &trial{o: o, c: o.Config, dir: o.Data, keep: o.Data != "", ends: map[correlate.RawPartition]int64{}}
	t.c.Clock = correlate.ClockEvent
	if err := t.chooseTopic(); err != nil {
		return nil, err
	}
	var err error
	t.stamper, err = load.NewStamper(t.o.Topic, t.c.Formats()[0], app.Identity(t.c))
	if err != nil {
		return nil, err
	}
	t.plan, err = load.Read(ctx, o.Files, o.Stdin, t.stamper, func(n int) { o.Progress("reading", int64(n), 0) })
	if err != nil {
		return nil, err
	}
	if t.keep {
		return t, t.claim()
	}
	t.dir, err = os.MkdirTemp("", "quell-try-")
	return t, err
}

// claim refuses a directory that holds the archive of another run: the figures would add up.
func (t *trial) claim() error {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(t.dir + "/clickhouse"); err == nil {
		return fmt.Errorf("--data %s already holds an archive: a try begins with an empty one; "+
			"name another directory or remove this one", t.dir)
	}
	return nil
}

func (t *trial) cleanUp() {
	if !t.keep {
		_ = os.RemoveAll(t.dir)
	}
}

// chooseTopic leaves only the tried topic in the configuration.
func (t *trial) chooseTopic() error {
	raw := t.c.Topics.Raw
	if t.o.Topic == "" {
		t.o.Topic = raw[0].Name
	}
	var names []string
	for i := range raw {
		names = append(names, raw[i].Name)
		if raw[i].Name != t.o.Topic {
			continue
		}
		if t.o.Partitions > 0 {
			raw[i].Partitions = t.o.Partitions
		}
		return t.c.OnlyTopic(i)
	}
	return fmt.Errorf("--topic %s is not in the configuration; raw topics are %v", t.o.Topic, names)
}

// open connects to the servers and creates the topics.
func (t *trial) open(ctx context.Context, set *servers.Set) error {
	t.c.Kafka.Brokers, t.c.ClickHouse.Address = config.Brokers{config.Embedded}, config.Embedded
	var err error
	if t.pipeline, err = app.Pipeline(t.c, set.Kafka); err != nil {
		return err
	}
	client, err := app.ClickHouse(t.c, set.ClickHouse)
	if err != nil {
		return err
	}
	t.archive = app.NewArchive(client, t.o.Logger)
	t.pipeline.Archive.To, t.pipeline.Logger = t.archive, t.o.Logger
	t.pipeline.Archive.Every = 250 * time.Millisecond
	t.cl, err = app.Client(t.pipeline.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	t.adm = kadm.NewClient(t.cl)
	_, err = pipeline.CreateTopics(ctx, t.adm, t.pipeline.Topics.Specs(t.c.Clock), 1)
	return err
}

func (t *trial) close() {
	if t.cl != nil {
		t.cl.Close()
	}
	_ = t.archive.Close()
}

// pass runs the service over the topic until everything is archived, and returns when that was.
func (t *trial) pass(ctx context.Context) (time.Time, error) {
	t.pipeline.Until = t.ends
	s, err := pipeline.New(t.pipeline)
	if err != nil {
		return time.Time{}, err
	}
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(s.Run(run)) // if it ends by itself, Settle must not wait
	}()
	total := int64(len(t.plan.Items))
	err = app.Settle(run, s, t.adm, t.pipeline.Topics, t.ends, ended, func(st pipeline.Status) {
		t.o.Progress("correlating", st.Rows["events"]+st.Rows["rejected"], total)
	})
	last := s.Status().LastRow
	cancel(nil)
	<-done
	return last, err
}

// ended reports whether all engines have run out of time.
func ended(st pipeline.Status) bool {
	for _, e := range st.Engines {
		if !e.Ended {
			return false
		}
	}
	return true
}
