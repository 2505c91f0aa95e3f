package chaos

import (
	"reflect"
	"slices"
	"testing"

	"quell/correlate"
)

// TestPlans: whatever the seed, the first five rounds have every act that must occur, one of them
// runs under the event clock and leaves the broker alone, and a seed always means the same.
func TestPlans(t *testing.T) {
	for seed := range uint64(500) {
		for block := range 3 {
			var acts []Act
			event := 0
			for n := 1; n <= blockRounds; n++ {
				p := newPlan(seed, block*blockRounds+n)
				acts = append(acts, p.Acts...)
				if again := newPlan(seed, block*blockRounds+n); !reflect.DeepEqual(p, again) {
					t.Fatalf("seed %d round %d: %+v, then %+v", seed, n, p, again)
				}
				if p.Clock != correlate.ClockEvent {
					continue
				}
				event++
				if slices.ContainsFunc(p.Acts, ofBroker) {
					t.Errorf("seed %d round %d: %v under the event clock", seed, n, p.Acts)
				}
				if block == 0 && !slices.Contains(p.Acts, StaleArchive) {
					t.Errorf("seed %d: the stale archiver is not woken an hour later", seed)
				}
			}
			for _, a := range always() {
				if !slices.Contains(acts, a) {
					t.Errorf("seed %d: %s does not occur in block %d", seed, a, block)
				}
			}
			if event != 1 {
				t.Errorf("seed %d: %d rounds under the event clock", seed, event)
			}
		}
	}
}

// TestLayouts: every role is there twice, or nobody could take over.
func TestLayouts(t *testing.T) {
	for _, l := range layouts() {
		for _, role := range []string{intake, correlation, archiving} {
			n := 0
			for _, m := range l.members {
				if (&node{member: m}).has(role) {
					n++
				}
			}
			if n < 2 {
				t.Errorf("%s has %d processes for %s", l.name, n, role)
			}
		}
	}
}
