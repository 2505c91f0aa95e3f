package pipeline

import (
	"time"

	"quell/correlate"
)

// idle flushes what is owed while nothing comes, and says so under the event clock.
func (r *rawReader) idle(now time.Time) {
	if r.out.settled() {
		r.in.status.read(partition{r.raw.Topic, r.raw.Partition}, r.next)
	}
	if r.resting && r.in.race.woken(partition{r.raw.Topic, r.raw.Partition}) {
		r.resting, r.lastRead = false, now
	}
	if r.resting && now.Sub(r.restedAt) >= restAgain {
		r.rest(now)
	}
	quiet := now.Sub(r.lastRead)
	if r.ended || r.resting || quiet < r.in.o.Pace.poll() {
		return
	}
	if r.in.o.Clock == correlate.ClockAppend {
		r.table.Due(r.table.Now().Add(correlate.Duration(quiet.Milliseconds())), r.owe)
		if quiet >= quietEnough && r.reached() {
			r.catchUp()
		}
		return
	}
	r.finishIfEnded()
	if !r.ended && r.until < 0 && quiet >= restAfter && r.reached() && !r.ahead() {
		r.rest(now)
	}
}

// rest says that the partition holds nobody back until it speaks again. It says so every minute: a
// process that was asleep, and has not heard yet that this partition is another's now, may take its
// word back (see wake) after it was given.
func (r *rawReader) rest(now time.Time) {
	r.table.Drain(r.owe)
	r.resting, r.restedAt = true, now
	at := r.table.Now()
	said := r.in.race.rest(partition{r.raw.Topic, r.raw.Partition}, at, r.next)
	r.promise(&correlate.Watermark{Raw: r.raw, At: at, Idle: true, Next: r.next, Said: said})
}

// wake ends a rest, and with it everybody's. When the first record comes after a silence, records
// of the other partitions are likely on their way; without a promise of theirs the engine would
// pass their times by. So their rest is taken back before anything is said here: the same producer
// writes both, in this order. A partition that stays silent rests again after restAfter.
//
// What is said here of another partition may arrive before that one's own word that it rests, or
// after it has gone on: each says where and when it was said, and the engine takes the latest.
func (r *rawReader) wake() {
	for p, w := range r.in.race.wake(partition{r.raw.Topic, r.raw.Partition}) {
		r.promise(&correlate.Watermark{Raw: correlate.RawPartition{Topic: p.topic, Partition: p.id},
			At: w.at, Next: w.next, Said: w.said})
	}
	r.resting = false
	r.watermark(nil)
}

// restAgain is how often a partition repeats that it rests.
const restAgain = time.Minute

// restAfter is how long a raw partition under the event clock may be silent at its end before it
// stops holding back the others. Only `run` needs it; files have an end that is known.
const restAfter = 5 * time.Second

// finishIfEnded says that the partition has ended, once, when it was read to its known end.
func (r *rawReader) finishIfEnded() {
	if r.ended || r.until < 0 || r.next < r.until {
		return
	}
	r.table.Drain(r.owe)
	r.ended = true
	r.watermark(nil)
}

// ahead reports whether, under the event clock, the partition is so far ahead of the slowest that
// the engine would have to hold too many of its alerts.
func (r *rawReader) ahead() bool {
	return r.in.o.Clock == correlate.ClockEvent && r.in.race.ahead(partition{r.raw.Topic, r.raw.Partition})
}

// watermark promises every alerts partition that no alert before stream time will follow. of names
// all raw partitions, in the first promise.
func (r *rawReader) watermark(of []correlate.RawPartition) {
	at := r.table.Now()
	r.in.race.at(partition{r.raw.Topic, r.raw.Partition}, at, r.ended)
	r.promise(&correlate.Watermark{Raw: r.raw, At: at, Finished: r.ended, Of: of, Next: r.next,
		Said: r.in.race.speak()})
}

func (r *rawReader) promise(w *correlate.Watermark) {
	for p := range r.in.o.Topics.AlertsPartitions {
		r.tell(p, w.At, &correlate.Record{Kind: correlate.KindWatermark, Watermark: w})
	}
}
