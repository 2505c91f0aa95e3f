package clickhouse

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate/archive"
)

// SchemaVersion is the version of the tables that this quell makes and fills.
const SchemaVersion = 1

//go:embed schema.sql
var schemaSQL string

//go:embed views.sql
var viewsSQL string

const versionTable = "schema_version"

// Migrate makes what is missing: the database, the tables, the views, the retention. It changes
// nothing that it does not know: a table of the same name that differs, or a schema of a newer
// quell, is refused with all differences (FaultStop). It may be called at any time, by several
// processes at once.
func (c *Client) Migrate(ctx context.Context) error {
	if err := c.migrate(ctx); err != nil {
		return c.fault("migrate", err)
	}
	return nil
}

func (c *Client) migrate(ctx context.Context) error {
	db := c.target.Database
	if err := c.root.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+db); err != nil {
		return err
	}
	version := c.table(versionTable)
	if err := c.root.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+version+" (version UInt32, "+
		"applied DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY version"); err != nil {
		return err
	}
	var have uint32
	if err := c.root.QueryRow(ctx, "SELECT max(version) FROM "+version).Scan(&have); err != nil {
		return err
	}
	if have > SchemaVersion {
		return refuse("database %s has schema version %d, made by a newer quell; this one knows "+
			"version %d: run the newer one, or use another database", db, have, SchemaVersion)
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	if err := c.apply(ctx, schemaSQL); err != nil {
		return err
	}
	if err := c.retention(ctx); err != nil {
		return err
	}
	if err := c.tune(ctx); err != nil {
		return err
	}
	if err := c.apply(ctx, viewsSQL); err != nil {
		return err
	}
	if have == SchemaVersion {
		return nil
	}
	return c.root.Exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT %d, now64(3, 'UTC')", version,
		SchemaVersion))
}

func refuse(format string, args ...any) error {
	return &archive.Error{Fault: archive.FaultStop, Err: fmt.Errorf(format, args...)}
}

// apply runs the statements of an SQL file.
func (c *Client) apply(ctx context.Context, text string) error {
	text = strings.NewReplacer("$db", c.target.Database, "$ttl", c.ttl()).Replace(text)
	for _, statement := range statements(text) {
		if err := c.root.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", firstLine(statement), err)
		}
	}
	return nil
}

// statements parts an SQL file at semicolons that end a line, and leaves comment lines out.
func statements(text string) (out []string) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "--") || strings.TrimSpace(line) == "" {
			continue
		}
		b.WriteString(line)
		if strings.HasSuffix(strings.TrimRight(line, "\n"), ";") {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(b.String()), ";"))
			b.Reset()
		}
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (c *Client) ttl() string {
	if c.target.RetentionDays < 0 {
		return ""
	}
	return fmt.Sprintf("TTL archive_day + toIntervalDay(%d)", c.target.RetentionDays)
}

// retention changes the TTL of the tables that have another.
func (c *Client) retention(ctx context.Context) error {
	tables, err := c.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range archive.Tables() {
		engine, change := tables[t.Name].engine, ""
		switch {
		case c.target.RetentionDays < 0 && strings.Contains(engine, " TTL "):
			change = "REMOVE TTL"
		case c.target.RetentionDays > 0 && !strings.Contains(engine+" ", " "+c.ttl()+" "):
			change = "MODIFY " + c.ttl()
		default:
			continue
		}
		if err := c.root.Exec(ctx, "ALTER TABLE "+c.table(t.Name)+" "+change); err != nil {
			return fmt.Errorf("retention of %s: %w", t.Name, err)
		}
	}
	return nil
}

// existing is what the server says of a table.
type existing struct {
	engine    string // with its clauses
	partition string
	columns   map[string]string // types by name
}

func (c *Client) tables(ctx context.Context) (map[string]existing, error) {
	out := map[string]existing{}
	rows, err := c.root.Query(ctx, "SELECT name, engine_full, partition_key FROM system.tables "+
		"WHERE database = @db", driver.Named("db", c.target.Database))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		t := existing{columns: map[string]string{}}
		if err := rows.Scan(&name, &t.engine, &t.partition); err != nil {
			return nil, err
		}
		out[name] = t
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	columns, err := c.root.Query(ctx, "SELECT table, name, type FROM system.columns "+
		"WHERE database = @db AND default_kind = ''", driver.Named("db", c.target.Database))
	if err != nil {
		return nil, err
	}
	defer columns.Close()
	for columns.Next() {
		var table, name, typ string
		if err := columns.Scan(&table, &name, &typ); err != nil {
			return nil, err
		}
		if t, ok := out[table]; ok {
			t.columns[name] = typ
		}
	}
	return out, columns.Err()
}

// verify refuses tables that exist and could not be filled exactly.
func (c *Client) verify(ctx context.Context) error {
	tables, err := c.tables(ctx)
	if err != nil {
		return err
	}
	var problems []string
	for _, t := range archive.Tables() {
		if have, ok := tables[t.Name]; ok {
			problems = append(problems, differences(&t, &have)...)
		}
	}
	if len(problems) > 0 {
		return refuse("database %s has tables that this quell did not make so: %s; rename or drop "+
			"them, or use another database", c.target.Database, strings.Join(problems, "; "))
	}
	return nil
}

// differences lists what is wrong with a table. Columns that an operator added are no difference if
// they have a default, which the query in tables leaves out.
func differences(want *archive.Table, have *existing) (out []string) {
	problem := func(format string, args ...any) {
		out = append(out, want.Name+": "+fmt.Sprintf(format, args...))
	}
	if !strings.Contains(have.engine, "MergeTree") {
		problem("is a %s, must be a MergeTree", firstWord(have.engine))
		return out
	}
	if have.partition != "archive_day" {
		problem("is partitioned by %q, must be by archive_day, or an insert would not be atomic",
			have.partition)
	}
	if !remembersTokens(have.engine) {
		problem("has no non_replicated_deduplication_window, so that a repeated insert would double")
	}
	known := map[string]bool{}
	for _, col := range want.Columns {
		known[col.Name] = true
		switch typ := have.columns[col.Name]; typ {
		case col.SQLType():
		case "":
			problem("has no column %s %s", col.Name, col.SQLType())
		default:
			problem("column %s is %s, must be %s", col.Name, typ, col.SQLType())
		}
	}
	for name, typ := range have.columns {
		if !known[name] {
			problem("has a column %s %s without a default", name, typ)
		}
	}
	slices.Sort(out)
	return out
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// remembersTokens tells whether a table deduplicates: replicated ones do by themselves.
func remembersTokens(engine string) bool {
	if strings.HasPrefix(engine, "Replicated") || strings.HasPrefix(engine, "Shared") {
		return true
	}
	_, value, ok := strings.Cut(engine, "non_replicated_deduplication_window = ")
	if !ok {
		return false
	}
	value, _, _ = strings.Cut(value, ",")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	return err == nil && n > 0
}
