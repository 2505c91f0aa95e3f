package rules

import "quell/correlate"

// table finds the first of a list of matchers that holds for an alert.
//
// Nearly every entry asks one of its names for one of a few values: service="db", or
// cluster=~"eu-(1|2)". Each such entry is indexed under its rarest name by these values, so that
// a thousand rules cost one map lookup for each name that is indexed, and the few rules that could
// match. Every entry is in lists of one index, or in others. The lists ascend, and a lookup merges
// those that concern it.
type table struct {
	entries []matchers
	indexes []index
	others  []int // the last entry is one of them
}

// index is the entries that ask name for something, by what they ask for.
type index struct {
	name string
	by   map[string][]int
}

func newTable(entries []matchers) table {
	t := table{entries: entries}
	counts := valueCounts(entries)
	for i, ms := range entries {
		m := ms.rarest(counts)
		if m == nil {
			t.others = append(t.others, i)
			continue
		}
		by := t.index(m.Name).by
		for _, v := range m.values {
			by[v] = append(by[v], i)
		}
	}
	return t
}

// valueCounts returns, for each name, how many values entries ask it for.
func valueCounts(entries []matchers) map[string]int {
	type pair struct{ name, value string }
	seen, counts := map[pair]bool{}, map[string]int{}
	for _, ms := range entries {
		for i := range ms {
			for _, v := range ms[i].asked() {
				if p := (pair{ms[i].Name, v}); !seen[p] {
					seen[p] = true
					counts[p.name]++
				}
			}
		}
	}
	return counts
}

// rarest returns the matcher that asks for the smallest share of the values of its name, or nil.
// One that is content with "" would be looked at for every alert without the label.
func (ms matchers) rarest(counts map[string]int) *matcher {
	var best *matcher
	for i := range ms {
		m := &ms[i]
		if len(m.asked()) == 0 || m.values[0] == "" {
			continue
		}
		if best == nil || len(m.values)*counts[best.Name] < len(best.values)*counts[m.Name] {
			best = m
		}
	}
	return best
}

// index returns the index of name, a new one if there is none.
func (t *table) index(name string) *index {
	for i := range t.indexes {
		if t.indexes[i].name == name {
			return &t.indexes[i]
		}
	}
	t.indexes = append(t.indexes, index{name: name, by: map[string][]int{}})
	return &t.indexes[len(t.indexes)-1]
}

// find returns the index of the first entry that holds for a. The last entry holds for all.
func (t *table) find(a *correlate.Alert) int {
	var room [8][]int
	lists := room[:0]
	for i := range t.indexes {
		if l := t.indexes[i].by[a.Field(t.indexes[i].name)]; len(l) > 0 {
			lists = append(lists, l)
		}
	}
	others := t.others
	for {
		next := &others // never empty: the last entry is in it, and holds
		for i := range lists {
			if len(lists[i]) > 0 && lists[i][0] < (*next)[0] {
				next = &lists[i]
			}
		}
		i := (*next)[0]
		if t.entries[i].alert(a) {
			return i
		}
		*next = (*next)[1:]
	}
}
