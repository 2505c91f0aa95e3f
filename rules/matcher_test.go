package rules

import (
	"reflect"
	"testing"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// What a regular expression is kept as. A list decides what index finds it, so it must hold all that
// the expression matches, and nothing else.
func TestRegularExpressionsThatAreLists(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		values        []string // nil: it stays a pattern
		prefix        string   // of a pattern
		parts         []string // of one that needs no regular expression
	}{
		{"one word", "db", []string{"db"}, "", nil},
		{"words", "db|web|db", []string{"db", "web"}, "", nil},
		{"a class", "web[1-3]", []string{"web1", "web2", "web3"}, "", nil},
		{"a group in the middle", "eu-(west|east)-1", []string{"eu-east-1", "eu-west-1"}, "", nil},
		{"an optional part", "(db)?x", []string{"dbx", "x"}, "", nil},
		{"nothing", "", []string{""}, "", nil},
		{"repeated", "a{2}", []string{"aa"}, "", nil},
		{"more than 64", "[a-z][a-z]", nil, "", nil},
		{"a wide class", "x[^a]", nil, "x", nil},
		{"any end", "pay-.*", nil, "pay-", []string{"pay-", ""}},
		{"any beginning", ".*-db", nil, "", []string{"", "-db"}},
		{"anything between", "a.*b.*(?:c)", nil, "a", []string{"a", "b", "c"}},
		{"anything", ".*", nil, "", []string{"", ""}},
		{"something", "a.+", nil, "a", nil},
		{"any character, a line's end too", "(?s)a.*", nil, "a", nil},
		{"any case", "(?i)db", nil, "", nil},
		{"an anchor", "^db$", nil, "db", nil},
		{"the replacement character", "a\ufffd", nil, "a", nil},
		{"closes the library's group", "a)|(?:b", nil, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := labels.NewMatcher(labels.MatchRegexp, "x", c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			m := newMatcher(l)
			if !reflect.DeepEqual(m.values, c.values) || m.prefix != c.prefix ||
				!reflect.DeepEqual(m.parts, c.parts) {
				t.Fatalf("values %q, prefix %q, parts %q", m.values, m.prefix, m.parts)
			}
			for _, v := range append(c.values, "", "a", "b", "db", "DB", "pay-x", "a\xff", "web4", "xx",
				"pay-\n", "x-db", "x\n-db", "abc", "acbc", "abbcc", "ab", "ac", "a\xffb\xe2c") {
				if m.holds(v) != l.Matches(v) {
					t.Errorf("of %q: %t, the library says %t", v, m.holds(v), l.Matches(v))
				}
			}
		})
	}
}
