package clickhouse_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"quell/correlate/archive"
	"quell/sinks/clickhouse"
)

// TestEveryValueIsJSON asks for a value of each type, by both protocols.
func TestEveryValueIsJSON(t *testing.T) {
	for _, test := range []struct {
		name, sql string
		want      any
	}{
		{"a string", `'ünï "q"'`, `ünï "q"`},
		{"bytes that are not UTF-8", `unhex('61ff0062')`, "a\\xff\x00b"},
		{"a fingerprint", `toFixedString('0123456789abcdef', 16)`, "30313233343536373839616263646566"},
		{"the biggest integer", `toUInt64(18446744073709551615)`, uint64(18446744073709551615)},
		{"a bigger integer", `toUInt256('340282366920938463463374607431768211456')`,
			"340282366920938463463374607431768211456"},
		{"a small float", `toFloat32(0.1)`, 0.1},
		{"not a number", `nan`, "nan"},
		{"infinity", `-inf`, "-inf"},
		{"a decimal", `toDecimal64('1.50', 2)`, "1.5"},
		{"nothing", `NULL`, nil},
		{"an absent time", `CAST(NULL, 'Nullable(DateTime64(3))')`, nil},
		{"a time", `toDateTime64('2026-11-02 10:00:00.250', 3, 'UTC')`, "2026-11-02T10:00:00.25Z"},
		{"a time in a zone", `toDateTime('2026-11-02 10:00:00', 'Europe/Berlin')`,
			"2026-11-02T09:00:00Z"},
		{"a time that is not absent",
			`CAST(toDateTime64('2026-11-02 10:00:00', 3, 'UTC'), 'Nullable(DateTime64(3, \'UTC\'))')`,
			"2026-11-02T10:00:00Z"},
		{"a date", `toDate('2026-11-02')`, "2026-11-02"},
		{"a word", `CAST('firing', 'Enum8(\'firing\' = 1)')`, "firing"},
		{"a boolean", `true`, true},
		{"an identifier", `toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')`,
			"61f0c404-5cb3-11e7-907b-a6006ad3dba0"},
		{"an address", `toIPv4('10.0.0.1')`, "10.0.0.1"},
		{"a list", `['a', NULL, unhex('ff')]`, []any{"a", nil, `\xff`}},
		{"bytes in a list", `[toUInt8(1), toUInt8(2)]`, []any{uint8(1), uint8(2)}},
		{"a list of fingerprints", `[toFixedString('ab', 2)]`, []any{"6162"}},
		{"a map", `map('b', 1.5, 'a', nan)`, map[string]any{"a": "nan", "b": 1.5}},
		{"labels", `CAST(map('env', 'prod'), 'Map(LowCardinality(String), String)')`,
			map[string]any{"env": "prod"}},
		{"a tuple", `tuple(1, 'a')`, []any{uint8(1), "a"}},
		{"a map of lists", `map(toDate('2026-11-02'), [toUInt64(1)])`,
			map[string]any{"2026-11-02": []any{uint64(1)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, way := range ways[:3:3] {
				o := options()
				o.Address, o.Database = way.address(), "default"
				got := ask(t, open(t, o), "SELECT "+test.sql)
				if len(got) != 1 || !reflect.DeepEqual(got[0][0], test.want) {
					t.Errorf("%s: got %#v, want %#v", way.name, got, test.want)
				}
				if _, err := json.Marshal(got); err != nil {
					t.Errorf("%s: %v", way.name, err)
				}
			}
		})
	}
}

func TestStatementsOfAllKinds(t *testing.T) {
	for _, way := range ways[:3:3] {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address = way.address()
			c := migrated(t, o)
			run(t, c, "CREATE TABLE x (n UInt8) ENGINE = Memory")
			run(t, c, "INSERT INTO x VALUES (1), (2)")
			wantRows(t, c, "/* a comment */ -- and another\n (SELECT n FROM x ORDER BY n)",
				[]any{uint8(1)}, []any{uint8(2)})
			wantRows(t, c, "WITH 3 AS three SELECT three", []any{uint8(3)})
			wantRows(t, c, "SHOW TABLES LIKE 'x'", []any{"x"})
			wantRows(t, c, "EXISTS TABLE x", []any{uint8(1)})
			wantRows(t, c, "SELECT n FROM x WHERE n > 2")
			r, err := c.Query(t.Context(), "SELECT n AS a, toString(n) AS b FROM x")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			want := []clickhouse.ResultColumn{{Name: "a", Type: "UInt8"}, {Name: "b", Type: "String"}}
			if !reflect.DeepEqual(r.Columns, want) {
				t.Errorf("columns %v, want %v", r.Columns, want)
			}
		})
	}
}

func TestQueryErrorsNameTheirCause(t *testing.T) {
	for _, way := range ways[:3:3] {
		o := options()
		o.Address = way.address()
		c := migrated(t, o)
		_, err := c.Query(t.Context(), "SELECT nothing FROM events")
		if err == nil || !strings.Contains(err.Error(), "nothing") ||
			archive.FaultOf(err) != archive.FaultStop {
			t.Errorf("%s: %v (%v), want a stop that names the column", way.name, err,
				archive.FaultOf(err))
		}
	}
}
