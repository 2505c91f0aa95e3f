// Package native re-frames blocks of ClickHouse's Native format without decoding their values.
//
// The format has revisions. Files, HTTP bodies and the engine's library use revision 0: a count of
// columns, a count of rows, then name, type and values of each column. What a client negotiates is
// later: revision 1 puts a block info in front, 54454 a byte before each column's values that says
// whether they are serialised in a special way. To go from one to the other one must know where
// each column ends, and that takes a walk over lengths and offsets by type, nothing more: the
// values are copied as they are.
//
// The walk trusts nothing. Counts are bounded, memory grows with the bytes that really came and
// never with a count that was only claimed, and types nest to a bounded depth. Types whose length
// only their own code knows (AggregateFunction, JSON, Dynamic, Variant) are refused by name.
package native

import (
	"fmt"
	"strconv"
	"strings"
)

type kind byte

const (
	fixedSize      kind = iota
	text                // a length and that many bytes
	nullable            // a byte per row, then the values
	array               // the end of each row's elements, then all elements
	tuple               // element after element
	dictionary          // LowCardinality: keys, then an index per row
	unwalkable          // the length of a value is known to the engine only
	maxDepth       = 16 // of nested types
	maxTypeName    = 64 << 10
	maxFixedString = 0xFFFFFF // ClickHouse's own bound
)

// layout is what the walk needs to know of a type.
type layout struct {
	kind kind
	size int // bytes of a fixedSize value
	sub  []layout
}

// sizeOf returns the bytes of a value of a plain type; args are its arguments.
func sizeOf(name, args string) (int, bool) {
	switch name {
	case "UInt8", "Int8", "Bool", "Enum8", "Nothing":
		return 1, true
	case "UInt16", "Int16", "Date", "Enum16", "BFloat16":
		return 2, true
	case "UInt32", "Int32", "Float32", "Date32", "DateTime", "IPv4", "Time", "Decimal32":
		return 4, true
	case "UInt64", "Int64", "Float64", "DateTime64", "Time64", "Decimal64":
		return 8, true
	case "UInt128", "Int128", "UUID", "IPv6", "Decimal128", "Point":
		return 16, true
	case "UInt256", "Int256", "Decimal256":
		return 32, true
	case "FixedString":
		n, err := strconv.Atoi(strings.TrimSpace(args))
		return n, err == nil && n > 0 && n <= maxFixedString
	case "Decimal":
		precision, _, _ := strings.Cut(args, ",")
		n, err := strconv.Atoi(strings.TrimSpace(precision))
		return decimalSize(n), err == nil && n > 0 && n <= 76
	}
	return 8, strings.HasPrefix(name, "Interval")
}

func decimalSize(precision int) int {
	switch {
	case precision > 38:
		return 32
	case precision > 18:
		return 16
	case precision > 9:
		return 8
	}
	return 4
}

// parseType reads a type as ClickHouse writes it.
func parseType(s string) (layout, error) {
	if len(s) > maxTypeName {
		return layout{}, fmt.Errorf("a type's name is longer than %d bytes", maxTypeName)
	}
	return parse(s, maxDepth)
}

func parse(s string, depth int) (layout, error) {
	if depth == 0 {
		return layout{}, fmt.Errorf("types nest deeper than %d", maxDepth)
	}
	name, args := s, ""
	if i := strings.IndexByte(s, '('); i >= 0 && strings.HasSuffix(s, ")") {
		name, args = s[:i], s[i+1:len(s)-1]
	}
	switch name {
	case "String":
		return layout{kind: text}, nil
	case "Nullable":
		return wrap(nullable, []string{args}, depth)
	case "Array":
		return wrap(array, []string{args}, depth)
	case "Ring", "LineString":
		return wrap(array, []string{"Point"}, depth)
	case "LowCardinality":
		// A nullable dictionary keeps its null as key 0, not in a mask.
		if inner, ok := strings.CutPrefix(args, "Nullable("); ok {
			args = strings.TrimSuffix(inner, ")")
		}
		return wrap(dictionary, []string{args}, depth)
	case "Tuple":
		return wrap(tuple, elements(args), depth)
	case "Map", "Nested":
		types := elements(args)
		if name == "Map" && len(types) != 2 {
			return layout{}, fmt.Errorf("type %s is not a map", s)
		}
		pair, err := wrap(tuple, types, depth)
		if err != nil || pair.kind == unwalkable {
			return pair, err
		}
		return layout{kind: array, sub: []layout{pair}}, nil
	case "SimpleAggregateFunction":
		parts := split(args)
		return parse(parts[len(parts)-1], depth-1)
	}
	if n, ok := sizeOf(name, args); ok {
		return layout{kind: fixedSize, size: n}, nil
	}
	return layout{kind: unwalkable}, nil
}

func wrap(k kind, types []string, depth int) (layout, error) {
	l := layout{kind: k}
	for _, s := range types {
		sub, err := parse(s, depth-1)
		if err != nil {
			return layout{}, err
		}
		if sub.kind == unwalkable {
			return layout{kind: unwalkable}, nil
		}
		l.sub = append(l.sub, sub)
	}
	return l, nil
}

// elements lists the types of a tuple, whose elements may be named.
func elements(args string) []string {
	if strings.TrimSpace(args) == "" {
		return nil
	}
	parts := split(args)
	for i, s := range parts {
		parts[i] = withoutName(s)
	}
	return parts
}

func withoutName(s string) string {
	if s != "" && (s[0] == '`' || s[0] == '"') {
		if i := strings.IndexByte(s[1:], s[0]); i >= 0 {
			return strings.TrimSpace(s[i+2:])
		}
	}
	blank, paren := strings.IndexByte(s, ' '), strings.IndexByte(s, '(')
	if blank > 0 && (paren < 0 || blank < paren) {
		return strings.TrimSpace(s[blank+1:])
	}
	return s
}

// split cuts a type's arguments at the commas that are not inside brackets or quotes.
func split(s string) (parts []string) {
	depth, start, quote := 0, 0, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '`' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[start:]))
}
