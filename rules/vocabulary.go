package rules

import (
	"fmt"
	"slices"
	"strings"
)

// refuse says why rules may not read name, or "" when they may. A nil vocabulary allows all: the
// names of a Set's own canonical form were checked when it was first compiled.
func (v *Vocabulary) refuse(name string) string {
	if v == nil {
		return ""
	}
	switch name {
	case "severity", "status":
		return ""
	case "scope", "service", "entity", "check":
		if slices.Contains(v.Fields, name) {
			return ""
		}
		return fmt.Sprintf("%q is not part of an alert's identity, so duplicates with another %s"+
			" would never be seen; add it to dedup.fields", name, name)
	case "source":
		return `rules cannot read "source": two replicas of one monitoring system must collapse` +
			" into one alert, so its source would be whichever spoke first; use scope, service," +
			" entity, check or a label"
	case "id", "dedup_key", "time", "summary", "url", "value", "labels":
		return fmt.Sprintf("rules cannot read %q: it belongs to a single event and differs between"+
			" the events of one alert; use scope, service, entity, check, severity, status or a"+
			" label (drop rules may read it)", name)
	}
	if slices.Contains(v.Labels, name) || slices.Contains(v.PassOn, name) {
		return ""
	}
	text := fmt.Sprintf("rules cannot read the label %q: duplicates with another value would never"+
		" be seen; add it to dedup.pass_on (changes pass on at once) or to dedup.labels (part of"+
		" the identity)", name)
	if near := Nearest(name, v.names()); near != "" {
		text = fmt.Sprintf("rules do not know %q; did you mean %q? A label must be in"+
			" dedup.pass_on or dedup.labels", name, near)
	}
	return text
}

// names lists everything that rules may read.
func (v *Vocabulary) names() []string {
	return slices.Concat([]string{"severity", "status"}, v.Fields, v.Labels, v.PassOn)
}

// Nearest returns the one of names that name is most likely a misspelling of, or "" when none is
// close: at most a third of its characters may differ.
func Nearest(name string, names []string) string {
	best, bestDistance := "", len(name)/3+1
	for _, n := range names {
		d := distance(strings.ToLower(name), strings.ToLower(n))
		if d < bestDistance && d <= 3 {
			best, bestDistance = n, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and exchanges of neighbours that
// turn a into b (restricted Damerau-Levenshtein); strings over 64 bytes are far from everything.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
