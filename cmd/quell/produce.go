package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/produce"
	"quell/cmd/quell/internal/progress"
	"quell/cmd/quell/internal/topics"
	"quell/correlate"
	"quell/pipeline"
)

// produceFlags are the flags of produce.
type produceFlags struct {
	topic, order string
	rate         int
	wait         time.Duration
}

func newProduce(g *global) *cobra.Command {
	var f produceFlags
	c := &cobra.Command{
		Use:   "produce FILE...",
		Short: "Load files of events (JSON lines or CSV, plain or gzip) into a raw topic",
		Long: `produce loads files into a raw topic: JSON lines or CSV (a line becomes an object of strings),
plain or gzip, - for standard input. Records are keyed by the event's fingerprint, and all events of
one alert go to one partition. A line that the topic's format rejects is loaded too; intake will
reject it with its position.

Under clock: event, records carry the times of their events and lines are ordered by them, which
holds the files in memory (standard input only with --order time). Otherwise lines stream in the
order of the files. Loading a file twice doubles its events.`,
		Example: `  quell produce --config quell.yaml monday.jsonl.gz tuesday.jsonl.gz
  quell produce --config quell.yaml --topic wazuh.alerts --rate 5000 alerts.json
  tail -F alerts.json | quell produce --config quell.yaml --order file -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("produce needs at least one file, or - for standard input"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			o, err := f.options(cfg, args)
			if err != nil {
				return usage(err)
			}
			o.Stdin = cmd.InOrStdin()
			return g.produce(cmd, cfg, o, f.wait)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.topic, "topic", "", "raw topic (default: the first of the configuration)")
	fl.StringVar(&f.order, "order", "", "time or file (default: time under clock: event, else file)")
	fl.IntVar(&f.rate, "rate", 0, "lines a second (default: as fast as it goes)")
	addWait(c, &f.wait)
	return g.withConfig(c)
}

// options checks the flags against the configuration.
func (f *produceFlags) options(cfg *config.Config, files []string) (o produce.Options, err error) {
	raw := app.Topics(cfg).Raw
	i := 0
	if f.topic != "" {
		i = slices.IndexFunc(raw, func(r pipeline.RawTopic) bool { return r.Name == f.topic })
	}
	if i < 0 {
		var names []string
		for _, r := range raw {
			names = append(names, r.Name)
		}
		return o, fmt.Errorf("--topic: %q is none of the configuration's raw topics: %s", f.topic,
			strings.Join(names, ", "))
	}
	if f.rate < 0 {
		return o, fmt.Errorf("--rate %d: write a number of lines a second", f.rate)
	}
	o = produce.Options{Topic: raw[i], Identity: app.Identity(cfg), Clock: cfg.Clock, Files: files,
		Rate: f.rate}
	switch f.order {
	case "":
		o.ByTime = cfg.Clock == correlate.ClockEvent && !slices.Contains(files, "-")
	case "time":
		o.ByTime = true
	case "file":
	default:
		return o, fmt.Errorf("--order %q: write time or file", f.order)
	}
	return o, nil
}

func (g *global) produce(cmd *cobra.Command, cfg *config.Config, o produce.Options,
	wait time.Duration) error {
	ctx := cmd.Context()
	b, err := connect.Open(ctx, cfg, connecting(cmd, cfg, wait))
	if err != nil {
		return err
	}
	o.Kafka = b.Kafka
	if b.Embedded { // it has no operator who would create topics
		err = ensureRaw(ctx, cfg, b.Kafka, o.Topic.Name)
	}
	if err == nil {
		err = g.loadFiles(cmd, o)
	}
	return errors.Join(err, b.Close())
}

// ensureRaw creates a raw topic.
func ensureRaw(ctx context.Context, cfg *config.Config, k pipeline.Kafka, name string) error {
	all := app.Topics(cfg)
	specs := slices.DeleteFunc(all.Specs(cfg.Clock),
		func(s pipeline.TopicSpec) bool { return s.Name != name })
	_, err := topics.Ensure(ctx, k, specs...)
	return err
}

// loadFiles loads and prints what became of the lines, also of a loading that was cut short.
func (g *global) loadFiles(cmd *cobra.Command, o produce.Options) error {
	var bar *progress.Bar
	if !g.json {
		bar = progress.New(cmd.ErrOrStderr())
	}
	o.Progress = bar.Show
	res, err := produce.Run(cmd.Context(), o)
	bar.Done()
	if stopped(cmd.Context(), err) {
		err = fmt.Errorf("stopped: %d lines were acknowledged", res.Lines)
	}
	if g.json {
		return errors.Join(err, printJSON(cmd.OutOrStdout(), res))
	}
	_, printed := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d lines (%d events, %d that its format rejects), "+
		"%.1f MB in %.1f s: %.0f lines/s\n", res.Topic, res.Lines, res.Events, res.Rejected,
		float64(res.Bytes)/1e6, res.Seconds, res.LinesASecond)
	return errors.Join(err, printed)
}
