package workload

import (
	"fmt"
	"iter"
	"math"
)

// Row says how many events with one label went into one incident. Several rows may say so of the
// same pair; they add up. Incident "" means events that no incident has.
type Row struct {
	Incident string
	Fault    int32
	Events   int64
}

// Quality is how good a correlation was. No figure of it means anything alone: one incident for
// everything compresses best, one for each alert is purest.
type Quality struct {
	Faults int `json:"incidents"` // true incidents
	Found  int `json:"found"`     // those that are the most frequent true one of some incident
	Missed int `json:"missed"`    // the others

	// Purity is the share of events in incidents that carry their incident's most frequent label,
	// where Noise is a label like any other.
	Purity float64 `json:"purity"`
	// IncidentsPerFault is emitted incidents, those of pure noise included, per true one.
	IncidentsPerFault float64 `json:"incidents_per_fault"`
	// ARI is the adjusted Rand index (Hubert and Arabie 1985) between incidents and true incidents,
	// over the events of faults that are in incidents: 1 for equal partitions, 0 for what chance
	// would give. Background is left out: it is not one incident, so keeping it apart is no error.
	ARI float64 `json:"adjusted_rand_index"`
	// Compression is 1 - incidents/events, over all events.
	Compression float64 `json:"compression"`

	Incidents  int   `json:"emitted"`    // incidents with at least one event
	Events     int64 `json:"events"`     // all
	Unassigned int64 `json:"unassigned"` // of them, those in no incident
}

// Score measures a correlation against a truth of faults 1..faults. It needs memory for each
// different pair of incident and label, not for events. A label outside 0..faults or a negative
// count is an error: the rows are of another storm.
func Score(faults int, rows iter.Seq[Row]) (Quality, error) {
	t := tally{incidents: map[string]map[int32]int64{}, labels: make([]int64, faults+1)}
	for r := range rows {
		if r.Fault < 0 || int(r.Fault) > faults || r.Events < 0 {
			return Quality{}, fmt.Errorf("score: incident %q has %d events of fault %d, but the storm "+
				"has faults 1 to %d; score it against the truth of its own run",
				r.Incident, r.Events, r.Fault, faults)
		}
		t.add(r)
	}
	return t.quality(faults), nil
}

type tally struct {
	incidents  map[string]map[int32]int64 // events by incident and label
	labels     []int64                    // events in incidents, by label
	assigned   int64
	unassigned int64
}

func (t *tally) add(r Row) {
	if r.Events == 0 {
		return
	}
	if r.Incident == "" {
		t.unassigned += r.Events
		return
	}
	of := t.incidents[r.Incident]
	if of == nil {
		of = map[int32]int64{}
		t.incidents[r.Incident] = of
	}
	of[r.Fault] += r.Events
	t.labels[r.Fault] += r.Events
	t.assigned += r.Events
}

// quality folds the incidents in any order: it only adds and marks, so the map's order cannot show.
func (t *tally) quality(faults int) Quality {
	q := Quality{Faults: faults, Incidents: len(t.incidents), Events: t.assigned + t.unassigned,
		Unassigned: t.unassigned}
	found := make([]bool, faults+1)
	var pure int64
	var together, sameIncident, sameLabel pairs
	for _, of := range t.incidents {
		most, main, all := dominant(of)
		pure += most
		found[main] = true
		sameIncident.add(all - of[Noise])
		for label, n := range of {
			if label != Noise {
				together.add(n)
			}
		}
	}
	for _, n := range t.labels[1:] {
		sameLabel.add(n)
	}
	for _, yes := range found[1:] {
		if yes {
			q.Found++
		}
	}
	q.Missed = faults - q.Found
	if t.assigned > 0 {
		q.Purity = float64(pure) / float64(t.assigned)
	}
	if faults > 0 {
		q.IncidentsPerFault = float64(q.Incidents) / float64(faults)
	}
	if q.Events > 0 {
		q.Compression = 1 - float64(q.Incidents)/float64(q.Events)
	}
	var all pairs
	all.add(t.assigned - t.labels[Noise])
	q.ARI = adjustedRand(together, sameIncident, sameLabel, all)
	return q
}

// dominant returns the count of the most frequent label, the most frequent true incident (Noise
// when there is none; of equals the lower number), and the count of all.
func dominant(of map[int32]int64) (most int64, main int32, all int64) {
	for label, n := range of {
		all += n
		most = max(most, n)
		if label != Noise && (main == Noise || n > of[main] || n == of[main] && label < main) {
			main = label
		}
	}
	return most, main, all
}

// pairs counts pairs of events: exact up to four billion events.
type pairs uint64

func (p *pairs) add(n int64) { *p += pairs(uint64(n) * uint64(n-1) / 2) }

// adjustedRand is (together - expected) / (mean - expected); two partitions that chance could not
// make differ (all in one, or each alone) agree fully.
func adjustedRand(together, incidents, labels, all pairs) float64 {
	if all == 0 {
		return 1
	}
	expected := float64(incidents) / float64(all) * float64(labels)
	mean := (float64(incidents) + float64(labels)) / 2
	if math.Abs(mean-expected) < 1e-9*max(1, mean) {
		return 1
	}
	return (float64(together) - expected) / (mean - expected)
}
