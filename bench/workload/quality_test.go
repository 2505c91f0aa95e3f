package workload

import "testing"

// TestGoodRulesFindEverything is the promise of the package: generic rules that know no parameter
// of the storm miss nothing and stay pure, whatever the seed.
func TestGoodRulesFindEverything(t *testing.T) {
	for _, size := range []struct {
		events, seeds int
		fragments     float64
	}{{2000, 50, 3}, {10_000, 20, 2.7}, {100_000, 1, 2.5}} {
		var least, purity, fragments, ari float64 = 1, 0, 0, 0
		for seed := range uint64(size.seeds) {
			q := simulate(t, Options{Seed: seed + 100, Events: size.events},
				map[string]rule{"recommended": recommended})["recommended"]
			if q.Missed != 0 || q.Purity < 0.93 || q.IncidentsPerFault > size.fragments+1 {
				t.Errorf("%d events, seed %d: %+v", size.events, seed+100, q)
			}
			least = min(least, q.Purity)
			purity += q.Purity / float64(size.seeds)
			fragments += q.IncidentsPerFault / float64(size.seeds)
			ari += q.ARI / float64(size.seeds)
		}
		t.Logf("%d events, %d seeds: purity %.3f on average, %.3f at least; %.2f incidents per fault; "+
			"ARI %.2f", size.events, size.seeds, purity, least, fragments, ari)
		if purity < 0.95 || fragments > size.fragments {
			t.Errorf("%d events: purity %.3f, incidents per fault %.2f on average", size.events, purity,
				fragments)
		}
	}
}

// TestGoodRulesInTheProduct: the same holds in the engine behind deduplication, where an alert stays
// in its incident however its severity changes and a record carries the events that were owed, also
// on a machine that does not keep up.
func TestGoodRulesInTheProduct(t *testing.T) {
	for _, run := range []struct {
		name          string
		events, seeds int
		delay         func(now int) int
	}{
		{"small", 2000, 50, none}, {"large", 50_000, 2, none}, {"stalls", 10_000, 8, stalls},
		{"slow", 10_000, 8, slow},
	} {
		t.Run(run.name, func(t *testing.T) {
			var least, purity, fragments float64 = 1, 0, 0
			for seed := range uint64(run.seeds) {
				q := simulateProduct(t, Options{Seed: seed, Events: run.events}, run.delay)
				if q.Missed != 0 || q.Purity < 0.91 || q.IncidentsPerFault > 3.5 ||
					q.Unassigned*50 > q.Events {
					t.Errorf("seed %d: %+v", seed, q)
				}
				least = min(least, q.Purity)
				purity += q.Purity / float64(run.seeds)
				fragments += q.IncidentsPerFault / float64(run.seeds)
			}
			t.Logf("%d events, %d seeds: purity %.3f on average, %.3f at least; %.2f incidents per fault",
				run.events, run.seeds, purity, least, fragments)
			if purity < 0.95 || fragments > 2.7 {
				t.Errorf("purity %.3f, incidents per fault %.2f on average", purity, fragments)
			}
		})
	}
}

// TestBadRulesScoreBadly: each shortcut shows in some figure, on every seed.
func TestBadRulesScoreBadly(t *testing.T) {
	rules := map[string]rule{"one per scope": perScope, "session per scope": sessionPerScope,
		"one per fingerprint": perFingerprint, "session per service": perService,
		"session per host": perHost, "session per zone": perZone, "session per cluster": perCluster,
		"recommended without windows": perClusterEver}
	bad := map[string]func(q Quality) bool{
		"one per scope":       func(q Quality) bool { return q.Missed*2 > q.Faults && q.Purity < 0.7 },
		"session per scope":   func(q Quality) bool { return q.Missed*2 > q.Faults && q.Purity < 0.7 },
		"one per fingerprint": func(q Quality) bool { return q.IncidentsPerFault > 15 },
		"session per service": func(q Quality) bool { return q.Purity < 0.88 },
		"session per host":    func(q Quality) bool { return q.Purity < 0.9 && q.IncidentsPerFault > 4 },
		"session per zone":    func(q Quality) bool { return q.Missed > 0 && q.Purity < 0.7 },
		"session per cluster": func(q Quality) bool { return q.Missed > 0 && q.Purity < 0.8 },
		"recommended without windows": func(q Quality) bool {
			return q.Missed > 0
		},
	}
	for seed := range uint64(6) {
		for name, q := range simulate(t, Options{Seed: seed, Events: 20_000}, rules) {
			if !bad[name](q) {
				t.Errorf("seed %d, %s scores too well: %+v", seed, name, q)
			}
		}
	}
}
