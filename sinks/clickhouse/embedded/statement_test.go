package embedded

import (
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       statement
		rows       string // of an insert, in the text
	}{
		{"a SELECT", "select 1", statement{streams: true}, ""},
		{"in parentheses", " (SELECT 1) UNION ALL (SELECT 2)", statement{streams: true}, ""},
		{"behind comments",
			"-- a\n/* b ; */ #! c\n# d\nWITH 1 AS x SELECT x", statement{streams: true}, ""},
		{"a FORMAT",
			"SELECT 1 FORMAT CSV", statement{streams: true, format: "CSV", formatAt: 9}, ""},
		{"a FORMAT before SETTINGS", "SELECT 1 FORMAT JSON SETTINGS max_threads = 1",
			statement{streams: true, format: "JSON", formatAt: 9}, ""},
		{"a column named format",
			"SELECT format FROM t", statement{streams: true, formatAt: 7}, ""},
		{"FORMAT in a string", "SELECT ' FORMAT CSV'", statement{streams: true}, ""},
		{"FORMAT in a subquery",
			"SELECT * FROM (SELECT 1 FORMAT)", statement{streams: true, formatAt: 24}, ""},
		{"a semicolon at the end", "SELECT 1 ; -- done", statement{streams: true}, ""},
		{"a semicolon in a string", `SELECT 'a\';b', "c;d"`, statement{streams: true}, ""},
		{"several", "SELECT 1; DROP TABLE t", statement{streams: true, several: true}, ""},
		{"a list", "SHOW TABLES", statement{lists: true}, ""},
		{"DDL", "CREATE TABLE t (a UInt8) ENGINE = Memory", statement{}, ""},
		{"nothing", "  ", statement{}, ""},
		{"an open string", "SELECT 'a", statement{streams: true}, ""},
		{"an open comment", "SELECT 1 /* a", statement{streams: true}, ""},
		{"WITH that inserts", "WITH 1 AS x INSERT INTO t SELECT x", statement{}, ""},
		{"an insert from a query", "INSERT INTO t SELECT 1 FORMAT", statement{formatAt: 23}, ""},
		{"an insert from a query in parentheses", "INSERT INTO t (a) (SELECT 1)", statement{}, ""},
		{"an insert from a query, no columns", "INSERT INTO t (SELECT 1)", statement{}, ""},
		{"an insert from a file",
			"INSERT INTO t FROM INFILE 'x' FORMAT CSV", statement{format: "CSV", formatAt: 30}, ""},
		{"an insert",
			"INSERT INTO t", statement{insert: &insert{head: "INSERT INTO t", target: "t"}}, ""},
		{"an insert with columns", "insert into db.`t` (a, `b)`) values", statement{insert: &insert{
			head: "insert into db.`t` (a, `b)`) ", format: "Values", target: "db.`t`",
			columns: "(a, `b)`)"}}, ""},
		{"a table named values", "INSERT INTO values FORMAT Native", statement{insert: &insert{
			head: "INSERT INTO values ", format: "Native", target: "values"}}, ""},
		{"TABLE and settings",
			"INSERT INTO TABLE t SETTINGS async_insert = 0, x = 'VALUES' FORMAT CSV\n1\n\n2",
			statement{insert: &insert{head: "INSERT INTO TABLE t SETTINGS async_insert = 0, x" +
				" = 'VALUES' ",
				format: "CSV", target: "t"}}, "1\n\n2"},
		{"a function", "INSERT INTO FUNCTION file('x', 'CSV', 'a UInt8') (a) FORMAT CSV \r\n 1",
			statement{insert: &insert{head: "INSERT INTO FUNCTION file('x', 'CSV', 'a UInt8')" +
				" (a) ", format: "CSV",
				target: "FUNCTION file('x', 'CSV', 'a UInt8')", columns: "(a)"}}, " 1"},
		{"rows in the text",
			"INSERT INTO t VALUES (1, ';'), (2, 'FORMAT')", statement{insert: &insert{
				head: "INSERT INTO t ", format: "Values", target: "t"}}, "(1, ';'), (2, 'FORMAT')"},
		{"an insert and a semicolon",
			"INSERT INTO t ;", statement{insert: &insert{head: "INSERT INTO t ",
				target: "t"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := parseStatement(test.text)
			if (got.insert == nil) != (test.want.insert == nil) {
				t.Fatalf("insert is %+v", got.insert)
			}
			if got.insert != nil {
				if rows := got.inline(); rows != test.rows {
					t.Errorf("rows %q, want %q", rows, test.rows)
				}
				in := *got.insert
				in.rowsAt = 0
				if in != *test.want.insert {
					t.Errorf("got %+v, want %+v", in, *test.want.insert)
				}
				return
			}
			test.want.text = test.text
			if *got != test.want {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestWithoutFormat(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1":                              "SELECT 1",
		"SELECT 1 FORMAT CSV":                   "SELECT 1 ",
		"SELECT 1 format CSV SETTINGS a = 1":    "SELECT 1  SETTINGS a = 1",
		"SELECT 1 FORMAT /* x */ Native ; -- y": "SELECT 1  ; -- y",
	} {
		if got := parseStatement(text).withoutFormat(); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// Whatever a client sends, parsing neither fails nor cuts what it did not understand.
func FuzzParseStatement(f *testing.F) {
	for _, s := range []string{"INSERT INTO t (a) FORMAT CSV\n1", "SELECT 1 FORMAT CSV;",
		"INSERT INTO FUNCTION f(",
		"WITH (((", "INSERT INTO", "'\\", "`", "/*", "--", "FORMAT FORMAT FORMAT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		st := parseStatement(text)
		if st.text != text {
			t.Errorf("the text is %q", st.text)
		}
		if in := st.insert; in != nil && (!strings.HasPrefix(text, in.head) ||
			!strings.HasSuffix(text, st.inline()) || !strings.Contains(text, in.target)) {
			t.Errorf("insert %+v", in)
		}
		if len(st.withoutFormat()) > len(text) {
			t.Errorf("without its format: %q", st.withoutFormat())
		}
	})
}

// The packets that come before any credentials are checked, and the query's, from anybody.
func FuzzPackets(f *testing.F) {
	f.Add([]byte(new(raw).hello("x").packet[1:]))
	f.Add([]byte(new(raw).query("SELECT 1", true).packet[1:]))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if h, err := newWire(sent).hello(); err == nil && len(h.user) > maxHelloString {
			t.Errorf("a user of %d bytes", len(h.user))
		}
		if q, err := newWire(sent).query(1000); err == nil && (len(q.text) > 1000 ||
			len(q.settings) > maxSettings || len(q.params) > maxSettings) {
			t.Errorf("a query of %d bytes", len(q.text))
		}
	})
}
