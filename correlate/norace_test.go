//go:build !race

package correlate_test

// raceEnabled says whether the race detector slows everything down.
const raceEnabled = false
