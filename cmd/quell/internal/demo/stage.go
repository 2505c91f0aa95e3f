package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/servers"
	"quell/pipeline"
)

// stage is where a demo happens: the embedded servers, the service on them, and the clients of
// those who are outside of it.
type stage struct {
	dir  string
	keep bool

	servers  *servers.Set
	pipeline pipeline.Options
	archive  *app.Archive
	service  *pipeline.Service

	producer  *kgo.Client // of events
	responses *kgo.Client // of the responder: reads pages, writes responses
	admin     *kadm.Client
}

// openStage starts the servers and prepares the service.
func openStage(ctx context.Context, o *Options) (_ *stage, err error) {
	s := &stage{dir: o.Data, keep: o.Data != ""}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.claim(); err != nil {
		return nil, err
	}
	s.servers, err = servers.Start(ctx, servers.Want{Kafka: true, ClickHouse: true, Fresh: true,
		DataDir: s.dir, Logger: slog.New(severe{o.Logger.Handler()})})
	if err != nil {
		return nil, err
	}
	o.Config.Kafka.Brokers = config.Brokers{config.Embedded}
	o.Config.ClickHouse.Address = config.Embedded
	if s.pipeline, err = app.Pipeline(o.Config, s.servers.Kafka); err != nil {
		return nil, err
	}
	client, err := app.ClickHouse(o.Config, s.servers.ClickHouse)
	if err != nil {
		return nil, err
	}
	s.archive = app.NewArchive(client, o.Logger)
	s.pipeline.Archive.To, s.pipeline.Logger = s.archive, o.Logger
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	s.service, err = pipeline.New(s.pipeline)
	return s, err
}

// severe lets errors through and nothing else: what an embedded server has to say about its own pace
// is no part of the show.
type severe struct{ slog.Handler }

func (severe) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (s severe) WithAttrs(attrs []slog.Attr) slog.Handler   { return severe{s.Handler.WithAttrs(attrs)} }
func (s severe) WithGroup(name string) slog.Handler         { return severe{s.Handler.WithGroup(name)} }

// claim makes the directory, and refuses one that holds the archive of another run: the figures
// would add up.
func (s *stage) claim() (err error) {
	if !s.keep {
		s.dir, err = os.MkdirTemp("", "quell-demo-")
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "clickhouse")); err == nil {
		return fmt.Errorf("--data %s already holds an archive: a demo begins with an empty one; "+
			"name another directory or remove this one", s.dir)
	}
	return nil
}

// connect makes the clients and the topics. The producer places records by Kafka's own hash of the
// key, as the monitoring systems' producers do.
func (s *stage) connect(ctx context.Context) (err error) {
	s.producer, err = app.Client(s.pipeline.Kafka, kgo.ClientID("demo-monitors"),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		return err
	}
	s.responses, err = app.Client(s.pipeline.Kafka, kgo.ClientID("demo-responder"),
		kgo.ConsumeTopics(s.pipeline.Topics.Pages), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ProducerLinger(0),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	s.admin = kadm.NewClient(s.producer)
	_, err = pipeline.CreateTopics(ctx, s.admin, s.pipeline.Topics.Specs(s.pipeline.Clock), 1)
	return err
}

// failed blocks until ctx ends, or an embedded server has: then it says why.
func (s *stage) failed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.servers.Failed():
		return s.servers.Stop()
	}
}

// close ends what openStage started. It may be called on half a stage.
func (s *stage) close() {
	for _, cl := range []*kgo.Client{s.producer, s.responses} {
		if cl != nil {
			cl.Close()
		}
	}
	var errs []error
	if s.archive != nil {
		errs = append(errs, s.archive.Close())
	}
	if s.servers != nil {
		errs = append(errs, s.servers.Stop())
	}
	if !s.keep && s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	if err := errors.Join(errs...); err != nil && s.pipeline.Logger != nil {
		s.pipeline.Logger.Warn("the demo's servers did not end cleanly", "error", err)
	}
}
