//go:build race

package correlate_test

// raceEnabled makes the laws try fewer seeds: each takes ten times as long.
const raceEnabled = true
