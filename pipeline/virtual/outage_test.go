//go:build synctests

package virtual

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
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
			w.missed()
			w.start("intake", only(pipeline.Roles{Intake: true, Archive: true}))
			w.toldOnce()
		}},
		{"correlate for an hour", func(w *world) {
			w.start("intake", only(pipeline.Roles{Intake: true}), unhurried)
			p := w.start("correlate", only(pipeline.Roles{Correlate: true}))
			w.flow(20, 10*time.Second)
			p.kill()
			w.missed()
			w.start("correlate", only(pipeline.Roles{Correlate: true, Archive: true}))
			w.toldOnce()
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

// missed is an hour that somebody misses: an alert of svc-x comes and clears in it, one of svc-y stays.
func (w *world) missed() {
	w.flow(10, 20*time.Minute)
	w.send(0, event("gone-x", "critical", "firing"))
	w.send(0, event("here-y", "critical", "firing"))
	w.alive["here-y"] = 1
	w.flow(10, 20*time.Minute)
	w.send(0, event("gone-x", "critical", "resolved"))
	w.flow(10, 20*time.Minute)
}

// toldOnce demands that the backlog pages once for what stayed, and not for what had cleared. (That
// it is over, because nothing is heard of it any more, is another page.)
func (w *world) toldOnce() {
	pages := func(service string) (n int) {
		for _, r := range w.read("pages") {
			var p correlate.Page
			if err := json.Unmarshal(r.Value, &p); err != nil {
				w.t.Fatal(err)
			}
			if p.Service == service && p.Reason != correlate.ReasonAllResolved {
				n++
			}
		}
		return n
	}
	w.eventually("what stayed pages", func() bool { return pages("svc-y") > 0 })
	time.Sleep(time.Minute)
	if x, y := pages("svc-x"), pages("svc-y"); x != 0 || y != 1 {
		w.t.Errorf("behind the backlog there are %d pages for what had cleared, want none, and %d for what "+
			"stayed, want one", x, y)
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
