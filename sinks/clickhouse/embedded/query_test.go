package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestEmptyAnswers(t *testing.T) {
	srv := start(t, Options{})
	each(t, ways, func(t *testing.T, w way) {
		c := srv.open(w)
		for _, sql := range []string{
			"SELECT number AS n, 'x' AS s FROM numbers(0)",
			"WITH 1 AS one SELECT one FROM numbers(0) FORMAT Native",
			"SELECT number FROM numbers(0) SETTINGS max_threads = 1; ",
			"SHOW TABLES LIKE 'nothing%'",
			"DESCRIBE TABLE (SELECT 1 AS a)",
		} {
			rows, err := c.Query(t.Context(), sql)
			if err != nil {
				t.Errorf("%s: %v", sql, err)
				continue
			}
			if rows.Next() != strings.HasPrefix(sql, "DESCRIBE") {
				t.Errorf("%s: wrong number of rows", sql)
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if n := count(t, c, "SELECT count() FROM numbers(0)"); n != 0 {
			t.Errorf("count of nothing is %d", n)
		}
	})
}

func TestColumnsOfAnEmptyAnswerOverTCP(t *testing.T) {
	srv := start(t, Options{})
	rows, err := srv.open(ways[0]).Query(t.Context(),
		"SELECT number AS n, 'x' AS s FROM numbers({top:UInt64})", clickhouse.Named("top", 0))
	must(t, err)
	defer rows.Close()
	if got := fmt.Sprint(rows.Columns()); got != "[n s]" {
		t.Errorf("columns %s, want [n s]", got)
	}
}

func TestExceptions(t *testing.T) {
	srv := start(t, Options{})
	each(t, ways, func(t *testing.T, w way) {
		c := srv.open(w)
		for _, test := range []struct {
			name, sql string
			code      int32
		}{
			{"unknown table", "SELECT * FROM nope", 60},
			{"unknown database", "SELECT * FROM nope.nope", 81},
			{"not SQL", "SELEC 1 FRM", 62},
			{"in the middle of an answer",
				"SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS" +
					" max_block_size = 65536", 395},
			{"too deep",
				"SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000), 306},
			{"two statements", "SELECT 1; SELECT 2", 62},
			{"raw state of an aggregate", "SELECT uniqState(number) FROM numbers(3)", 48},
			{"time limit", endless + " SETTINGS max_execution_time = 0.1", 159},
		} {
			rows, err := c.Query(t.Context(), test.sql)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			var ex *clickhouse.Exception
			if !errors.As(err, &ex) || ex.Code != test.code {
				t.Errorf("%s: got %.200v, want exception %d", test.name, err, test.code)
			}
			must(t, c.Ping(t.Context()))
		}
		_, err := c.PrepareBatch(t.Context(), "INSERT INTO nope2")
		wantCode(t, err, 60)
	})
}

func TestSettingsHoldForOneStatement(t *testing.T) {
	srv := start(t, Options{})
	each(t, protocols, func(t *testing.T, w way) {
		o := srv.options(w)
		o.MaxOpenConns = 1
		c := srv.dial(o)
		get := func(ctx context.Context, name string) (v string) {
			must(t, c.QueryRow(ctx, "SELECT toString(getSetting('"+name+"'))").Scan(&v))
			return v
		}
		usual := get(t.Context(), "max_block_size")
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{
			"max_block_size": 1234, "log_comment": "it's mine", "readonly": 1}))
		if v := get(ctx, "max_block_size"); v != "1234" {
			t.Errorf("max_block_size is %s", v)
		}
		if v := get(ctx, "log_comment"); !strings.HasPrefix(v, "it's mine") {
			t.Errorf("log_comment is %q", v)
		}
		wantCode(t, c.Exec(ctx, "CREATE TABLE ro (a UInt8) ENGINE = Memory"), 164)
		if v := get(t.Context(), "max_block_size"); v != usual {
			t.Errorf("afterwards max_block_size is %s, want %s", v, usual)
		}
		if v := get(t.Context(), "readonly"); v != "0" {
			t.Errorf("afterwards readonly is %s", v)
		}
		bad := clickhouse.Context(t.Context(), clickhouse.WithSettings(
			clickhouse.Settings{"no_such_setting": 1}))
		wantCode(t, c.Exec(bad, "SELECT 1"), 115)
		must(t, c.Ping(t.Context()))
	})
}

func TestParameters(t *testing.T) {
	srv := start(t, Options{})
	each(t, protocols, func(t *testing.T, w way) {
		o := srv.options(w)
		o.MaxOpenConns = 1
		c := srv.dial(o)
		awkward := "it's\ta \\ line\nand \x00 more"
		var s string
		var list []uint64
		must(t, c.QueryRow(t.Context(), "SELECT {s:String}, {l:Array(UInt64)}",
			clickhouse.Named("s", awkward), clickhouse.Named("l", []uint64{7, 8})).Scan(&s, &list))
		if s != awkward || fmt.Sprint(list) != "[7 8]" {
			t.Errorf("got %q and %v", s, list)
		}
		raw := clickhouse.Context(t.Context(), clickhouse.WithParameters(
			clickhouse.Parameters{"s": "plain", "l": "[1]"}))
		must(t, c.QueryRow(raw, "SELECT {s:String}, {l:Array(UInt64)}").Scan(&s, &list))
		if s != "plain" || fmt.Sprint(list) != "[1]" {
			t.Errorf("got %q and %v", s, list)
		}
		// A parameter holds for one statement.
		wantCode(t, c.QueryRow(clickhouse.Context(t.Context(), clickhouse.WithParameters(
			clickhouse.Parameters{"other": "1"})), "SELECT {s:String}").Scan(&s), 456)
		must(t, c.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS p (s String) ENGINE = Memory"))
		must(t, c.Exec(t.Context(), "INSERT INTO p VALUES ({v:String})", clickhouse.Named("v",
			awkward)))
		if n := count(t, c, "SELECT count() FROM p WHERE s LIKE 'it%more'"); n == 0 {
			t.Error("the row inserted by parameter is missing")
		}
	})
}

// waitFor waits for a condition.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

const endless = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"

func TestClientsThatLeaveHaveTheirStatementsKilled(t *testing.T) {
	srv := start(t, Options{})
	watcher := srv.open(ways[0])
	underway := func(what string) uint64 {
		return count(t, watcher, "SELECT count() FROM system.processes WHERE query LIKE '%"+what+
			"%' AND query NOT LIKE '%system.processes%'")
	}
	streaming := "SELECT number, sleepEachRow(0.001) FROM numbers(1000001) SETTINGS" +
		" max_block_size = 10"
	each(t, ways[:4], func(t *testing.T, w way) {
		for name, sql := range map[string]string{"computing": endless, "streaming": streaming} {
			what := map[string]string{"computing": "1000000000000", "streaming": "1000001"}[name]
			c := srv.open(w)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				rows, err := c.Query(ctx, sql)
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
					rows.Close()
				}
				done <- err
			}()
			waitFor(t, name+" begins", func() bool { return underway(what) == 1 })
			cancel()
			if err := <-done; err == nil {
				t.Errorf("%s: no error", name)
			}
			waitFor(t, name+" is killed", func() bool { return underway(what) == 0 })
			must(t, c.Ping(t.Context()))
		}
	})
}

func TestBigAnswersStream(t *testing.T) {
	srv := start(t, Options{})
	const n = 100_000
	each(t, ways[:6], func(t *testing.T, w way) {
		rows, err := srv.open(w).Query(t.Context(), fmt.Sprintf(
			"SELECT number, toString(number), toLowCardinality(toString(number %% 100)), [number],"+
				" map('k', number) FROM numbers(%d) SETTINGS max_block_size = 5000", n))
		must(t, err)
		defer rows.Close()
		var sum, rowsSeen uint64
		for rows.Next() {
			var a uint64
			var s, lc string
			var list []uint64
			var m map[string]uint64
			must(t, rows.Scan(&a, &s, &lc, &list, &m))
			sum += list[0] + m["k"]
			rowsSeen++
		}
		must(t, rows.Err())
		if rowsSeen != n || sum != n*(n-1) {
			t.Errorf("%d rows, sum %d", rowsSeen, sum)
		}
	})
}

func TestManyClientsAtOnce(t *testing.T) {
	srv := start(t, Options{})
	setup := srv.open(ways[0])
	must(t, setup.Exec(t.Context(), "CREATE TABLE many (who UInt64, n UInt64) ENGINE = MergeTree"+
		" ORDER BY (who, n)"))
	var wg sync.WaitGroup
	for who := range 12 {
		c := srv.open(ways[who%len(ways)])
		wg.Go(func() {
			for round := range 5 {
				batch, err := c.PrepareBatch(t.Context(), "INSERT INTO many")
				if err != nil {
					t.Error(err)
					return
				}
				for i := range 100 {
					if err := batch.Append(uint64(who), uint64(round*100+i)); err != nil {
						t.Error(err)
					}
				}
				if err := batch.Send(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, setup, "SELECT uniqExact(who, n) FROM many"); n != 12*500 {
		t.Errorf("%d rows, want %d", n, 12*500)
	}
}

// A TCP connection is a session.
func TestTemporaryTablesOverTCP(t *testing.T) {
	srv := start(t, Options{})
	o := srv.options(ways[0])
	o.MaxOpenConns = 1
	c := srv.dial(o)
	must(t, c.Exec(t.Context(), "CREATE TEMPORARY TABLE tmp (n UInt8)"))
	must(t, c.Exec(t.Context(), "INSERT INTO tmp VALUES (1), (2)"))
	if n := count(t, c, "SELECT count() FROM tmp"); n != 2 {
		t.Errorf("%d rows", n)
	}
	if err := srv.open(ways[0]).Exec(t.Context(), "SELECT * FROM tmp"); err == nil {
		t.Error("another connection sees the temporary table")
	}
}

// States of aggregates stay in the engine; what they say comes out.
func TestAggregateFunctions(t *testing.T) {
	srv := start(t, Options{})
	setup := srv.open(ways[0])
	for _, sql := range []string{
		"CREATE TABLE raw (at DateTime64(3, 'UTC'), id UInt64) ENGINE = MergeTree ORDER BY at",
		"CREATE TABLE minutes (minute DateTime('UTC'), n SimpleAggregateFunction(sum, UInt64)," +
			" ids AggregateFunction(uniqCombined(15), UInt64)) ENGINE = AggregatingMergeTree" +
			" ORDER BY minute",
		"CREATE MATERIALIZED VIEW minutes_mv TO minutes AS SELECT" +
			" toStartOfMinute(toDateTime(at, 'UTC'))" +
			" AS minute, count() AS n, uniqCombinedState(15)(id) AS ids FROM raw GROUP BY minute",
		"INSERT INTO raw SELECT toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number," +
			" number % 7" +
			" FROM numbers(120)",
	} {
		must(t, setup.Exec(t.Context(), sql))
	}
	each(t, ways[:6], func(t *testing.T, w way) {
		var n, ids uint64
		c := srv.open(w)
		must(t, c.QueryRow(t.Context(), "SELECT sum(n), uniqCombinedMerge(15)(ids) FROM minutes").
			Scan(&n, &ids))
		if n != 120 || ids != 7 {
			t.Errorf("%d rows of %d ids, want 120 of 7", n, ids)
		}
		var simple uint64
		must(t, c.QueryRow(t.Context(), "SELECT n FROM minutes FINAL LIMIT 1").Scan(&simple))
		if simple != 60 {
			t.Errorf("n of a minute is %d", simple)
		}
	})
}

func TestQueryFormat(t *testing.T) {
	srv := start(t, Options{})
	for _, w := range ways[3:] {
		r, err := srv.open(w).QueryFormat(t.Context(), "JSONEachRow", "SELECT 1 AS a, 'x' AS b")
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		r.Close()
		if string(text) != `{"a":1,"b":"x"}`+"\n" {
			t.Errorf("%v: got %q", w, text)
		}
	}
}
