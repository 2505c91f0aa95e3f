package table_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"quell/cmd/quell/internal/table"
)

func TestTable(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		right  []bool
		most   int
		rows   [][]string
		want   string
	}{
		{"columns are aligned, numbers to the right", []string{"service", "events"},
			[]bool{false, true}, 0, [][]string{{"pay", "5"}, {"checkout", "1200"}},
			"service   events\n--------  ------\npay            5\ncheckout    1200\n"},
		{"no rows", []string{"a"}, nil, 0, nil, "a\n-\n"},
		{"control characters and bytes that are no text", []string{"a"}, nil, 0,
			[][]string{{"x\ny\tz\x00\xff\ufffd\x1b[0m"}},
			"a\n---------------------------\nx\\ny\\tz\\u0000\\xff\ufffd\\u001b[0m\n"},
		{"a wide cell is cut on a terminal", []string{"a"}, nil, 4, [][]string{{"üüüüü"}, {"üüüü"}},
			"a\n----\nüüü…\nüüüü\n"},
		{"nothing follows a short last cell", []string{"a", "b"}, nil, 0,
			[][]string{{"1", "long"}, {"1", ""}}, "a  b\n-  ----\n1  long\n1  \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			w := table.New(&out, tt.header, tt.right, tt.most)
			for _, r := range tt.rows {
				if err := w.Row(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.want)
			}
		})
	}
}

func TestRowsBeyondTheSampleStream(t *testing.T) {
	var out strings.Builder
	w := table.New(&out, []string{"n"}, nil, 0)
	for i := range 3 * table.Sample {
		if err := w.Row([]string{fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		if i == 2*table.Sample && out.Len() == 0 {
			t.Error("two samples of rows wait in memory")
		}
	}
	if err := w.Row([]string{"wider than its column"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2+3*table.Sample+1 || lines[2] != "0" || lines[2+2500] != "2500" ||
		lines[len(lines)-1] != "wider than its column" {
		t.Errorf("%d lines", len(lines))
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteError(t *testing.T) {
	w := table.New(full{}, []string{"n"}, nil, 0)
	if err := w.Row([]string{"1"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("the writer's error was lost")
	}
}
