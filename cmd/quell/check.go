package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/config"
)

func newCheck(g *global) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Validate configuration and rules; report all problems with file:line:column",
		Example: `  quell check --config quell.yaml
  quell check --config quell.yaml --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if g.config == "" {
				return usage(fmt.Errorf("check needs --config: the file to check"))
			}
			_, problems, err := config.Load(g.config, g.overrides())
			if err != nil {
				return usage(err)
			}
			bad := len(problems.Errors())
			if g.json {
				if problems == nil {
					problems = config.Problems{}
				}
				out := struct {
					OK       bool            `json:"ok"`
					Problems config.Problems `json:"problems"`
				}{bad == 0, problems}
				if err := printJSON(cmd.OutOrStdout(), out); err != nil {
					return err
				}
			} else {
				for _, p := range problems {
					fmt.Fprintln(cmd.OutOrStdout(), p)
				}
			}
			switch {
			case bad > 0:
				return &exitError{code: exitFailure}
			case !g.json:
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", g.config)
			}
			return nil
		},
	}
	return g.withConfig(c)
}

func newConfig(g *global) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Print the sample configuration",
		Example: "  quell config sample > quell.yaml"}
	c.AddCommand(&cobra.Command{
		Use:     "sample",
		Short:   "Print a complete, commented configuration: every key with its default",
		Example: "  quell config sample > quell.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Sample())
			return err
		},
	})
	return c
}
