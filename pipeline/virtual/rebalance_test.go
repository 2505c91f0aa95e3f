//go:build synctests

package virtual

import (
	"fmt"
	"testing"
	"time"

	"quell/pipeline"
	"quell/rules"
)

// Two or three processes come and go while events flow: cleanly or not, as static members or not,
// with an archive that is not well.
func TestRebalance(t *testing.T) {
	each(t, 5, func(t *testing.T, seed uint64) {
		inBubble(t, seed, wide, func(w *world) {
			static := w.dice.IntN(2) == 0
			w.archive.mind(w.dice.IntN(2) * 30)
			var up [3]*process
			begin := func(i int) {
				up[i] = w.start(fmt.Sprint("process-", i), func(o *pipeline.Options) {
					if static {
						o.Kafka.Instance = fmt.Sprint("instance-", i)
					}
				})
			}
			begin(0)
			for range 8 {
				w.flow(8, time.Duration(w.dice.IntN(6000))*time.Millisecond)
				i := w.dice.IntN(3)
				switch {
				case up[i] == nil:
					begin(i)
					continue
				case w.dice.IntN(2) == 0:
					up[i].kill()
				default:
					w.say(up[i].name, "is told to stop")
					up[i].cancel()
				}
				<-up[i].done // an orchestrator never runs two of one name
				up[i] = nil
			}
			if up == [3]*process{} {
				begin(0)
			}
			w.finish()
		})
	})
}

// wide has more partitions of everything.
func wide(o *pipeline.Options, _ *rules.Spec) {
	o.Topics.Raw[0].Partitions, o.Topics.ArchivePartitions = 4, 3
}
