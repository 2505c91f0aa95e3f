package clickhouse_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/sinks/clickhouse"
)

// TestSchemaHoldsWhatSectionsBring: the tables have the columns of the sections, in their order.
func TestSchemaHoldsWhatSectionsBring(t *testing.T) {
	o := options()
	c := migrated(t, o)
	for _, table := range archive.Tables() {
		var want [][]any
		for _, col := range table.Columns {
			want = append(want, []any{col.Name, col.SQLType()})
		}
		wantRows(t, c, "SELECT name, type FROM system.columns WHERE database = '"+o.Database+
			"' AND table = '"+table.Name+"' ORDER BY position", want...)
	}
}

func TestMigrateAgainChangesNothing(t *testing.T) {
	o := options()
	c := migrated(t, o)
	b := archive.Batch{Table: archive.TableEvents, Token: "t",
		Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 10)}}
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	const schema = "SELECT name, create_table_query FROM system.tables WHERE database = " +
		"currentDatabase() ORDER BY name"
	before := ask(t, c, schema)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := c.Migrate(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantRows(t, c, schema, before...)
	wantRows(t, c, "SELECT count() FROM events", []any{uint64(10)})
	wantRows(t, c, "SELECT DISTINCT version FROM schema_version", []any{uint32(1)})
}

// TestViewsComeBack: a dropped view is made again, a changed one replaced.
func TestViewsComeBack(t *testing.T) {
	c := migrated(t, options())
	run(t, c, "DROP VIEW funnel")
	run(t, c, "CREATE OR REPLACE VIEW incidents AS SELECT 1 AS one")
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRows(t, c, "SELECT events FROM funnel", []any{uint64(0)})
	wantRows(t, c, "SELECT incident FROM incidents")
}

func TestMigrateRefuses(t *testing.T) {
	const window = " SETTINGS non_replicated_deduplication_window = 10"
	for _, test := range []struct {
		name  string
		setup []string // after a migration
		want  []string // in the error
	}{
		{"another type and a missing column",
			[]string{"DROP TABLE responses", "CREATE TABLE responses (offset UInt64, archive_day Date) " +
				"ENGINE = MergeTree PARTITION BY archive_day ORDER BY offset" + window},
			[]string{"responses: column offset is UInt64, must be Int64",
				"responses: has no column outcome Enum8("}},
		{"a partition that would part an insert",
			[]string{"DROP TABLE pages", "CREATE TABLE pages AS responses ENGINE = MergeTree " +
				"PARTITION BY topic ORDER BY offset" + window},
			[]string{`pages: is partitioned by "topic", must be by archive_day`}},
		{"a table that forgets tokens",
			[]string{"DROP TABLE rejected", "CREATE TABLE rejected (offset Int64, archive_day Date) " +
				"ENGINE = MergeTree PARTITION BY archive_day ORDER BY offset"},
			[]string{"rejected: has no non_replicated_deduplication_window"}},
		{"another engine",
			[]string{"DROP TABLE events", "CREATE TABLE events (offset Int64) ENGINE = Memory"},
			[]string{"events: is a Memory, must be a MergeTree"}},
		{"a column that inserts would leave out",
			[]string{"ALTER TABLE events ADD COLUMN extra String"},
			[]string{"events: has a column extra String without a default"}},
		{"a newer schema", []string{"INSERT INTO schema_version VALUES (99, now64(3))"},
			[]string{"schema version 99", "newer quell"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := migrated(t, options())
			for _, statement := range test.setup {
				run(t, c, statement)
			}
			err := c.Migrate(t.Context())
			if archive.FaultOf(err) != archive.FaultStop {
				t.Fatalf("%v (%v), want a stop", err, archive.FaultOf(err))
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

// TestMigrateTakesOperatorsColumns: what has a default is none of our business.
func TestMigrateTakesOperatorsColumns(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			c := migrated(t, o)
			run(t, c, "ALTER TABLE events ADD COLUMN env LowCardinality(String) DEFAULT labels['env']")
			run(t, c, "ALTER TABLE events ADD COLUMN team String MATERIALIZED labels['team']")
			if err := c.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			b := archive.Batch{Table: archive.TableEvents, Token: "t",
				Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 3)}}
			if err := c.Insert(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			wantRows(t, c, "SELECT env, team FROM events ORDER BY offset", []any{"", ""},
				[]any{"prod", ""}, []any{"prod", "a"})
		})
	}
}

func TestRetention(t *testing.T) {
	o := options()
	for _, step := range []struct {
		days int
		ttl  string
	}{{0, "TTL archive_day + toIntervalDay(90)"}, {7, "TTL archive_day + toIntervalDay(7)"},
		{-1, ""}, {70, "TTL archive_day + toIntervalDay(70)"}} {
		o.RetentionDays = step.days
		c := migrated(t, o)
		for _, row := range ask(t, c, "SELECT engine_full, name FROM system.tables WHERE database = "+
			"currentDatabase() AND engine = 'MergeTree' AND name != 'schema_version'") {
			engine := row[0].(string)
			if step.ttl == "" && strings.Contains(engine, "TTL") ||
				!strings.Contains(engine+" ", step.ttl+" ") {
				t.Errorf("%v with a retention of %d days is %q", row[1], step.days, engine)
			}
		}
	}
}

// TestRetentionCountsFromArchiving: rows archived long ago go, old events archived today stay.
func TestRetentionCountsFromArchiving(t *testing.T) {
	c := migrated(t, options())
	long := archivetest.Origin("raw", 0)
	long.Day = 10 // 1970-01-11
	today := archivetest.Origin("raw", 1)
	today.Day = uint16(ask(t, c, "SELECT toUInt16(today())")[0][0].(uint16))
	for i, o := range []archive.Origin{long, today} {
		b := archive.Batch{Table: archive.TableEvents, Token: string(rune('a' + i)),
			Sections: []archive.Section{archivetest.Events(o, 0, 5)}} // of the year 2001
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	run(t, c, "OPTIMIZE TABLE events FINAL")
	wantRows(t, c, "SELECT partition, count(), max(toYear(time)) FROM events GROUP BY partition",
		[]any{int32(1), uint64(5), uint16(2001)})
}

// TestShorterRetention reaches what is archived already.
func TestShorterRetention(t *testing.T) {
	o := options()
	c := migrated(t, o)
	origin := archivetest.Origin("raw", 0)
	today := ask(t, c, "SELECT toUInt16(today())")[0][0].(uint16)
	for age := uint16(0); age <= 20; age += 10 {
		origin.Day = today - age
		b := archive.Batch{Table: archive.TableEvents, Token: fmt.Sprint(age),
			Sections: []archive.Section{archivetest.Events(origin, int64(age), 1)}}
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, c, "SELECT count() FROM events", []any{uint64(3)})
	o.RetentionDays = 15
	c = migrated(t, o)
	for left := uint64(0); left != 2; left = ask(t, c, "SELECT count() FROM events")[0][0].(uint64) {
		if t.Context().Err() != nil {
			t.Fatal("the row of 20 days ago does not go")
		}
		run(t, c, "OPTIMIZE TABLE events FINAL")
	}
	wantRows(t, c, "SELECT max(today() - archive_day) FROM events", []any{int32(10)})
}

func TestInsertNeedsTheSchema(t *testing.T) {
	for _, way := range ways[:3:3] {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			b := archive.Batch{Table: archive.TableEvents, Token: "t",
				Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 3)}}
			c := open(t, o)
			for _, step := range []string{"no database", "no table", "no column", "another type"} {
				err := c.Insert(t.Context(), b)
				if archive.FaultOf(err) != archive.FaultStop {
					t.Errorf("%s: %v (%v), want a stop", step, err, archive.FaultOf(err))
				}
				breakSchema(t, c, step)
			}
		})
	}
}

// breakSchema makes the state that comes after a step of TestInsertNeedsTheSchema.
func breakSchema(t *testing.T, c *clickhouse.Client, step string) {
	t.Helper()
	switch step {
	case "no database":
		if err := c.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, c, "DROP TABLE events")
	case "no table":
		if err := c.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, c, "ALTER TABLE events DROP COLUMN url")
	case "no column":
		run(t, c, "ALTER TABLE events ADD COLUMN url Array(String)")
	}
}
