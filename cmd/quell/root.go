package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/config"
)

// global is what the flags that every command has say.
type global struct {
	config     string
	kafka      string
	clickhouse string
	data       string
	json       bool
}

func newRoot() *cobra.Command {
	g := new(global)
	root := &cobra.Command{
		Use:   "quell",
		Short: "Turns storms of monitoring events into few pages, and keeps every event",
		Long: `quell reads raw monitoring events from Kafka, deduplicates them, correlates them into
incidents, filters by severity, pages, and archives every event in ClickHouse.`,
		Example: `  quell demo --once
  quell config sample > quell.yaml
  quell run --config quell.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&g.kafka, "kafka", "", "brokers, host:port with commas, or embedded; overrides the configuration")
	f.StringVar(&g.clickhouse, "clickhouse", "",
		"clickhouse://host:9000, http(s)://host:8123 or embedded; overrides the configuration")
	f.StringVar(&g.data, "data", "", "directory of the embedded servers (default "+config.DefaultData+")")
	f.BoolVar(&g.json, "json", false, "print results as JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(newRun(g), newDemo(g), newTry(g), newCheck(g), newConfig(g), newTopics(g),
		newCheckpoints(g), newRules(g), newProduce(g), newTap(g), newSQL(g), newDev(g), newAudit(g), newBench(g),
		newBenchPart(), newVersion(g))
	for _, c := range root.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			onlyGroup(c)
		}
	}
	onlyGroup(root)
	return root
}

// onlyGroup makes a command that has only others below it show its help, and refuse a name that is
// none of theirs as an error of the call.
func onlyGroup(c *cobra.Command) {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage(fmt.Errorf("%s has no command %q; see %[1]s --help", cmd.CommandPath(), args[0]))
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// withConfig adds the flag --config.
func (g *global) withConfig(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&g.config, "config", "c", "", "configuration file (default: the defaults)")
	return c
}

// overrides are what the flags say over the configuration.
func (g *global) overrides() config.Overrides {
	return config.Overrides{Kafka: g.kafka, ClickHouse: g.clickhouse, Data: g.data, Getenv: os.LookupEnv}
}

// load reads the configuration and prints its problems to stderr. A configuration that cannot be
// used is a usage error.
func (g *global) load(stderr io.Writer) (*config.Config, error) {
	if g.config == "" {
		// The sample is the defaults, and reads QUELL_KAFKA and QUELL_CLICKHOUSE.
		c, problems := config.Check("(defaults)", config.Sample(), g.overrides())
		return c, g.explain(problems, stderr)
	}
	c, problems, err := config.Load(g.config, g.overrides())
	if err != nil {
		return nil, usage(err)
	}
	return c, g.explain(problems, stderr)
}

func (g *global) explain(problems config.Problems, stderr io.Writer) error {
	for _, p := range problems {
		fmt.Fprintln(stderr, p)
	}
	if n := len(problems.Errors()); n > 0 {
		return usage(fmt.Errorf("the configuration has %d problem(s)", n))
	}
	return nil
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
