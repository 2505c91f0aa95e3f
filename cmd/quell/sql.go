package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/query"
	"quell/cmd/quell/internal/servers"
	"quell/sinks/clickhouse"
	"quell/sinks/clickhouse/embedded"
)

// cellOnTerminal is how many characters of a cell a terminal shows.
const cellOnTerminal = 60

func newSQL(g *global) *cobra.Command {
	var asCSV bool
	c := &cobra.Command{
		Use:   `sql "SELECT ..."`,
		Short: "Ask the archive in ClickHouse's SQL",
		Long: `sql asks the archive, with its database as the current one, and prints a table; --json prints one
JSON object a row, --csv CSV with a header. With - the statement is read from standard input.
Tables: events, rejected, dispositions, incident_revisions, pages, responses; SHOW TABLES lists the
views too. An embedded archive is asked through the process that runs it, else opened for the
statement.`,
		Example: `  quell sql "SELECT service, count() AS events FROM events GROUP BY service ORDER BY events DESC"
  quell sql --config quell.yaml --json "SELECT verdict, count() AS n FROM events GROUP BY verdict"
  quell sql --clickhouse http://clickhouse:8123 - < report.sql`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(errors.New(`sql needs one statement in quotes, or - for standard input`))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := g.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			form := query.Table
			switch {
			case g.json && asCSV:
				return usage(errors.New("--json and --csv: choose one"))
			case g.json:
				form = query.JSON
			case asCSV:
				form = query.CSV
			}
			statement, err := statementOf(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			return ask(cmd, cfg, statement, form)
		},
	}
	c.Flags().BoolVar(&asCSV, "csv", false, "print CSV with a header")
	return g.withConfig(c)
}

// statementOf returns the statement without the semicolon that people end it with.
func statementOf(arg string, stdin io.Reader) (string, error) {
	if arg == "-" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return "", fmt.Errorf("standard input: %w", err)
		}
		arg = string(text)
	}
	arg = strings.TrimRight(strings.TrimSpace(arg), "; \t\r\n")
	if arg == "" {
		return "", usage(errors.New("the statement is empty"))
	}
	return arg, nil
}

// ask runs the statement on the archive. It creates nothing: not the schema, and not the directory
// of an embedded archive that never was.
func ask(cmd *cobra.Command, cfg *config.Config, statement string, form query.Form) error {
	cfg.Log.Level = "warn"
	want := servers.Want{ClickHouse: cfg.ClickHouse.Embedded(), DataDir: cfg.Data,
		Logger: app.Logger(cfg, cmd.ErrOrStderr())}
	if want.ClickHouse {
		if err := archiveIn(cfg.Data); err != nil {
			return err
		}
	}
	set, err := servers.Start(cmd.Context(), want)
	if err != nil {
		return err
	}
	client, err := app.ClickHouse(cfg, set.ClickHouse)
	if err != nil {
		return errors.Join(err, set.Stop())
	}
	err = printAnswer(cmd, client, statement, form)
	var exception *driver.Exception
	if errors.As(err, &exception) && exception.Code == codeUnknownDatabase {
		err = fmt.Errorf("%w\nthe database %s is not there: `quell run` makes it when it first reaches"+
			" ClickHouse; is this the right server?", err, cfg.ClickHouse.Database)
	}
	return errors.Join(err, client.Close(), set.Stop())
}

const codeUnknownDatabase = 81

// archiveIn says what to do when the directory holds no embedded archive.
func archiveIn(data string) error {
	if _, err := embedded.ReadAddress(data); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(data, "clickhouse")); err != nil {
		return fmt.Errorf("there is no archive in %s: `quell run`, `quell demo` and `quell try` make one;"+
			" name its directory with --data, or a server with --clickhouse", data)
	}
	return nil
}

func printAnswer(cmd *cobra.Command, client *clickhouse.Client, statement string,
	form query.Form) error {
	res, err := client.Query(cmd.Context(), statement)
	if err != nil {
		return err
	}
	columns := make([]query.Column, len(res.Columns))
	for i, c := range res.Columns {
		columns[i] = query.Column{Name: c.Name, Type: c.Type}
	}
	out, most := cmd.OutOrStdout(), 0
	if f, ok := out.(*os.File); ok && form == query.Table && term.IsTerminal(int(f.Fd())) {
		most = cellOnTerminal
	}
	_, err = query.Write(out, columns, query.Rows(res.All()), form, most)
	return errors.Join(err, res.Close())
}
