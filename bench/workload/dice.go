package workload

import "math/rand/v2"

// dice draws the plan. It only draws integers, so that a plan is the same on every machine.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, stream))} }

// between draws from lo..hi, both included.
func (d *dice) between(lo, hi int) int {
	if hi <= lo {
		return lo
	}
	return lo + d.IntN(hi-lo+1)
}

// chance is true perMille times in a thousand.
func (d *dice) chance(perMille int) bool { return d.IntN(1000) < perMille }

func pick[T any](d *dice, from []T) T { return from[d.IntN(len(from))] }
