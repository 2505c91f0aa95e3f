package clickhouse_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/sinks/clickhouse"
)

func TestConformance(t *testing.T) {
	for _, way := range ways[:3] { // a database for each test takes its time
		if way.compress {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			archivetest.Run(t, func(t *testing.T) archivetest.Subject {
				o := options()
				o.Address, o.Compress = way.address(), way.compress
				c := migrated(t, o)
				return archivetest.Subject{Archive: c, Offsets: offsetsOf(c), Forget: forgetIn(o)}
			})
		})
	}
}

func offsetsOf(c *clickhouse.Client) func(*testing.T, string, string, int32) []int64 {
	return func(t *testing.T, table, topic string, partition int32) (out []int64) {
		rows := ask(t, c, fmt.Sprintf("SELECT offset FROM %s WHERE topic = '%s' AND partition = %d "+
			"ORDER BY offset", table, topic, partition))
		for _, row := range rows {
			out = append(out, row[0].(int64))
		}
		return out
	}
}

// forgetIn deletes the rows by a mutation: other than a dropped part, that leaves their token known.
func forgetIn(o clickhouse.Options) func(*testing.T, string) {
	return func(t *testing.T, table string) {
		conn := connect(t, o)
		err := conn.Exec(t.Context(), "ALTER TABLE "+table+" DELETE WHERE 1 SETTINGS mutations_sync = 2")
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A repeated insert adds nothing when its token was forgotten, after so many others: it is looked first.
func TestForgottenToken(t *testing.T) {
	o := options()
	c := migrated(t, o)
	// The first setting is a table's own; the window applies to parts that are made from then on.
	err := connect(t, o).Exec(t.Context(), "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 1")
	if err != nil {
		t.Fatal(err)
	}
	from := archivetest.Origin("raw", 0)
	insert := func(token string, first int64, repeated bool) {
		t.Helper()
		b := archive.Batch{Table: archive.TableEvents, Token: token, Repeated: repeated,
			Sections: []archive.Section{archivetest.Events(from, first, 3)}}
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	insert("q:0:0-0", 0, false)
	for i := range int64(3) {
		insert(fmt.Sprint("q:0:", i+1), 3+3*i, false)
	}
	insert("q:0:0-0", 0, true)
	got := offsetsOf(c)(t, archive.TableEvents, "raw", 0)
	if want := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
}

// connect opens a connection that is not the client's own.
func connect(t *testing.T, o clickhouse.Options) driver.Conn {
	t.Helper()
	conn, err := driver.Open(&driver.Options{Protocol: driver.Native, Addr: []string{engine.TCPAddr()},
		Auth: driver.Auth{Username: testUser, Password: string(testPassword), Database: o.Database}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestEveryValueComesBack compares what the engine says of the odd values, column by column, with
// what was put in.
func TestEveryValueComesBack(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			c := migrated(t, o)
			// Revisions and pages have one position; the summary tells their rows apart.
			for _, s := range archivetest.Extremes(archivetest.Origin("raw", 3), 7) {
				b := archive.Batch{Table: s.Table, Token: "t", Sections: []archive.Section{s}}
				if err := c.Insert(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				compareRows(t, o, &s)
			}
		})
	}
}

func compareRows(t *testing.T, o clickhouse.Options, s *archive.Section) {
	t.Helper()
	key := map[string]int{archive.TableRevisions: 14, archive.TablePages: 14}[s.Table] + 2
	want := map[any][]any{}
	for _, row := range s.All() {
		want[row[key]] = append([]any(nil), row...)
	}
	if len(want) != s.Rows {
		t.Fatalf("the key of %s, column %d, is not unique", s.Table, key)
	}
	got := stored(t, o, s)
	if len(got) != s.Rows {
		t.Fatalf("%s has %d rows, want %d", s.Table, len(got), s.Rows)
	}
	for _, row := range got {
		for i := range row {
			if w := want[row[key]]; w == nil || !reflect.DeepEqual(row[i], w[i]) {
				t.Errorf("%s.%s of the row %.40q is %.80q, want %.80q", s.Table, s.Columns[i].Name,
					fmt.Sprint(row[key]), fmt.Sprint(row[i]), fmt.Sprint(w[i]))
			}
		}
	}
}

// stored reads a table by a connection of its own, with the values that Section.All yields.
func stored(t *testing.T, o clickhouse.Options, s *archive.Section) (out [][]any) {
	t.Helper()
	rows, err := connect(t, o).Query(context.Background(), "SELECT * FROM "+s.Table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		into := make([]any, len(s.Columns))
		for i, typ := range rows.ColumnTypes() {
			into[i] = reflect.New(typ.ScanType()).Interface()
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i := range into {
			into[i] = value(into[i], s.Columns[i].Type)
		}
		out = append(out, into)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// value turns what clickhouse-go scanned into what Section.All yields.
func value(v any, typ string) any {
	switch x := v.(type) {
	case *time.Time:
		if typ == "Date" {
			return uint64(x.Unix() / 86400)
		}
		return correlate.TimeOf(*x)
	case **time.Time:
		if *x == nil {
			return correlate.Time(0)
		}
		return correlate.TimeOf(**x)
	case *int32:
		return int64(*x)
	case *uint32:
		return uint64(*x)
	case *string:
		if typ == "FixedString(16)" {
			return correlate.Fingerprint([]byte(*x))
		}
		return *x
	case *[]string:
		return *x
	case *map[string]string:
		labels := []correlate.Label{}
		for name, value := range *x {
			labels = append(labels, correlate.Label{Name: name, Value: value})
		}
		slices.SortFunc(labels, func(a, b correlate.Label) int { return strings.Compare(a.Name, b.Name) })
		return labels
	}
	return reflect.ValueOf(v).Elem().Interface()
}

func TestTimesAreClamped(t *testing.T) {
	c := migrated(t, options())
	b := archive.NewEventsBuilder()
	times := []correlate.Time{archive.MinTime - 1, archive.MinTime, -1, 0, archive.MaxTime,
		archive.MaxTime + 1, -62135596800000, 253402300799999}
	for i, at := range times {
		b.Append(&correlate.Event{Time: at}, &archive.Stamp{Offset: int64(i), Received: at})
	}
	s := b.Section(archivetest.Origin("raw", 0))
	if err := c.Insert(t.Context(), archive.Batch{Table: archive.TableEvents, Token: "t",
		Sections: []archive.Section{s}}); err != nil {
		t.Fatal(err)
	}
	first, last := "1900-01-01 00:00:00.000", "2261-12-31 23:59:59.999"
	want := [][]any{{first, true}, {first, false}, {"1969-12-31 23:59:59.999", false},
		{"1970-01-01 00:00:00.000", false}, {last, false}, {last, true}, {first, true}, {last, true}}
	wantRows(t, c, "SELECT toString(time), clamped FROM events ORDER BY offset", want...)
}

// TestOneInsertIsOnePart: many sections, one block, one part, once.
func TestOneInsertIsOnePart(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			c := migrated(t, o)
			run(t, c, "SYSTEM STOP MERGES "+o.Database+".events")
			b := archive.Batch{Table: archive.TableEvents, Token: "q:0:0-99"}
			for i := range int64(100) {
				b.Sections = append(b.Sections, archivetest.Events(archivetest.Origin("raw", 0), i*1000, 1000))
			}
			for range 3 {
				if err := c.Insert(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			got := ask(t, c, "SELECT count(), sum(rows) FROM system.parts WHERE database = '"+
				o.Database+"' AND table = 'events' AND active")
			if got[0][0] != uint64(1) || got[0][1] != uint64(100_000) {
				t.Fatalf("%v parts with %v rows, want 1 with 100000", got[0][0], got[0][1])
			}
		})
	}
}

// TestRepeatAfterRestart: the server remembers tokens.
func TestRepeatAfterRestart(t *testing.T) {
	o := options()
	b := archive.Batch{Table: archive.TableEvents, Token: "q:0:0-0",
		Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 10)}}
	c := migrated(t, o)
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	restart(t)
	o.Address = ways[0].address()
	c = migrated(t, o)
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n := len(offsetsOf(c)(t, archive.TableEvents, "raw", 0)); n != 10 {
		t.Fatalf("%d rows, want 10", n)
	}
}

// restart ends the engine and starts it on the same directory.
func restart(t *testing.T) {
	t.Helper()
	if err := engine.stop(); err != nil {
		t.Fatal(err)
	}
	next, err := start(dataDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine = next
}
