package app

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage a service may gather before it is collected, in percent of what is
// alive. Batches, blocks and records are used again, so there is little of it, and collecting twice as
// often as Go does by default costs nothing that `quell bench` can show (2.87 us of CPU an event
// against 3.01, within its noise); but the dedup table of a million fingerprints stays alive, and the
// room for garbage beside it would be as large again.
const gcPercent = 50

// TuneMemory sets how often garbage is collected, unless the environment (GOGC) says it.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
