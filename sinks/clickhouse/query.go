package clickhouse

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ResultColumn is a column of a Result.
type ResultColumn struct{ Name, Type string }

// Result is the answer to a statement: its columns, and its rows, once.
type Result struct {
	Columns []ResultColumn
	rows    driver.Rows
}

// Query runs any statement, with the archive's database as the current one. The Result must be
// closed; a statement that answers nothing has a Result without columns.
func (c *Client) Query(ctx context.Context, statement string) (*Result, error) {
	if !answers(statement) {
		// The native protocol ends such a statement without a block, which Query takes for the end
		// of the connection.
		if err := c.conn.Exec(ctx, statement); err != nil {
			return nil, c.fault("query", err)
		}
		return &Result{}, nil
	}
	rows, err := c.conn.Query(ctx, statement)
	if err != nil {
		return nil, c.fault("query", err)
	}
	r := &Result{rows: rows}
	for _, t := range rows.ColumnTypes() {
		r.Columns = append(r.Columns, ResultColumn{Name: t.Name(), Type: t.DatabaseTypeName()})
	}
	return r, nil
}

// comments are what may stand before a statement's first word.
var comments = regexp.MustCompile(`^(\s|--[^\n]*(\n|$)|#[^\n]*(\n|$)|/\*(?s:.*?)\*/|\()*`)

// answers tells by its first word whether a statement has rows for an answer.
func answers(statement string) bool {
	rest := statement[len(comments.FindString(statement)):]
	end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) })
	if end < 0 {
		end = len(rest)
	}
	switch strings.ToUpper(rest[:end]) {
	case "SELECT", "WITH", "FROM", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "EXISTS", "CHECK",
		"VALUES":
		return true
	}
	return false
}

// Close ends the statement.
func (r *Result) Close() error {
	if r.rows == nil {
		return nil
	}
	return r.rows.Close()
}

// All yields the rows; after an error none follows. Values can be printed and be JSON: nil, bool,
// integers, finite float64, string, []any and map[string]any. Times are RFC 3339 in UTC, dates
// 2026-11-21, a FixedString (a fingerprint) is hexadecimal, bytes that are not UTF-8 are \xff, and
// what a float can't say in JSON is a string ("nan", "inf"), as are decimals, UUIDs and addresses.
func (r *Result) All() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		if r.rows == nil {
			return
		}
		types := r.rows.ColumnTypes()
		into := make([]any, len(types))
		for r.rows.Next() {
			for i, t := range types {
				into[i] = reflect.New(t.ScanType()).Interface()
			}
			if err := r.rows.Scan(into...); err != nil {
				yield(nil, fmt.Errorf("clickhouse: query: %w", err))
				return
			}
			row := make([]any, len(into))
			for i := range into {
				row[i] = plain(reflect.ValueOf(into[i]).Elem(), r.Columns[i].Type)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := r.rows.Err(); err != nil {
			yield(nil, fmt.Errorf("clickhouse: query: %w", err))
		}
	}
}

// plain turns a scanned value into one of those that All promises.
func plain(v reflect.Value, typ string) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		if n, ok := v.Interface().(*big.Int); ok {
			return n.String()
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if strings.Contains(typ, "DateTime") {
			return x.UTC().Format(time.RFC3339Nano)
		}
		return x.Format(time.DateOnly)
	case time.Duration:
		return x.String()
	case big.Int:
		return x.String()
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint8:
		return v.Interface()
	case reflect.Float32, reflect.Float64:
		return number(v)
	case reflect.String:
		return text(v.String(), typ)
	case reflect.Slice, reflect.Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i), typ)
		}
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for k, x := range v.Seq2() {
			out[fmt.Sprint(plain(k, typ))] = plain(x, typ)
		}
		return out
	}
	return text(fmt.Sprint(v.Interface()), "")
}

// number keeps a float32 as short as it is: 0.1, not 0.10000000149011612.
func number(v reflect.Value) any {
	bits := v.Type().Bits()
	s := strconv.FormatFloat(v.Float(), 'g', -1, bits)
	if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
		return strings.ToLower(strings.TrimPrefix(s, "+"))
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

func text(s, typ string) string {
	if strings.Contains(typ, "FixedString") {
		return hex.EncodeToString([]byte(s))
	}
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
