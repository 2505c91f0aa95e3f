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
	}{
		{"one word", "db", []string{"db"}, ""},
		{"words", "db|web|db", []string{"db", "web"}, ""},
		{"a class", "web[1-3]", []string{"web1", "web2", "web3"}, ""},
		{"a group in the middle", "eu-(west|east)-1", []string{"eu-east-1", "eu-west-1"}, ""},
		{"an optional part", "(db)?x", []string{"dbx", "x"}, ""},
		{"nothing", "", []string{""}, ""},
		{"repeated", "a{2}", []string{"aa"}, ""},
		{"more than 64", "[a-z][a-z]", nil, ""},
		{"a wide class", "x[^a]", nil, "x"},
		{"any end", "pay-.*", nil, "pay-"},
		{"any beginning", ".*-db", nil, ""},
		{"any case", "(?i)db", nil, ""},
		{"an anchor", "^db$", nil, "db"},
		{"the replacement character", "a\ufffd", nil, "a"},
		{"closes the library's group", "a)|(?:b", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := labels.NewMatcher(labels.MatchRegexp, "x", c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			m := newMatcher(l)
			if !reflect.DeepEqual(m.values, c.values) || m.prefix != c.prefix {
				t.Fatalf("values %q, prefix %q", m.values, m.prefix)
			}
			for _, v := range append(c.values, "", "a", "b", "db", "DB", "pay-x", "a\xff", "web4", "xx") {
				if m.holds(v) != l.Matches(v) {
					t.Errorf("of %q: %t, the library says %t", v, m.holds(v), l.Matches(v))
				}
			}
		})
	}
}
