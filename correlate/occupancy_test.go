package correlate

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkStatsByScopes: each step asks for them, also one with nothing but a tick.
func BenchmarkStatsByScopes(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, err := New(fuzzOptions(ClockAppend))
			if err != nil {
				b.Fatal(err)
			}
			var fx Effects
			for i := range n {
				a := &Alert{Scope: fmt.Sprint(i), Severity: Critical, Status: Firing, Verdict: VerdictNew, Count: 1,
					Fingerprint: Fingerprint{byte(i), byte(i >> 8), byte(i >> 16)}, Raw: RawPosition{Offset: int64(i)}}
				if err := e.Step([]Record{{Offset: int64(i), Time: 1000, Kind: KindAlert, Alert: a}}, &fx); err != nil {
					b.Fatal(err)
				}
				fx.Reset()
			}
			for b.Loop() {
				if got := e.Stats(); got.MostOpen != 1 || got.MostGroups != 1 {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}

// The fullest is known without a look at all.
func TestOccupancy(t *testing.T) {
	o, rnd := newOccupancy[int](), rand.New(rand.NewPCG(5, 6))
	want := map[int]int{}
	for i := range 20_000 {
		name := rnd.IntN(1 + rnd.IntN(40))
		if want[name] > 0 && rnd.IntN(100) < 45+i/1000 {
			o.leave(name)
			want[name]--
		} else {
			o.enter(name)
			want[name]++
		}
		most, names := 0, 0
		for name, n := range want {
			most = max(most, n)
			if n > 0 {
				names++
			}
			if o.of(name) != n {
				t.Fatalf("step %d: %d has %d, want %d", i, name, o.of(name), n)
			}
		}
		if o.most != most || len(o.counts) != names {
			t.Fatalf("step %d: the fullest of %d has %d, want %d of %d", i, len(o.counts), o.most, most, names)
		}
	}
}
