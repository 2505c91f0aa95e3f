package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/ops"
	"quell/cmd/quell/internal/servers"
	"quell/pipeline"
)

func newRun(g *global) *cobra.Command {
	var roles []string
	c := &cobra.Command{
		Use:   "run --config quell.yaml",
		Short: "Run the service: intake, correlate and archive",
		Long: `run is the service. It reads the raw topics, pages, and archives, until it gets SIGTERM or
SIGINT; then it writes its positions and stops within 10 seconds. Several processes with the same
configuration share the work; --roles splits it.

Exit code: 0 after SIGTERM or SIGINT, 1 when it cannot go on, 2 for a mistake in the call or the
configuration, 3 when an alerts partition stood still because its replay did not reproduce what was
committed (the log names the position; the other partitions went on until the end).`,
		Example: `  quell run --config quell.yaml
  quell run --config quell.yaml --roles intake,correlate
  QUELL_KAFKA=kafka-1:9092 QUELL_CLICKHOUSE=http://clickhouse:8123 quell run --config quell.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			r, err := parseRoles(roles)
			if err != nil {
				return usage(err)
			}
			return serve(cmd.Context(), cfg, r)
		},
	}
	c.Flags().StringSliceVar(&roles, "roles", []string{"intake", "correlate", "archive"}, "roles of this process")
	return g.withConfig(c)
}

func parseRoles(names []string) (pipeline.Roles, error) {
	for _, n := range names {
		if !slices.Contains([]string{"intake", "correlate", "archive"}, n) {
			return pipeline.Roles{}, fmt.Errorf("--roles: %q is none of intake, correlate, archive", n)
		}
	}
	return pipeline.Roles{Intake: slices.Contains(names, "intake"),
		Correlate: slices.Contains(names, "correlate"), Archive: slices.Contains(names, "archive")}, nil
}

// serve runs the service until ctx ends: servers first and last, so that nothing is cut off.
func serve(ctx context.Context, cfg *config.Config, roles pipeline.Roles) error {
	app.TuneMemory()
	log := app.Logger(cfg, os.Stderr)
	set, err := servers.Start(ctx, servers.Want{Kafka: cfg.Kafka.Embedded(),
		ClickHouse: cfg.ClickHouse.Embedded() && roles.Archive, DataDir: cfg.Data, Logger: log})
	if err != nil {
		return err
	}
	err = errors.Join(serveOn(ctx, cfg, roles, set), set.Stop())
	if diverged := new(pipeline.Divergence); errors.As(err, &diverged) {
		return &exitError{exitDiverged, err}
	}
	return err
}

func serveOn(ctx context.Context, cfg *config.Config, roles pipeline.Roles, set *servers.Set) error {
	log := app.Logger(cfg, os.Stderr)
	o, err := app.Pipeline(cfg, set.Kafka)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.Roles, o.Logger, o.Metrics = roles, log, reg
	var arch *app.Archive
	if roles.Archive {
		client, err := app.ClickHouse(cfg, set.ClickHouse)
		if err != nil {
			return err
		}
		arch = app.NewArchive(client, log)
		defer func() { _ = arch.Close() }()
		o.Archive.To = arch
	}
	if cfg.Kafka.Embedded() {
		if err := createTopics(ctx, o); err != nil {
			return err
		}
	}
	s, err := pipeline.New(o)
	if err != nil {
		return err
	}
	web, err := listen(ops.Options{Listen: cfg.Metrics.Listen, Pprof: cfg.Metrics.Pprof, Gatherer: reg,
		Ready: func() map[string]error { return readiness(s, arch) }, Logger: log})
	if err != nil {
		return err
	}
	return together(ctx, set, s, arch, web)
}

// listen makes the web server. The default port is taken where a second process runs on the same
// machine; nobody chose it, so another one will do, and the log says which.
func listen(o ops.Options) (*ops.Server, error) {
	web, err := ops.New(o)
	if !errors.Is(err, syscall.EADDRINUSE) || o.Listen != config.DefaultMetrics {
		return web, err
	}
	o.Listen = "127.0.0.1:0"
	web, err = ops.New(o)
	if err == nil {
		o.Logger.Warn("the default port of metrics and health is taken, by another quell perhaps; set "+
			"metrics.listen to choose one", "taken", config.DefaultMetrics, "listen", web.Addr())
	}
	return web, err
}

// together runs service, archive preparation and web server until one of them fails or ctx ends.
func together(ctx context.Context, set *servers.Set, s *pipeline.Service, arch *app.Archive, web *ops.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var serviceErr, webErr error
	wg.Go(func() {
		defer cancel()
		serviceErr = s.Run(ctx)
	})
	wg.Go(func() {
		defer cancel()
		webErr = web.Run(ctx)
	})
	if arch != nil {
		wg.Go(func() { arch.Prepare(ctx) })
	}
	select {
	case <-ctx.Done():
	case <-set.Failed():
		cancel()
	}
	wg.Wait()
	if errors.Is(serviceErr, context.Canceled) {
		serviceErr = nil // stopped before Kafka answered
	}
	return errors.Join(serviceErr, webErr)
}

// readiness tells what is not connected yet, and which partitions do not get on. ClickHouse counts until
// it has answered once: a service that pages is not taken out of service because its archive is away.
func readiness(s *pipeline.Service, arch *app.Archive) map[string]error {
	out := map[string]error{"kafka": nil}
	select {
	case <-s.Ready():
	default:
		out["kafka"] = errors.New("not connected yet, or the topics are not right yet")
	}
	st := s.Status()
	for part, err := range st.Failing {
		out["partition "+part] = fmt.Errorf("its owner fails again and again: %w", err)
	}
	for part, err := range st.Halted {
		out["partition "+part] = err
	}
	if arch != nil {
		out["clickhouse"] = nil
		if !arch.Ready() {
			out["clickhouse"] = errors.New("has not answered yet")
		}
	}
	return out
}

// createTopics makes the topics of an embedded broker: it belongs to this process and has no
// operator who could.
func createTopics(ctx context.Context, o pipeline.Options) error {
	cl, err := app.Client(o.Kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = pipeline.CreateTopics(ctx, kadm.NewClient(cl), o.Topics.Specs(o.Clock), 1)
	return err
}
