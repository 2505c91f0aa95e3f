//go:build synctests

package virtual

import (
	"fmt"
	"testing"
	"time"

	"quell/correlate"
	"quell/pipeline"
	"quell/rules"
)

// rounds returns how many runs a seeded test makes.
func rounds(few int) int {
	if *roundsFlag > 0 {
		return *roundsFlag
	}
	return few
}

// each runs a test a number of times, each with a seed of its own.
func each(t *testing.T, few int, test func(t *testing.T, seed uint64)) {
	for i := range rounds(few) {
		seed := *seedFlag + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			test(t, seed)
		})
	}
}

// A process is cut off at an I/O step, before, behind or unanswered: at its start, at work, or while
// it stops. Another takes over, which may be cut off too.
func TestCrash(t *testing.T) {
	const last = 330 // a run has about as many steps
	stride := max(1, last/rounds(16))
	if *sweepFlag {
		stride = 1
	}
	for step := 1 + int(*seedFlag)%stride; step <= last; step += stride {
		t.Run(fmt.Sprint("step=", step), func(t *testing.T) {
			t.Parallel()
			inBubble(t, *seedFlag+uint64(step), nil, func(w *world) { w.crash(step) })
		})
	}
}

func (w *world) crash(step int) {
	first := w.doomed("first", step)
	standby := w.dice.IntN(2) == 0
	if standby {
		w.doomed("second", w.dice.IntN(800))
	}
	w.flow(15, 3*time.Second)
	if first.wire.cutOff() || w.dice.IntN(2) == 0 {
		first.cancel()
	} else {
		first.kill()
	}
	if !standby {
		w.doomed("second", w.dice.IntN(800))
	}
	w.flow(5, time.Second)
	w.start("third")
	w.flow(5, time.Second)
	w.finish()
}

// Under the event clock a run that was cut off, also several times, tells what an undisturbed one
// tells, word for word.
func TestCrashEventClock(t *testing.T) {
	const last = 170
	each(t, 5, func(t *testing.T, seed uint64) {
		var undisturbed, crashed []string
		inBubble(t, seed, eventClock, func(w *world) {
			w.day()
			p := w.start("only")
			w.finish()
			t.Logf("%d steps", p.wire.steps)
			undisturbed = w.outputs()
		})
		inBubble(t, seed, eventClock, func(w *world) {
			w.day()
			for i := range 3 {
				p := w.doomed(fmt.Sprint("doomed-", i), 1+w.dice.IntN(last))
				w.eventually("it is cut off, or has nothing to do", func() bool {
					return p.wire.cutOff() || time.Since(w.began) > time.Duration(i+1)*20*time.Second
				})
			}
			w.start("last")
			w.finish()
			crashed = w.outputs()
		})
		if len(undisturbed) < 20 {
			t.Errorf("only %d outputs: this tests nothing", len(undisturbed))
		}
		for i := range max(len(undisturbed), len(crashed)) {
			if i >= len(undisturbed) || i >= len(crashed) || undisturbed[i] != crashed[i] {
				t.Fatalf("seed %d: output %d differs (%d and %d)\n%s\n%s", seed, i, len(undisturbed), len(crashed),
					undisturbed[min(i, len(undisturbed)-1)], crashed[min(i, len(crashed)-1)])
			}
		}
	})
}

func eventClock(o *pipeline.Options, s *rules.Spec) {
	o.Clock = correlate.ClockEvent
	o.Intake.CheckpointEvery, o.Correlate.CommitEvery = 2*time.Millisecond, time.Millisecond
	s.Rules[0].GroupWait, s.Rules[0].GroupInterval = new(30*rules.Second), new(5*rules.Minute)
}

// day sends a day of events that were long ago, and ends the partitions behind them.
func (w *world) day() {
	at := time.Date(2022, 1, 26, 0, 0, 0, 0, time.UTC)
	w.now = func() time.Time {
		at = at.Add(time.Duration(w.dice.IntN(600)) * time.Second)
		return at
	}
	w.flow(150, 0)
	w.clear()
	w.options.Until = map[correlate.RawPartition]int64{}
	for p := range w.options.Topics.Raw[0].Partitions {
		w.options.Until[correlate.RawPartition{Topic: "events", Partition: p}] = w.sent[p]
	}
}

// outputs returns all that is visible.
func (w *world) outputs() (out []string) {
	for _, topic := range []string{"incidents", "pages"} {
		for _, r := range w.read(topic) {
			out = append(out, string(r.Value))
		}
	}
	return out
}
