//go:build synctests

package virtual

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Hours pass with events all along, and every few minutes something happens to somebody: so that
// dedup windows, sessions, timers and the memory of incidents end between any two faults, which they
// do not in the minutes of the other tests.
func TestHours(t *testing.T) {
	each(t, 2, func(t *testing.T, seed uint64) {
		inBubble(t, seed, nil, func(w *world) {
			w.hours(3 * time.Hour)
			w.finish()
		})
	})
}

// hours lets time pass with sparse load, and faults.
func (w *world) hours(d time.Duration) {
	up := []*process{w.begin()}
	for end := time.Now().Add(d); time.Now().Before(end); {
		w.flow(4+w.dice.IntN(12), time.Duration(1+w.dice.IntN(20))*time.Minute)
		if len(up) > 1 {
			w.leave(up[0])
			up = up[1:]
		}
		p := up[0]
		switch w.dice.IntN(7) {
		case 0: // it is succeeded
			w.leave(p)
			time.Sleep(time.Duration(w.dice.IntN(600)) * time.Second)
			up[0] = w.begin()
		case 1: // it hangs, and its successor comes before it goes on
			w.say(p.name, "hangs")
			p.wire.freeze()
			up = append(up, w.begin())
			w.flow(5, time.Duration(1+w.dice.IntN(900))*time.Second)
			w.say(p.name, "goes on")
			p.wire.thaw()
		case 2: // another one comes, and it leaves later
			up = append(up, w.begin())
		case 3:
			w.archive.mind(w.dice.IntN(60))
		case 4:
			w.archive.SetDown(errors.New("no ClickHouse here"))
			w.flow(5, time.Duration(w.dice.IntN(1200))*time.Second)
			w.archive.SetDown(nil)
		case 5:
			w.spoilt(p, w.anyKind())
		case 6:
			key := w.anyKind()
			refused := w.refuse(key, kinds()[key][w.dice.IntN(len(kinds()[key]))])
			w.flow(3, 10*time.Second)
			refused.Remove()
		}
	}
}

// begin starts a process that makes hours cheap.
func (w *world) begin() *process {
	return w.start(fmt.Sprint("process-", len(w.processes)), unhurried)
}

// leave ends a process in one way or the other.
func (w *world) leave(p *process) {
	if w.dice.IntN(2) == 0 {
		p.kill()
		<-p.done
		return
	}
	p.stop()
}

func (w *world) anyKind() kmsg.Key {
	all := slices.Sorted(maps.Keys(kinds()))
	return all[w.dice.IntN(len(all))]
}
