package rules

import "quell/correlate"

// table finds the first of a list of matchers that holds for an alert. Entries that ask for one
// exact service are indexed by it, so that a rule set with a rule per service costs one map lookup
// and the few rules that could match.
//
// Every index of entries is in exactly one list: in indexed, under the service that the entry asks
// for, or in others. The lists ascend, and a lookup merges the two that concern it.
type table struct {
	entries []matchers
	indexed map[string][]int
	others  []int
}

func newTable(entries []matchers) table {
	t := table{entries: entries, indexed: map[string][]int{}}
	for i, ms := range entries {
		if service, ok := ms.equalTo("service"); ok {
			t.indexed[service] = append(t.indexed[service], i)
		} else {
			t.others = append(t.others, i)
		}
	}
	return t
}

// find returns the index of the first entry that holds for a. The last entry holds for all.
func (t *table) find(a *correlate.Alert) int {
	own, others := t.indexed[a.Service], t.others
	for {
		var i int
		if len(own) > 0 && own[0] < others[0] { // the last entry is in others: they never run out
			i, own = own[0], own[1:]
		} else {
			i, others = others[0], others[1:]
		}
		if t.entries[i].alert(a) {
			return i
		}
	}
}
