//go:build synctests

package virtual

import (
	"testing"
	"time"
)

// A process hangs, as with SIGSTOP, while another takes its partitions. When it wakes up, what it
// had sent arrives: requests, and inserts into the archive.
func TestZombie(t *testing.T) {
	each(t, 5, func(t *testing.T, seed uint64) {
		inBubble(t, seed, nil, func(w *world) {
			w.archive.mind(w.dice.IntN(2) * 20)
			first := w.start("first")
			w.flow(10+w.dice.IntN(20), 5*time.Second)
			for range 1 + w.dice.IntN(2) {
				w.say("first", "hangs")
				first.wire.freeze()
				w.fire()
				if len(w.processes) == 1 {
					w.start("second")
				}
				w.flow(10, time.Duration(1+w.dice.IntN(60))*time.Second)
				w.say("first", "goes on")
				first.wire.thaw()
				w.flow(10, 5*time.Second)
			}
			switch w.dice.IntN(3) {
			case 0:
				first.kill()
			case 1:
				first.stop()
			}
			w.finish()
		})
	})
}
