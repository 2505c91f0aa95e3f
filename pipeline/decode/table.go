package decode

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// table replaces texts: by exact key, else by range of numbers, else by glob.
type table struct {
	exact  map[string]string
	ranges []numberRange // by lower bound; they do not overlap
	globs  []glob        // the most specific first
}

// numberRange holds the numbers between its bounds. Bounds and numbers are compared as float64:
// that is a total order, the same everywhere, and nothing is computed with them.
type numberRange struct {
	key               string
	low, high         float64
	lowOpen, highOpen bool // the bound itself is outside
	value             string
}

type glob struct{ pattern, value string }

// compileTable sorts the keys into exact texts, ranges and globs. The path of a problem is the key.
func compileTable(spec map[string]string) (*table, []Problem) {
	t := &table{exact: make(map[string]string, len(spec))}
	var problems []Problem
	for _, k := range sortedKeys(spec) {
		value := spec[k]
		t.exact[k] = value
		r, isRange := parseRange(k)
		switch {
		case isRange && (r.low > r.high || r.low == r.high && (r.lowOpen || r.highOpen)):
			problems = append(problems, Problem{k, fmt.Sprintf("%s holds no number: write the "+
				"smaller bound first", quote(k))})
		case isRange:
			r.value = value
			t.ranges = append(t.ranges, r)
		case strings.ContainsAny(k, "*?"):
			t.globs = append(t.globs, glob{k, value})
		}
	}
	slices.SortStableFunc(t.globs, func(a, b glob) int {
		return literals(b.pattern) - literals(a.pattern)
	})
	slices.SortStableFunc(t.ranges, func(a, b numberRange) int {
		switch {
		case a.low < b.low:
			return -1
		case a.low > b.low:
			return 1
		}
		return 0
	})
	for i := 1; i < len(t.ranges); i++ {
		if a, b := t.ranges[i-1], t.ranges[i]; a.overlaps(b) {
			problems = append(problems, Problem{b.key, fmt.Sprintf("%s overlaps %s: a number must "+
				"be in one range", quote(b.key), quote(a.key))})
		}
	}
	return t, problems
}

// overlaps tells whether r, which does not begin after b, shares a number with it.
func (r numberRange) overlaps(b numberRange) bool {
	return b.low < r.high || b.low == r.high && !b.lowOpen && !r.highOpen
}

// parseRange reads 0-3, -5..5, 12+, <5, <=5, >5 or >=5.
func parseRange(key string) (numberRange, bool) {
	r := numberRange{key: key, low: math.Inf(-1), high: math.Inf(1)}
	k, ok := strings.ReplaceAll(key, " ", ""), false
	switch {
	case strings.HasPrefix(k, "<="):
		r.high, ok = parseNumber(k[2:])
	case strings.HasPrefix(k, "<"):
		r.high, ok = parseNumber(k[1:])
		r.highOpen = true
	case strings.HasPrefix(k, ">="):
		r.low, ok = parseNumber(k[2:])
	case strings.HasPrefix(k, ">"):
		r.low, ok = parseNumber(k[1:])
		r.lowOpen = true
	case strings.HasSuffix(k, "+"):
		r.low, ok = parseNumber(k[:len(k)-1])
	default:
		low, high, found := strings.Cut(k, "..")
		if !found {
			low, high, found = strings.Cut(k, "-")
		}
		ok2 := false
		r.low, ok = parseNumber(low)
		r.high, ok2 = parseNumber(high)
		ok = ok && ok2 && found
	}
	return r, ok
}

// parseNumber reads a number as JSON writes it. One that is too big for a float64 is infinite.
func parseNumber(s string) (float64, bool) {
	if s == "" || number([]byte(s), 0) != len(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

// lookup returns the value of text's key.
func (t *table) lookup(text string) (string, bool) {
	if v, ok := t.exact[text]; ok {
		return v, true
	}
	if len(t.ranges) > 0 {
		if v, ok := parseNumber(text); ok {
			for i := range t.ranges {
				if t.ranges[i].holds(v) {
					return t.ranges[i].value, true
				}
			}
		}
	}
	for i := range t.globs {
		if globMatch(t.globs[i].pattern, text) {
			return t.globs[i].value, true
		}
	}
	return "", false
}

func (r *numberRange) holds(v float64) bool {
	return (v > r.low || v == r.low && !r.lowOpen) && (v < r.high || v == r.high && !r.highOpen)
}

// literals counts what a glob says about a text: its characters other than stars.
func literals(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

// globMatch matches * (any text) and ? (one character). It goes back to the last star only, so the
// time is at most the product of the lengths.
func globMatch(pattern, text string) bool {
	star, mark, i := -1, 0, 0
	for j := 0; j < len(text); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == '?':
			i++
			j += runeLength(text[j])
		case i < len(pattern) && pattern[i] == text[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

// runeLength returns how many bytes the rune of valid UTF-8 has that begins with c. Inside a rune,
// where a star may have led, it is 1.
func runeLength(c byte) int {
	switch {
	case c < 0xc0:
		return 1
	case c < 0xe0:
		return 2
	case c < 0xf0:
		return 3
	}
	return 4
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
