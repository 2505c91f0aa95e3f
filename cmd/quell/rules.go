package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/pipeline"
)

func newRules(g *global) *cobra.Command {
	c := &cobra.Command{Use: "rules", Short: "Put rules in force by command",
		Example: "  quell rules apply --config quell.yaml", RunE: needs("apply")}
	var wait time.Duration
	apply := &cobra.Command{
		Use:   "apply",
		Short: "Put the configuration's rules in force, whatever is in force now",
		Long: `apply puts the rules and the catalog of the configuration in force in every alerts partition, while
quell runs. Usually nobody needs it: a process that starts with changed rules puts them in force by
itself. But rules that were replaced do not come back by themselves, so that a deployment that is half
rolled out does not go to and fro between old and new; to go back to them is what apply is for. What is
open keeps the terms that it opened with.`,
		Example: `  quell rules apply --config quell.yaml
  quell rules apply --config quell.yaml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var o pipeline.Options
			err := g.onBrokers(cmd, wait, func(cfg *config.Config, b *connect.Brokers) (err error) {
				if o, err = app.Pipeline(cfg, b.Brokers[0]); err != nil {
					return err
				}
				return pipeline.ApplyRules(cmd.Context(), &o)
			})
			if err != nil {
				return err
			}
			hash := o.Correlate.Rules.Hash().String()
			if g.json {
				return printJSON(cmd.OutOrStdout(), map[string]any{"rules": hash,
					"partitions": o.Topics.AlertsPartitions})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "rules %s are in force from here on, in %d partition(s) of %s\n",
				hash, o.Topics.AlertsPartitions, o.Topics.Alerts)
			return nil
		},
	}
	addWait(apply, &wait)
	c.AddCommand(g.withConfig(apply))
	return c
}
