package query_test

import (
	"errors"
	"strings"
	"testing"

	"quell/cmd/quell/internal/query"
)

func answer(failed error, rows ...[]any) query.Rows {
	return func(yield func([]any, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
		if failed != nil {
			yield(nil, failed)
		}
	}
}

func TestWrite(t *testing.T) {
	columns := []query.Column{{Name: "service", Type: "LowCardinality(String)"},
		{Name: "n", Type: "Nullable(UInt64)"}, {Name: "labels", Type: "Map(String, String)"}}
	rows := [][]any{{"pay", uint64(18446744073709551615), map[string]any{"b": "<1>", "a": "2"}},
		{"cart\n\"x\"", nil, map[string]any{}}}
	tests := []struct {
		name    string
		columns []query.Column
		form    query.Form
		most    int
		want    string
	}{
		{"a table", columns, query.Table, 0,
			"service                       n  labels\n" +
				"---------  --------------------  -------------------\n" +
				"pay        18446744073709551615  {\"a\":\"2\",\"b\":\"<1>\"}\n" +
				"cart\\n\"x\"                  NULL  {}\n"},
		{"a table on a terminal", columns, query.Table, 7,
			"service        n  labels\n-------  -------  -------\npay      184467…  {\"a\":\"…\ncart\\n…     NULL  {}\n"},
		{"JSON lines keep the order of the columns", columns, query.JSON, 0,
			`{"service":"pay","n":18446744073709551615,"labels":{"a":"2","b":"<1>"}}` + "\n" +
				`{"service":"cart\n\"x\"","n":null,"labels":{}}` + "\n"},
		{"CSV", columns, query.CSV, 0, "service,n,labels\n" +
			"pay,18446744073709551615,\"{\"\"a\"\":\"\"2\"\",\"\"b\"\":\"\"<1>\"\"}\"\n" +
			"\"cart\n\"\"x\"\"\",,{}\n"},
		{"a statement without an answer", nil, query.Table, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			given := rows
			if tt.columns == nil {
				given = nil
			}
			n, err := query.Write(&out, tt.columns, answer(nil, given...), tt.form, tt.most)
			if err != nil || n != len(given) {
				t.Errorf("%d rows, %v", n, err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.want)
			}
		})
	}
}

// TestErrorAfterRows: what came before an error is printed, and the error is not lost.
func TestErrorAfterRows(t *testing.T) {
	broken := errors.New("the server stopped")
	for _, form := range []query.Form{query.Table, query.JSON, query.CSV} {
		var out strings.Builder
		n, err := query.Write(&out, []query.Column{{Name: "a", Type: "UInt8"}},
			answer(broken, []any{uint8(7)}), form, 0)
		if !errors.Is(err, broken) || n != 1 || !strings.Contains(out.String(), "7") {
			t.Errorf("form %d: %d rows, %v, %q", form, n, err, out.String())
		}
	}
}
