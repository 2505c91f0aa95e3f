package app

import "testing"

func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		live    uint64
		garbage uint64 // about, in MiB
	}{
		{"nothing was collected yet: Go's own minimum in proportion", 0, 0},
		{"a service that has just started", 10 * mib, 128},
		{"a hundred thousand fingerprints", 100 * mib, 128},
		{"where both bounds meet", 512 * mib, 128},
		{"a million fingerprints", 600 * mib, 150},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := uint64(percentFor(c.live))
			if got := c.live * p / 100 / mib; got+2 < c.garbage || got > c.garbage {
				t.Errorf("%d %%: %d MiB of garbage, want about %d", p, got, c.garbage)
			}
			if first := goHeapMinimum * p / 100 / mib; first > 128 {
				t.Errorf("the first collection comes at %d MiB", first)
			}
		})
	}
}
