package main

import (
	"errors"
	"fmt"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/audit"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/servers"
)

func newAudit(g *global) *cobra.Command {
	var from, to string
	var o audit.Options
	c := &cobra.Command{
		Use:   "audit --config C",
		Short: "Prove that nothing was lost and nothing happened twice",
		Long: `audit compares what Kafka holds with what the archive holds, position by position: every raw
record has exactly one row, every event that was passed on exactly one disposition, every revision
and page is there once in topic and archive, every page is a revision of its incident, and there are
as many pages as the revisions say were sent.

It may run while quell does: the ends of the logs are noted first, and what is on its way then is
waited for. Shown apart and not wrong: absent offsets (transaction markers, aborted records), expired
rows (retention took the record), aged records (the archive's TTL took the row), pending records
(with --wait 0).

Exit code: 0 when nothing is wrong, 1 when something is or the audit could not be made, 2 for a
mistake in the call or the configuration.`,
		Example: `  quell audit --config quell.yaml
  quell audit --config quell.yaml --json --wait 2m
  quell audit --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("audit takes no argument, only flags: what is %q?", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := auditFlags(&o, from, to); err != nil {
				return usage(err)
			}
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			o.Note = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "quell:", text) }
			r, err := runAudit(cmd, cfg, o)
			if err != nil {
				return err
			}
			if g.json {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = r.Print(cmd.OutOrStdout())
			}
			if err == nil && !r.OK {
				return &exitError{code: exitFailure}
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "only records received at this time (RFC 3339) or later")
	f.StringVar(&to, "to", "", "only records received before this time (RFC 3339)")
	f.DurationVar(&o.Wait, "wait", 30*time.Second,
		"how long the archive may take to catch up with the topics' ends")
	f.IntVar(&o.Limit, "limit", 100, "how many findings of each kind are listed")
	f.BoolVar(&o.EveryRecord, "every-record", false,
		"look up every position in Kafka, not only those without a row: reads the whole raw topics")
	return g.withConfig(c)
}

func auditFlags(o *audit.Options, from, to string) error {
	for _, t := range []struct {
		name, value string
		into        *time.Time
	}{{"--from", from, &o.From}, {"--to", to, &o.To}} {
		if t.value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, t.value)
		if err != nil {
			return fmt.Errorf("%s %q is no time; write one such as 2026-11-21T08:00:00Z", t.name, t.value)
		}
		*t.into = at
	}
	switch {
	case !o.To.IsZero() && !o.From.Before(o.To):
		return errors.New("--to is not after --from: nothing lies in between")
	case o.Wait < 0:
		return fmt.Errorf("--wait %v is negative; 0 does not wait", o.Wait)
	case o.Limit < 1:
		return fmt.Errorf("--limit %d: list at least 1 finding of each kind", o.Limit)
	}
	return nil
}

// runAudit connects to both servers, or starts the embedded ones on their directory.
func runAudit(cmd *cobra.Command, cfg *config.Config, o audit.Options) (*audit.Report, error) {
	ctx := cmd.Context()
	cfg.Log.Level = "warn"
	log := app.Logger(cfg, cmd.ErrOrStderr())
	if cfg.ClickHouse.Embedded() {
		if err := archiveIn(cfg.Data); err != nil {
			return nil, err
		}
	}
	brokers, err := connect.Open(ctx, cfg, connect.Options{Wait: 30 * time.Second, Logger: log,
		Note: o.Note})
	if err != nil {
		return nil, err
	}
	set, err := servers.Start(ctx, servers.Want{ClickHouse: cfg.ClickHouse.Embedded(), DataDir: cfg.Data,
		Logger: log})
	if err != nil {
		return nil, errors.Join(err, brokers.Close())
	}
	r, err := auditOn(cmd, cfg, o, brokers, set)
	return r, errors.Join(err, set.Stop(), brokers.Close())
}

func auditOn(cmd *cobra.Command, cfg *config.Config, o audit.Options, brokers *connect.Brokers,
	set *servers.Set) (*audit.Report, error) {
	cl, err := app.Client(brokers.Kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	client, err := app.ClickHouse(cfg, set.ClickHouse)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	o.Kafka, o.Archive, o.Topics, o.Clock = cl, client, app.Topics(cfg), cfg.Clock
	o.TTLDays = int(cfg.ClickHouse.TTL.Std() / (24 * time.Hour))
	r, err := audit.Run(cmd.Context(), o)
	var exception *driver.Exception
	if errors.As(err, &exception) && exception.Code == codeUnknownDatabase {
		err = fmt.Errorf("%w\nthe database %s is not there: `quell run` makes it when it first reaches"+
			" ClickHouse; is this the right server?", err, cfg.ClickHouse.Database)
	}
	return r, err
}
