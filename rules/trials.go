package rules

import "slices"

// patternTrials is what running a regular expression over a name costs, in comparisons of two
// strings: 150-400 ns against 10.
const patternTrials = 25

// Trials bounds what Resolve costs, in comparisons of two strings (about 10 ns each): what the
// indexes of rules and routes cannot exclude is held against the alert one by one. Ten thousand
// rules that each ask for a service of their own make a few trials; a hundred rules of one service
// make a hundred, and as many that all look for a pattern in a name make 2,500.
func (s *Set) Trials() int {
	return s.ruleTable.trials() + s.routeTable.trials() + patternTrials*len(s.services.globs)
}

// Reads returns the names, sorted, of all that Resolve looks at: two alerts that agree in these
// fields and labels resolve alike.
func (s *Set) Reads() []string {
	var names []string
	for _, t := range []*table{&s.ruleTable, &s.routeTable} {
		for _, ms := range t.entries {
			for i := range ms {
				names = append(names, ms[i].Name)
			}
		}
	}
	if len(s.services.entries) > 0 {
		names = append(names, "service")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *table) trials() int {
	n := t.together(t.others)
	for i := range t.indexes {
		most := 0
		for _, list := range t.indexes[i].by {
			most = max(most, t.together(list))
		}
		n += 1 + most
	}
	return n
}

// together returns the trials of all entries of a list.
func (t *table) together(list []int) (n int) {
	for _, i := range list {
		for k := range t.entries[i] {
			if m := &t.entries[i][k]; m.pattern != nil && m.parts == nil {
				n += patternTrials
			} else {
				n++
			}
		}
	}
	return n
}
