package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/demo"
)

func newDemo(g *global) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch a generated storm go through the whole pipeline, on embedded servers",
		Long: `demo runs the service on an embedded broker (in memory) and an embedded ClickHouse, sends it
a generated storm of 40 seconds, answers the pages as a person would, and shows the funnel live.
Without --once stories follow each other, each with the next seed, until Ctrl-C.

It ends with a summary: the funnel as the archive has it, and how well the incidents fit what truly
happened. It fails if an event is missing.`,
		Example: `  quell demo
  quell demo --once --json --events 1000000
  quell demo --once --data .demo && quell sql --data .demo "SELECT * FROM quell.funnel"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDemo(g, &o); err != nil {
				return usage(err)
			}
			cfg, problems := config.Check("the demo's configuration", demo.Configuration(), g.overrides())
			if err := g.explain(problems, cmd.ErrOrStderr()); err != nil {
				return err
			}
			cfg.Log.Level = "warn"
			o.Config, o.Data = cfg, g.data
			return runDemo(cmd.Context(), g, o, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.IntVar(&o.Events, "events", 200_000, "events of a story")
	f.BoolVar(&o.Once, "once", false, "tell one story, wait for what follows, print the summary")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the first story")
	f.StringVar(&o.Truth, "truth", "", "write the truth to this file, as JSON lines; needs --once")
	return c
}

func checkDemo(g *global, o *demo.Options) error {
	switch {
	case g.kafka != "" || g.clickhouse != "":
		return errors.New("a demo brings its own servers: leave out --kafka and --clickhouse, or use " +
			"quell run and quell produce")
	case o.Events < 1 || o.Events > 1_000_000_000:
		return fmt.Errorf("--events %d: a story has 1 to 1000000000 events", o.Events)
	case o.Truth != "" && !o.Once:
		return errors.New("--truth is of one story: add --once")
	}
	return nil
}

// runDemo shows the run on standard output, or on standard error when the summary is for a program.
func runDemo(ctx context.Context, g *global, o demo.Options, stdout io.Writer) error {
	to := os.Stdout
	if g.json {
		to = os.Stderr
	}
	o.Screen = demo.NewScreen(to, os.Getenv)
	defer o.Screen.Close()
	o.Logger = app.Logger(o.Config, o.Screen)
	defer impatience(ctx, o.Screen)()
	s, err := demo.Run(ctx, o)
	o.Screen.Close()
	var incomplete *demo.Incomplete
	if err != nil && !errors.As(err, &incomplete) {
		return err
	}
	if g.json {
		return errors.Join(printJSON(stdout, &s), err)
	}
	printSummary(stdout, &s.Summary)
	printTruth(stdout, &s)
	return err
}

// impatience ends the process on the second interrupt: the first lets the archive catch up.
func impatience(ctx context.Context, screen demo.Screen) (stop func()) {
	again := make(chan os.Signal, 1)
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		select {
		case <-again:
			screen.Close()
			os.Exit(exitFailure)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(again)
		close(done)
	}
}

// printTruth writes how well the incidents fit what truly happened.
func printTruth(w io.Writer, s *demo.Summary) {
	q := &s.Truth
	fmt.Fprintf(w, "\n  %d true incidents: %d found, %d missed; %.2f incidents were made for each\n",
		q.Faults, q.Found, q.Missed, q.IncidentsPerFault)
	fmt.Fprintf(w, "  purity %.3f, adjusted Rand index %.3f\n", q.Purity, q.ARI)
	fmt.Fprintf(w, "  the responder acknowledged %d times and closed %d incidents\n",
		s.Responder.Acknowledged, s.Responder.Resolved)
}
