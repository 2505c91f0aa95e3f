package embedded

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// column is a type that quell's tables use, with values to send and to get back.
type column struct {
	name, typ string
	values    []any
}

func allColumns() []column {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	epoch := time.Unix(0, 0).UTC()
	never := (*time.Time)(nil)
	return []column{
		{"u8", "UInt8", []any{uint8(0), uint8(255), uint8(7)}},
		{"u16", "UInt16", []any{uint16(0), uint16(65535), uint16(7)}},
		{"u32", "UInt32", []any{uint32(0), uint32(1<<32 - 1), uint32(7)}},
		{"u64", "UInt64", []any{uint64(0), uint64(1<<64 - 1), uint64(7)}},
		{"i64", "Int64", []any{int64(0), int64(-1 << 63), int64(7)}},
		{"at", "DateTime64(3, 'UTC')", []any{epoch, at, at.Add(time.Hour)}},
		{"day", "Date", []any{epoch, day, day.AddDate(0, 0, 1)}},
		{"severity", "Enum8('info' = 1, 'critical' = 5)", []any{"info", "critical", "info"}},
		{"text", "String", []any{"", "a\x00b\n\n'\\\t", strings.Repeat("x", 70_000)}},
		{"fp",
			"FixedString(16)", []any{"0123456789abcdef", "\x00\xff23456789abcdef",
				"----------------"}},
		{"service", "LowCardinality(String)", []any{"", "checkout", "checkout"}},
		{"labels", "Map(LowCardinality(String), String)", []any{map[string]string{},
			map[string]string{"host": "db-1", "": "\x00"}, map[string]string{"k": ""}}},
		{"tags", "Array(String)", []any{[]string{}, []string{"a", "", "c"}, []string{"\n"}}},
		{"acked", "Nullable(DateTime64(3, 'UTC'))", []any{never, &at, never}},
		{"flag", "Bool", []any{false, true, false}},
		{"id", "UUID", []any{uuid.UUID{}, uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
			uuid.UUID{15: 1}}},
		{"ratio", "Float64", []any{0.0, -1.5e300, 0.1}},
		{"maybe",
			"LowCardinality(Nullable(String))", []any{(*string)(nil), new(string), (*string)(nil)}},
		{"pairs", "Array(Tuple(k String, n UInt64))", []any{[]map[string]any{},
			[]map[string]any{{"k": "a", "n": uint64(1)}}, []map[string]any{}}},
		{"price", "Decimal(20, 4)", nil}, // given by the engine, below
	}
}

// Every type goes in and comes back, over every protocol and compression.
func TestEveryTypeOverEveryWay(t *testing.T) {
	srv := start(t, Options{})
	cols := allColumns()
	cols = cols[:len(cols)-1]
	each(t, ways, func(t *testing.T, w way) {
		c := srv.open(w)
		table := "t_" + strings.ReplaceAll(w.String(), "/", "_")
		var defs, names []string
		for _, col := range cols {
			defs, names = append(defs, col.name+" "+col.typ), append(names, col.name)
		}
		must(t, c.Exec(t.Context(), fmt.Sprintf("CREATE TABLE %s (n UInt8, %s,"+
			" price Decimal(20, 4) DEFAULT '3.1416', twice UInt16 MATERIALIZED u8 * 2)"+
			" ENGINE = MergeTree ORDER BY n", table, strings.Join(defs, ", "))))
		batch, err := c.PrepareBatch(t.Context(), fmt.Sprintf("INSERT INTO %s (n, %s)", table,
			strings.Join(names, ", ")))
		must(t, err)
		for row := range 3 {
			values := []any{uint8(row)}
			for _, col := range cols {
				values = append(values, col.values[row])
			}
			must(t, batch.Append(values...))
		}
		must(t, batch.Send())

		rows, err := c.Query(t.Context(), fmt.Sprintf("SELECT %s, price, twice FROM %s ORDER BY n",
			strings.Join(names, ", "), table))
		must(t, err)
		defer rows.Close()
		row := 0
		for ; rows.Next(); row++ {
			var into []any
			for _, ct := range rows.ColumnTypes() {
				into = append(into, reflect.New(ct.ScanType()).Interface())
			}
			must(t, rows.Scan(into...))
			for i, col := range cols {
				got := reflect.ValueOf(into[i]).Elem().Interface()
				if g, ok := got.(time.Time); ok {
					got = g.UTC()
				}
				if g, ok := got.(*time.Time); ok && g != nil {
					at := g.UTC()
					got = &at
				}
				if !reflect.DeepEqual(got, col.values[row]) {
					t.Errorf("row %d, %s %s: got %#v, want %#v", row, col.name, col.typ, got,
						col.values[row])
				}
			}
			if price := fmt.Sprint(reflect.ValueOf(into[len(cols)]).Elem()); price != "3.1416" {
				t.Errorf("row %d: price %s", row, price)
			}
		}
		must(t, rows.Err())
		if row != 3 {
			t.Errorf("%d rows, want 3", row)
		}
	})
}
