package workload

import (
	"math"
	"slices"
	"testing"
)

func TestScore(t *testing.T) {
	for _, c := range []struct {
		name   string
		why    string
		faults int
		rows   []Row
		want   Quality
	}{
		{"nothing", "no event, nothing found, nothing divided by zero", 2, nil,
			Quality{Faults: 2, Missed: 2, ARI: 1}},
		{"perfect", "two faults, background apart", 2,
			[]Row{{"a", 1, 6}, {"b", 2, 3}, {"n", 0, 11}},
			Quality{Faults: 2, Found: 2, Purity: 1, IncidentsPerFault: 1.5, ARI: 1,
				Compression: 1 - 3.0/20, Incidents: 3, Events: 20}},
		{"one incident", "fault 1 is the most frequent true one although noise is more frequent; " +
			"purity counts the noise: 10 of 20", 3,
			[]Row{{"a", 1, 5}, {"a", 2, 3}, {"a", 3, 2}, {"a", 0, 10}},
			Quality{Faults: 3, Found: 1, Missed: 2, Purity: 0.5, IncidentsPerFault: 1.0 / 3, ARI: 0,
				Compression: 1 - 1.0/20, Incidents: 1, Events: 20}},
		{"rows add up", "the same pair twice; 1+1 beats 1 only when added", 2,
			[]Row{{"a", 1, 1}, {"a", 2, 2}, {"a", 1, 2}, {"b", 2, 0}},
			Quality{Faults: 2, Found: 1, Missed: 1, Purity: 0.6, IncidentsPerFault: 0.5, ARI: 0,
				Compression: 0.8, Incidents: 1, Events: 5}},
		{"a tie", "of equally frequent true incidents the lower number is found", 2,
			[]Row{{"a", 2, 4}, {"a", 1, 4}},
			Quality{Faults: 2, Found: 1, Missed: 1, Purity: 0.5, IncidentsPerFault: 0.5, ARI: 0,
				Compression: 1 - 1.0/8, Incidents: 1, Events: 8}},
		{"unassigned", "events in no incident count for compression only", 1,
			[]Row{{"a", 1, 4}, {"", 1, 5}, {"", 0, 1}},
			Quality{Faults: 1, Found: 1, Purity: 1, IncidentsPerFault: 1, ARI: 1,
				Compression: 0.9, Incidents: 1, Events: 10, Unassigned: 6}},
		// Hand-computed: contingency a: 2,1; b: 0,3. Pairs together 1+3=4, by incident 3+3=6, by
		// label 1+6=7, all 15. Expected 6*7/15=2.8, mean 6.5: (4-2.8)/(6.5-2.8)=1.2/3.7.
		{"rand index", "the textbook formula by hand; noise changes purity, not the index", 2,
			[]Row{{"a", 1, 2}, {"a", 2, 1}, {"b", 2, 3}, {"b", 0, 4}},
			Quality{Faults: 2, Found: 2, Purity: 0.6, IncidentsPerFault: 1, ARI: 1.2 / 3.7,
				Compression: 0.8, Incidents: 2, Events: 10}},
		{"each alone", "one incident for each event: no pair is together, by chance none would be", 1,
			[]Row{{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}},
			Quality{Faults: 1, Found: 1, Purity: 1, IncidentsPerFault: 3, ARI: 0,
				Incidents: 3, Events: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Score(c.faults, slices.Values(c.rows))
			if err != nil {
				t.Fatal(err)
			}
			round(&got)
			round(&c.want)
			if got != c.want {
				t.Errorf("%s:\n got %+v\nwant %+v", c.why, got, c.want)
			}
		})
	}
}

// round takes the last digits off, which the order of a hand's computation changes.
func round(q *Quality) {
	for _, f := range []*float64{&q.Purity, &q.IncidentsPerFault, &q.ARI, &q.Compression} {
		*f = math.Round(*f*1e12) / 1e12
	}
}

func TestScoreRefusesAnotherStormsRows(t *testing.T) {
	for name, r := range map[string]Row{
		"a fault that the truth lacks": {"a", 3, 1},
		"a negative label":             {"a", -1, 1},
		"a negative count":             {"a", 1, -1},
	} {
		if _, err := Score(2, slices.Values([]Row{r})); err == nil {
			t.Errorf("%s was scored", name)
		}
	}
}
