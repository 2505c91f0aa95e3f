package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/topics"
	"quell/pipeline"
)

func newTopics(g *global) *cobra.Command {
	c := &cobra.Command{Use: "topics", Short: "Create quell's topics",
		Example: "  quell topics create --config quell.yaml", RunE: needs("create")}
	var wait time.Duration
	create := &cobra.Command{
		Use:   "create",
		Short: "Create all topics with the right settings; correct those that exist",
		Long: `create makes every topic of the configuration exist: partitions, kind of timestamps, retention
and cleanup policy. A topic that exists keeps its partitions and its records, and gets the settings
that differ; so it can be run again at any time. A wrong number of partitions is an error.`,
		Example: `  quell topics create --config quell.yaml
  quell topics create --config quell.yaml --kafka kafka-1:9092 --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			results, err := topics.Create(cmd.Context(), cfg, connecting(cmd, cfg, wait))
			return errors.Join(g.printTopics(cmd.OutOrStdout(), results), err)
		},
	}
	addWait(create, &wait)
	c.AddCommand(g.withConfig(create), newTopicsAdopt(g))
	return c
}

func newTopicsAdopt(g *global) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "adopt TOPIC",
		Short: "Accept that a topic of raw events or responses has more partitions than before",
		Long: `adopt accepts the number of partitions that a topic of raw events or responses has now; run
refuses a number that changed until somebody says that it is meant. Producers that key their records
put some keys on other partitions from then on. There the first event of a condition is new once more:
the engine merges it with what it knows by fingerprint, and nothing is lost. Topics of quell's own
cannot have other partitions than they had.`,
		Example: `  quell topics adopt events --config quell.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(errors.New("name one topic, such as events"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.onKafka(cmd, wait, func(ctx context.Context, k *pipeline.Kafka, t *pipeline.Topics) error {
				was, is, err := pipeline.AdoptTopic(ctx, k, t, args[0])
				if err != nil {
					return err
				}
				if g.json {
					return printJSON(cmd.OutOrStdout(), map[string]any{"topic": args[0], "was": was, "partitions": is})
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d partitions, %d before\n", args[0], is, was)
				return nil
			})
		},
	}
	addWait(c, &wait)
	return g.withConfig(c)
}

func (g *global) printTopics(w io.Writer, results []pipeline.TopicResult) error {
	switch {
	case len(results) == 0:
		return nil // Kafka did not answer
	case g.json:
		return printJSON(w, results)
	}
	return topics.Print(w, results)
}

// addWait adds the flag that says how long brokers may take to answer.
func addWait(c *cobra.Command, wait *time.Duration) {
	c.Flags().DurationVar(wait, "wait", 30*time.Second, "how long Kafka may take to answer")
}

// connecting returns how a command connects to Kafka, and tells on stderr why it takes longer.
func connecting(cmd *cobra.Command, cfg *config.Config, wait time.Duration) connect.Options {
	cfg.Log.Level = "warn" // a command's output is its own
	return connect.Options{Wait: wait, Logger: app.Logger(cfg, cmd.ErrOrStderr()),
		Note: func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "quell:", text) }}
}

// noArgs is cobra.NoArgs as an error of the call.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usage(err)
	}
	return nil
}

// needs is what a command does that only has subcommands.
func needs(subcommands string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage(fmt.Errorf("%s has no command %q: write %s", cmd.CommandPath(), args[0],
				subcommands))
		}
		return cmd.Help()
	}
}

// stopped tells the end of ctx from a failure.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
