package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/tap"
)

func newTap(g *global) *cobra.Command {
	var o tap.Options
	var from string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "tap TOPIC",
		Short: "Show what lies on one of quell's topics, decoded, as JSON lines, live",
		Long: `tap shows the records of one of quell's topics as they come, each as one line of JSON: topic,
partition, offset, time, key, and what the record says: event, alert, tick, incident, page, block
of rows, and so on. Only what transactions have committed is shown, and nothing is changed.`,
		Example: `  quell tap quell.pages --config quell.yaml
  quell tap quell.alerts --from start --count 10 | jq .alert
  quell tap quell.events --partition 2 --from 1000`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(errors.New("tap needs one topic, such as quell.pages"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.From, err = tap.ParseFrom(from); err != nil {
				return usage(fmt.Errorf("--from: %w", err))
			}
			o.Topic, o.Topics, o.Out = args[0], app.Topics(cfg), cmd.OutOrStdout()
			if err := tap.Check(o.Topics, o.Topic); err != nil {
				return usage(err)
			}
			b, err := connect.Open(cmd.Context(), cfg, connecting(cmd, cfg, wait))
			if err != nil {
				return err
			}
			if b.Owned {
				fmt.Fprintf(cmd.ErrOrStderr(), "quell: no broker runs on %s: this command does until it"+
					" ends, and so does whatever attaches to it\n", cfg.Data)
			}
			o.Kafka = b.Kafka
			return errors.Join(tap.Run(cmd.Context(), o), b.Close())
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "end", "start, end or an offset")
	f.Int32Var(&o.Partition, "partition", tap.AllPartitions, "only this partition (default: all)")
	f.Int64Var(&o.Count, "count", 0, "end after so many records (default: never)")
	addWait(c, &wait)
	return g.withConfig(c)
}
