//go:build synctests

package virtual

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
	"quell/pipeline"
)

// Somebody is away for long: dedup windows, sessions, group timers and retention's clock pass
// meanwhile. Nothing is lost, nothing is told twice, and who waits for nobody waits for nobody.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(w *world)
	}{
		{"intake for an hour", func(w *world) {
			w.start("correlate", only(pipeline.Roles{Correlate: true}), unhurried)
			in := w.start("intake", only(pipeline.Roles{Intake: true, Archive: true}))
			w.flow(20, 10*time.Second)
			in.kill()
			w.flow(30, time.Hour)
			w.start("intake", only(pipeline.Roles{Intake: true, Archive: true}))
		}},
		{"correlate for an hour", func(w *world) {
			w.start("intake", only(pipeline.Roles{Intake: true}), unhurried)
			p := w.start("correlate", only(pipeline.Roles{Correlate: true}))
			w.flow(20, 10*time.Second)
			p.kill()
			w.flow(30, time.Hour)
			w.start("correlate", only(pipeline.Roles{Correlate: true, Archive: true}))
		}},
		{"the archive for a day", func(w *world) {
			paging := w.start("paging", only(pipeline.Roles{Intake: true, Correlate: true}))
			archiving := w.start("archiving", only(pipeline.Roles{Archive: true}), unhurried)
			w.archive.SetDown(errors.New("no ClickHouse here"))
			w.flow(20, 10*time.Second)
			w.eventually("it pages nevertheless", func() bool { return len(w.read("pages")) > 0 })
			archiving.kill() // in the middle of its retries
			paging.stop()
			time.Sleep(24*time.Hour - time.Minute)
			w.start("paging", only(pipeline.Roles{Intake: true, Correlate: true}))
			w.start("archiving", only(pipeline.Roles{Archive: true}))
			w.flow(20, time.Minute)
			if n := len(w.archive.Rows(archive.TableEvents)); n > 0 {
				w.t.Errorf("%d events were archived while the archive was away", n)
			}
			w.archive.SetDown(nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, *seedFlag, nil, func(w *world) {
				c.test(w)
				w.finish()
			})
		})
	}
}

func only(r pipeline.Roles) func(*pipeline.Options) {
	return func(o *pipeline.Options) { o.Roles = r }
}

// unhurried makes hours cheap. What happens while nothing happens is all that they cost: ticks,
// polls, heartbeats, positions; and a restart reads the state topics, in small bites.
func unhurried(o *pipeline.Options) {
	o.Pace = pipeline.Pace{Tick: 1500 * time.Millisecond, Poll: 5 * time.Second, Commit: 30 * time.Second}
	o.Kafka.SessionTimeout = 45 * time.Second
	o.Kafka.More = append(o.Kafka.More, kgo.HeartbeatInterval(15*time.Second), kgo.FetchMaxWait(30*time.Second),
		kgo.ConnIdleTimeout(15*time.Minute), kgo.FetchMaxPartitionBytes(64<<10))
}
