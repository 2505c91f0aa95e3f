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
	"quell/cmd/quell/internal/table"
	"quell/pipeline"
)

func newCheckpoints(g *global) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "checkpoints",
		Short: "Show from where each partition goes on after a restart",
		Long: `checkpoints lists what quell keeps in Kafka about every partition that a role works on: the next
offset to read, the snapshot that a restart begins with, and what they belong to (topic, epoch of the
configuration, rules). A partition's name is <role>/<topic>/<partition>.`,
		Example: `  quell checkpoints --config quell.yaml
  quell checkpoints --config quell.yaml --json
  quell checkpoints reset correlate/quell.alerts/0 --config quell.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.onKafka(cmd, wait, func(ctx context.Context, k *pipeline.Kafka, t *pipeline.Topics) error {
				units, err := pipeline.Units(ctx, k, t)
				if err != nil {
					return err
				}
				return g.printUnits(cmd.OutOrStdout(), units)
			})
		},
	}
	addWait(c, &wait)
	c.AddCommand(newCheckpointsReset(g))
	return g.withConfig(c)
}

func newCheckpointsReset(g *global) *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "reset PARTITION...",
		Short: "Forget checkpoints, so that partitions are rebuilt from the log",
		Long: `reset forgets the checkpoint of partitions, by their names in the list. It is safe while quell
runs: whoever works on the partition begins anew.

  intake     begins where the raw topic begins. What it says again is ignored by its position.
  archive    begins where its topic begins. What ClickHouse holds is left out.
  correlate  folds the alerts topic from its beginning, silently up to the committed position, so that
             nothing is paged twice, and does not compare the result with what was committed. It is what
             ends a divergence.`,
		Example: `  quell checkpoints reset intake/events/3 --config quell.yaml
  quell checkpoints reset correlate/quell.alerts/0 --config quell.yaml --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("name the partitions, such as intake/events/3; `quell checkpoints` lists them"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.onKafka(cmd, wait, func(ctx context.Context, k *pipeline.Kafka, t *pipeline.Topics) error {
				for _, name := range args {
					if err := pipeline.ResetUnit(ctx, k, t, name); err != nil {
						return err
					}
				}
				if g.json {
					return printJSON(cmd.OutOrStdout(), map[string][]string{"reset": args})
				}
				for _, name := range args {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: reset\n", name)
				}
				return nil
			})
		},
	}
	addWait(c, &wait)
	return g.withConfig(c)
}

// onKafka calls f with the configuration's brokers, once they answer, and topics.
func (g *global) onKafka(cmd *cobra.Command, wait time.Duration,
	f func(context.Context, *pipeline.Kafka, *pipeline.Topics) error) error {
	return g.onBrokers(cmd, wait, func(cfg *config.Config, b *connect.Brokers) error {
		all := app.Topics(cfg)
		return f(cmd.Context(), &b.Kafka, &all)
	})
}

// onBrokers calls f with the configuration and its brokers, once they answer.
func (g *global) onBrokers(cmd *cobra.Command, wait time.Duration,
	f func(*config.Config, *connect.Brokers) error) error {
	cfg, err := g.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	b, err := connect.Open(cmd.Context(), cfg, connecting(cmd, cfg, wait))
	if err != nil {
		return err
	}
	return errors.Join(f(cfg, b), b.Close())
}

func (g *global) printUnits(w io.Writer, units []pipeline.Unit) error {
	if g.json {
		if units == nil {
			units = []pipeline.Unit{}
		}
		return printJSON(w, units)
	}
	if len(units) == 0 {
		_, err := fmt.Fprintln(w, "no checkpoints yet")
		return err
	}
	t := table.New(w, []string{"partition", "position", "snapshot", "bytes", "saved", "of", "notes"},
		[]bool{false, true, true, true, false, false, false}, 0)
	for i := range units {
		u := &units[i]
		row := []string{u.Name, fmt.Sprint(u.Position), fmt.Sprint(u.Snapshot), fmt.Sprint(u.Bytes),
			u.Saved.Format(time.RFC3339), u.TopicID, unitNotes(u)}
		if err := t.Row(row); err != nil {
			return err
		}
	}
	return t.Close()
}

// unitNotes says what is particular about a partition.
func unitNotes(u *pipeline.Unit) string {
	switch {
	case u.Inserting > u.Position:
		return fmt.Sprintf("inserting [%d, %d)", u.Position, u.Inserting)
	case u.Epoch != "":
		return "epoch " + u.Epoch
	case u.Rules != "":
		return "rules " + u.Rules[:min(12, len(u.Rules))]
	}
	return ""
}
