package rules

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// matcher is one compiled matcher. It decides as the library's does, but most regular expressions
// that people write into rules are lists of names ("a|b|c", "web[1-3]"), which are kept as such, or
// parts of names with anything between ("pay-.*", ".*db.*"), which are looked for. Of the rest many
// are refused by their beginning without being run.
type matcher struct {
	*labels.Matcher
	negated bool
	values  []string       // sorted: the values it asks for or refuses; nil: pattern decides
	pattern *regexp.Regexp // of Matcher
	parts   []string       // nil, or what pattern has before, between and behind each ".*"
	prefix  string         // of every string that pattern matches
}

// mostValues is how many strings a regular expression may stand for to be kept as their list.
const mostValues = 64

func newMatcher(m *labels.Matcher) matcher {
	out := matcher{Matcher: m, negated: m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp}
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		out.values = []string{m.Value}
		return out
	}
	if parsed, err := syntax.Parse(m.Value, syntax.Perl); err == nil {
		parsed = parsed.Simplify()
		out.values, out.parts = stringsOf(parsed, 0), partsOf(parsed)
	}
	if out.values != nil {
		slices.Sort(out.values)
		out.values = slices.Compact(out.values)
		return out
	}
	out.pattern = regexp.MustCompile("^(?:" + m.Value + ")$") // as the library does
	if inner, err := regexp.Compile(m.Value); err == nil {
		out.prefix, _ = inner.LiteralPrefix()
	}
	return out
}

// holds tells whether the matcher holds for a value.
func (m *matcher) holds(v string) bool {
	var is bool
	switch {
	case len(m.values) == 1:
		is = m.values[0] == v
	case m.values != nil:
		_, is = slices.BinarySearch(m.values, v)
	case !strings.HasPrefix(v, m.prefix):
	case m.parts != nil && strings.IndexByte(v, '\n') < 0: // which a dot does not match
		is = inOrder(m.parts, v)
	default:
		is = m.pattern.MatchString(v)
	}
	return is != m.negated
}

// inOrder tells whether v begins with the first part, ends with the last and has the others between
// them in this order.
func inOrder(parts []string, v string) bool {
	last := len(parts) - 1
	rest, begins := strings.CutPrefix(v, parts[0])
	rest, ends := strings.CutSuffix(rest, parts[last])
	for i := 1; i < last && begins; i++ {
		_, rest, begins = strings.Cut(rest, parts[i])
	}
	return begins && ends
}

// asked returns the values of which one must be there for the matcher to hold; nil: it cannot be
// said.
func (m *matcher) asked() []string {
	if m.negated {
		return nil
	}
	return m.values
}

// partsOf returns the literals of an expression that is made of them and of ".*", an empty one where
// there is none before, between or behind; nil if there is anything else in it.
func partsOf(re *syntax.Regexp) []string {
	parts := []string{""}
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
	}
	for _, sub := range subs {
		switch {
		case sub.Op == syntax.OpStar && sub.Sub[0].Op == syntax.OpAnyCharNotNL:
			parts = append(parts, "")
		case sub.Op == syntax.OpLiteral && stringsOf(sub, 0) != nil:
			parts[len(parts)-1] += string(sub.Rune)
		default:
			return nil
		}
	}
	if len(parts) == 1 {
		return nil
	}
	return parts
}

// stringsOf returns all strings that re matches, if it is a finite list of at most mostValues, and
// nil otherwise. Depth bounds the recursion.
func stringsOf(re *syntax.Regexp, depth int) []string {
	if depth > 20 {
		return nil
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 || slices.Contains(re.Rune, unicode.ReplacementChar) {
			return nil // the replacement character also matches bytes that are no UTF-8
		}
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return runesOf(re.Rune)
	case syntax.OpCapture:
		return stringsOf(re.Sub[0], depth+1)
	case syntax.OpQuest:
		if out := stringsOf(re.Sub[0], depth+1); out != nil && len(out) < mostValues {
			return append(out, "")
		}
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			some := stringsOf(sub, depth+1)
			if some == nil || len(out)+len(some) > mostValues {
				return nil
			}
			out = append(out, some...)
		}
		return out
	case syntax.OpConcat:
		return concatenations(re.Sub, depth)
	}
	return nil
}

// runesOf returns the characters of a class, given as pairs of first and last.
func runesOf(class []rune) []string {
	var out []string
	for i := 0; i+1 < len(class); i += 2 {
		if int(class[i+1]-class[i]) >= mostValues-len(out) {
			return nil
		}
		for r := class[i]; r <= class[i+1]; r++ {
			if r == unicode.ReplacementChar {
				return nil
			}
			out = append(out, string(r))
		}
	}
	return out
}

func concatenations(parts []*syntax.Regexp, depth int) []string {
	out := []string{""}
	for _, part := range parts {
		tails := stringsOf(part, depth+1)
		if tails == nil || len(out)*len(tails) > mostValues {
			return nil
		}
		longer := make([]string, 0, len(out)*len(tails))
		for _, head := range out {
			for _, tail := range tails {
				longer = append(longer, head+tail)
			}
		}
		out = longer
	}
	return out
}
