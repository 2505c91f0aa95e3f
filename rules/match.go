package rules

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"quell/correlate"
)

// matchers is a compiled Match: all of them must hold. Sorted, so that equal ones are written
// equal.
type matchers []matcher

// compileMatch compiles every element of m. Problems carry paths below path.
func compileMatch(m Match, path string) (matchers, []Problem) {
	var (
		all      labels.Matchers
		out      matchers
		problems []Problem
	)
	for i, text := range m {
		ms, err := parse.Matchers(text)
		if err == nil && !utf8.ValidString(text) {
			err = errors.New("invalid UTF-8")
		}
		if err != nil {
			at := path
			if len(m) > 1 {
				at = fmt.Sprintf("%s[%d]", path, i)
			}
			problems = append(problems, Problem{Path: at, Text: matcherText(text, err)})
			continue
		}
		all = append(all, ms...)
	}
	sort.Stable(all)
	for _, m := range all {
		out = append(out, newMatcher(m))
	}
	return out, problems
}

// parserPosition is how the library's parser begins its errors: first and last character.
var parserPosition = regexp.MustCompile(`^(\d+):\d+: (.*)$`)

// matcherText words what the library's parser said about text.
func matcherText(text string, err error) string {
	said := err.Error()
	if m := parserPosition.FindStringSubmatch(said); m != nil {
		said = "after " + m[1] + " characters: " + m[2]
	}
	said = strings.TrimPrefix(said, "failed to create matcher: ")
	if said = strings.ToValidUTF8(said, "?"); strings.Contains(text, `\`) {
		said += `; within double quotes a backslash is written \\`
	}
	return fmt.Sprintf(`%#q is not a matcher (%s); write name="value", name!="value",`+
		` name=~"pattern" or name!~"pattern", separated by commas`, text, said)
}

// alert reports whether all matchers hold for a.
func (ms matchers) alert(a *correlate.Alert) bool { return ms.failing(a) == nil }

// failing returns the first matcher that does not hold for a, or nil.
func (ms matchers) failing(a *correlate.Alert) *labels.Matcher {
	for i := range ms {
		if !ms[i].holds(a.Field(ms[i].Name)) {
			return ms[i].Matcher
		}
	}
	return nil
}

// strings writes the matchers one by one, as a Match that compiles to the same.
func (ms matchers) strings() Match {
	out := make(Match, 0, len(ms))
	for i, m := range ms {
		s := strconv.Quote(m.Name) + m.Type.String() + strconv.Quote(m.Value)
		if i > 0 && s == out[len(out)-1] {
			continue
		}
		out = append(out, s)
	}
	return out
}
