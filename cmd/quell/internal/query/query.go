// Package query prints the answer to a statement: as an aligned table for people, as JSON lines or
// as CSV for programs.
//
// JSON lines means one object a row, so that an answer of any size streams and `jq` reads it as it
// comes. Numbers are JSON numbers, also those beyond 2^53.
package query

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"quell/cmd/quell/internal/table"
)

// Column is a column of an answer; Type is ClickHouse's.
type Column struct{ Name, Type string }

// Rows is an answer. Values are nil, bool, numbers, string, []any and map[string]any.
type Rows iter.Seq2[[]any, error]

// Form says how an answer is printed.
type Form int

// The forms.
const (
	Table Form = iota // NULL is written NULL
	JSON              // one object a row, members in the order of the columns
	CSV               // with a header; NULL is empty
)

// Write prints the answer and returns how many rows it had. Most, if not 0, is how many characters
// a cell of a table may have: for terminals.
func Write(w io.Writer, columns []Column, rows Rows, f Form, most int) (n int, err error) {
	if len(columns) == 0 {
		return 0, nil // the statement answers nothing
	}
	out := bufio.NewWriter(w)
	var p printer
	switch f {
	case JSON:
		p, err = newObjects(out, columns)
	case CSV:
		p, err = newRecords(out, columns)
	default:
		p = newCells(out, columns, most)
	}
	if err != nil {
		return 0, err
	}
	for row, failed := range rows {
		if err = failed; err == nil {
			err = p.row(row)
		}
		if err != nil {
			break
		}
		n++
	}
	if failed := p.close(); err == nil {
		err = failed
	}
	if failed := out.Flush(); err == nil {
		err = failed
	}
	return n, err
}

type printer interface {
	row(values []any) error
	close() error
}

// objects prints JSON lines.
type objects struct {
	w     *bufio.Writer
	e     *json.Encoder
	names []string // "{" or "," and the column's name with its colon
	line  strings.Builder
}

func newObjects(w *bufio.Writer, columns []Column) (*objects, error) {
	o := &objects{w: w}
	for i, c := range columns {
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		before := ","
		if i == 0 {
			before = "{"
		}
		o.names = append(o.names, before+string(name)+":")
	}
	o.e = json.NewEncoder(&o.line)
	o.e.SetEscapeHTML(false)
	return o, nil
}

func (o *objects) row(values []any) error {
	for i, v := range values {
		o.line.Reset()
		if err := o.e.Encode(v); err != nil {
			return err
		}
		_, _ = o.w.WriteString(o.names[i])
		_, _ = o.w.WriteString(strings.TrimSuffix(o.line.String(), "\n"))
	}
	_, err := o.w.WriteString("}\n")
	return err
}

func (o *objects) close() error { return nil }

// records prints CSV.
type records struct{ w *csv.Writer }

func newRecords(w io.Writer, columns []Column) (*records, error) {
	r := &records{csv.NewWriter(w)}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return r, r.w.Write(names)
}

func (r *records) row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		if v != nil {
			cells[i] = cell(v)
		}
	}
	return r.w.Write(cells)
}

func (r *records) close() error {
	r.w.Flush()
	return r.w.Error()
}

// cells prints a table.
type cells struct{ t *table.Writer }

func newCells(w io.Writer, columns []Column, most int) *cells {
	header, right := make([]string, len(columns)), make([]bool, len(columns))
	for i, c := range columns {
		header[i], right[i] = c.Name, numeric(c.Type)
	}
	return &cells{table.New(w, header, right, most)}
}

func (c *cells) row(values []any) error {
	line := make([]string, len(values))
	for i, v := range values {
		line[i] = "NULL"
		if v != nil {
			line[i] = cell(v)
		}
	}
	return c.t.Row(line)
}

func (c *cells) close() error { return c.t.Close() }

// numeric tells whether values of the type are read by comparing their ends.
func numeric(typ string) bool {
	for _, wrap := range []string{"LowCardinality(", "Nullable("} {
		typ = strings.TrimPrefix(typ, wrap)
	}
	for _, number := range []string{"Int", "UInt", "Float", "Decimal", "BFloat"} {
		if strings.HasPrefix(typ, number) {
			return true
		}
	}
	return false
}

// cell writes a value as text: strings as they are, lists and maps as JSON.
func cell(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any, map[string]any:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err == nil {
			return strings.TrimSuffix(b.String(), "\n")
		}
	}
	return fmt.Sprint(v)
}
