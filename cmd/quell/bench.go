package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/bench"
	"quell/cmd/quell/internal/config"
)

func newBench(g *global) *cobra.Command {
	o := bench.Options{}
	var checkpoints string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure every stage of the pipeline on this machine",
		Long: `bench produces a workload to a topic and drains it stage by stage, each in a process of its own:
a bare consumer that discards (the limit), intake, correlate, archive, and all of them at once. Then
it measures page latency under load, from timestamps of the log. Broker and ClickHouse engine run
as processes of their own; their processor time stands beside quell's.

The broker is the embedded one unless --kafka names another (host:port), or says start: then an
Apache Kafka is started for the run, from the repository's .cache (make setup). What the run creates
there has names of its own and is deleted at the end.

Workloads: storm (nine of ten events repeat a known alert), distinct, trickle, flapping, huge,
adversarial. The same seed gives the same events. The method is told in the comment of the package
cmd/quell/internal/bench. It takes about a minute.`,
		Example: `  quell bench
  quell bench --workload distinct --json
  quell bench --events 10000000 --rules 2000 --partitions 40
  quell bench --kafka start --peers
  quell bench --profiles /tmp/profiles && go tool pprof -top /tmp/profiles/intake.cpu.pprof`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := benchFlags(g, &o, checkpoints); err != nil {
				return usage(err)
			}
			o.Command = "quell " + strings.Join(os.Args[1:], " ")
			began := time.Now()
			o.Note = func(text string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "quell: %4.0f s  %s\n", time.Since(began).Seconds(), text)
			}
			r, err := bench.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), r)
			}
			return r.Print(cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Workload, "workload", "storm", "storm, distinct, trickle, flapping, huge or adversarial")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the workload")
	f.IntVar(&o.Events, "events", 0, "events of the workload (default: its own number, a million of storm)")
	f.IntVar(&o.Fingerprints, "fingerprints", 0, "distinct alerts (default: the workload's part of the events)")
	f.IntVar(&o.Partitions, "partitions", 4, "partitions of the raw topic")
	f.IntVar(&o.Rules, "rules", 200, "correlation rules")
	f.IntVar(&o.Rate, "rate", 0, "background events/s for page latency (default: 100000, or less if "+
		"the machine can't)")
	f.StringVar(&checkpoints, "checkpoints", "on", "off leaves them out, to see what they cost")
	f.BoolVar(&o.Peers, "peers", false, "run Bento and SEC over the same events, if they are on PATH")
	f.StringVar(&o.Profiles, "profiles", "", "directory for processor and allocation profiles of each stage")
	return c
}

func benchFlags(g *global, o *bench.Options, checkpoints string) error {
	switch {
	case checkpoints != "on" && checkpoints != "off":
		return fmt.Errorf("--checkpoints %q: write on or off", checkpoints)
	case g.clickhouse != "" || g.data != "":
		return errors.New("a benchmark brings its own ClickHouse engine and keeps nothing: leave out " +
			"--clickhouse and --data")
	}
	o.Checkpoints, o.Version, o.Kafka = checkpoints == "on", version, g.kafka
	if o.Kafka == config.Embedded {
		o.Kafka = ""
	}
	return o.Check()
}

// newBenchPart is how bench runs what it measures in processes of their own.
func newBenchPart() *cobra.Command {
	return &cobra.Command{Use: bench.PartCommand, Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := config.Default()
			c.Log.Level = "warn"
			return bench.RunPart(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), app.Logger(c, cmd.ErrOrStderr()),
				app.TuneMemory) // as run does
		}}
}
