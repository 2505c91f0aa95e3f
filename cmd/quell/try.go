package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/progress"
	"quell/cmd/quell/internal/try"
)

func newTry(g *global) *cobra.Command {
	var o try.Options
	c := &cobra.Command{
		Use:   "try --config C FILE...",
		Short: "What would quell have made of these events? Runs files through the whole pipeline",
		Long: `try runs files of real events (JSON lines or CSV, plain or gzip, - for standard input) through
the whole pipeline on embedded servers, at full speed but in the events' own time: two days of
alerts take seconds and give the incidents and pages that those two days would have given.

Lines are taken in the order of their times. A line that the topic's format rejects goes with the
line before it. The files are held in memory.`,
		Example: `  quell try --config deploy/examples/ait-ads/quell.yaml alerts.csv.gz
  quell try --config quell.yaml --incidents incidents.jsonl --json monday.jsonl tuesday.jsonl
  quell try --config quell.yaml --data .try monday.jsonl && quell sql --data .try "SELECT * FROM quell.funnel"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(fmt.Errorf("try needs at least one file, or - for standard input"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			cfg.Log.Level = "warn"
			bar := progress.New(os.Stderr)
			o.Config, o.Files, o.Stdin, o.Data = cfg, args, cmd.InOrStdin(), g.data
			o.Logger, o.Progress = app.Logger(cfg, bar), bar.Step
			sum, err := try.Run(cmd.Context(), o)
			bar.Done()
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), sum)
			}
			printSummary(cmd.OutOrStdout(), &sum)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.Topic, "topic", "", "raw topic whose format the files have (default: the first)")
	f.Int32Var(&o.Partitions, "partitions", 0, "partitions of the raw topic (default: the configuration's)")
	f.StringVar(&o.Incidents, "incidents", "", "write one line of JSON per incident to this file")
	return g.withConfig(c)
}

// printSummary writes the funnel for people: each stage with a bar as long as its logarithm, since
// a storm and its pages are five orders of magnitude apart.
func printSummary(w io.Writer, s *try.Summary) {
	fmt.Fprintf(w, "\n  events      %12s  %s\n", grouped(s.Events), logBar(s.Events, s.Events))
	if s.Rejected > 0 {
		fmt.Fprintf(w, "   rejected   %12s\n", grouped(s.Rejected))
	}
	fmt.Fprintf(w, "   duplicates %12s\n", grouped(s.Duplicates))
	fmt.Fprintf(w, "  alerts      %12s  %s\n", grouped(s.Alerts), logBar(s.Alerts, s.Events))
	fmt.Fprintf(w, "  incidents   %12s  %s\n", grouped(s.Incidents), logBar(s.Incidents, s.Events))
	fmt.Fprintf(w, "  pages       %12s  %s\n\n", grouped(s.Pages), logBar(s.Pages, s.Events))
	fmt.Fprintf(w, "  archived    %12s  rows of events in ClickHouse\n", grouped(s.Archived))
	fmt.Fprintf(w, "  compression %11.3f%%  (1 - incidents/events)\n", 100*s.Compression)
	if s.MTTAp50 != nil {
		fmt.Fprintf(w, "  MTTA p50    %12s\n", seconds(s.MTTA))
	}
	if s.MTTRp50 != nil {
		fmt.Fprintf(w, "  MTTR p50    %12s\n", seconds(s.MTTR))
	}
	fmt.Fprintf(w, "  %s events/s, %s in all\n", grouped(uint64(s.EventsPerSecond)), seconds(s.ElapsedSeconds))
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// grouped writes n with a comma every three digits.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// logBar draws n against most on a logarithmic scale, at most 40 columns wide.
func logBar(n, most uint64) string {
	const blocks = "████████████████████████████████████████"
	digits := func(v uint64) (d int) {
		// 4 steps a factor of ten, without a logarithm's last bit: 10, 18, 32, 56, 100 ...
		for ; v >= 10; v /= 10 {
			d += 4
		}
		switch {
		case v >= 6:
			d += 3
		case v >= 3:
			d += 2
		case v >= 2:
			d++
		}
		return d
	}
	if n == 0 || most == 0 {
		return ""
	}
	width := 1 + 39*digits(n)/max(digits(most), 1)
	return blocks[:3*min(width, 40)]
}
