package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// gcPercent is how much garbage a service may gather before it is collected, in percent of what is
// alive, where that is much. Batches, blocks and records are used again, so there is little of it, and
// what is alive is mostly tables without pointers, which cost a collection nothing. A process with all
// roles, a million fingerprints and 100,000 open alerts holds 909 MiB at most (make recovery).
const gcPercent = 25

// gcLeast is how much garbage a service may gather in any case, in bytes. Little is alive when a service
// has just started, or has few fingerprints; half of that is gathered several times a second in a
// storm, and each collection also lets go of the memory that waits to be used again, which then grows
// anew, page by page. Where 512 MiB are alive, gcPercent is more than this.
const gcLeast = 128 << 20

// goHeapMinimum is at how many bytes Go collects first, at 100 percent; at others, in proportion.
const goHeapMinimum = 4 << 20

// TuneMemory sets how often garbage is collected, unless the environment (GOGC) says it.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		new(collection).ended()
	}
}

// collection becomes garbage at once, so its finalizer runs after each collection of garbage.
type collection struct{ percent *int } // a pointer: what has none may share its fate with other things

// ended sets the percentage anew: Go counts it from what is alive, which has been found out just now.
func (c *collection) ended() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if p := percentFor(live[0].Value.Uint64()); c.percent == nil || *c.percent != p {
		debug.SetGCPercent(p)
		c.percent = &p
	}
	runtime.SetFinalizer(c, (*collection).ended)
}

// percentFor returns how much garbage may be gathered beside so many bytes that are alive.
func percentFor(live uint64) int {
	return max(gcPercent, int(gcLeast*100/max(live, goHeapMinimum)))
}
