package correlate

// What an engine folds may be old: after an outage of correlate its own partition holds an hour of
// alerts, after an outage of intake a raw partition does. Whoever paged for each of them as it
// comes along would page for what has long cleared. So pages are held while a backlog is worked
// off, and an incident that owes some pages once, as it stands by then, when the hold ends. The
// package comment says when that is; this file knows it from records alone, so that a silent
// replay, a snapshot and any cutting into batches find the same. Append clock only: under the event
// clock everything is old, and meant to be.

const (
	// backlogAge is how far the log may be ahead of the clock that ticks name. Ticks come each 250
	// ms and name the clock of the one before: half a second in ordinary life.
	backlogAge = 2 * Second
	// backlogTicks is how many ticks a hold lasts at most: 60 s of an owner's life. A page too many
	// beats a page that never comes.
	backlogTicks = 240
)

// backlog is what the log has said about its own age.
//
// A tick at log time T that names the clock A says: somebody folds this partition and had come to A
// when T was. Whether the owner that folds the tick now is the one that wrote it does not matter;
// all that lies more than backlogAge behind the latest A was folded later than it was written.
type backlog struct {
	ticks   uint64 // applied so far
	reached Time   // the latest clock that a tick named; 0: nobody has ever said that he folds this
	lagging bool   // the last record was more than backlogAge ahead of it
	since   uint64 // ticks when that began
	owing   owing
}

// lag notes how far the log is ahead at a record with the time t, before the timers that it makes
// due: those fire with the clock at their own deadlines, but what they bring about is as late as
// the record.
func (e *Engine) lag(t Time) {
	lagging := max(e.now, t).Sub(e.backlog.reached) > backlogAge
	if lagging && !e.backlog.lagging {
		e.backlog.since = e.backlog.ticks
	}
	e.backlog.lagging = lagging
}

// tick takes over what a tick says. Only a tick ends the engine's own hold, since between two the
// log only gets older. What names an earlier clock than one before it comes from an owner that was
// stopped and has lost the partition: it takes nothing back.
func (e *Engine) tick(r *Record) {
	e.backlog.ticks++
	e.backlog.reached = max(e.backlog.reached, min(r.Tick.At, e.now))
	e.lag(r.Time)
	e.releaseHeld()
}

// expired tells whether a hold that began at the tick since has lasted as long as it may.
func (b *backlog) expired(since uint64) bool { return b.ticks-since >= backlogTicks }

// behind notes that a raw partition was read late, from a fresh alert of it.
func (e *Engine) behind(raw *rawPartition) {
	if !raw.behind {
		raw.behind, raw.since = true, e.backlog.ticks
		raw.hold++
	}
}

// caughtUp notes that a raw partition is read as it is written again.
func (e *Engine) caughtUp(raw *rawPartition) {
	if raw.behind {
		raw.behind = false
		e.releaseHeld()
	}
}

// restsAt takes intake's word that a raw partition has been read to its end. A word that does not
// cover everything received from there was overtaken: it comes from an owner that lost the
// partition, and what its successor says counts.
func (e *Engine) restsAt(w *Watermark) {
	raw := e.raws.index[w.Raw]
	if raw != nil && (w.Idle || w.Finished) && w.Next > raw.highest {
		e.caughtUp(raw)
	}
}

// awaited is a raw partition whose backlog holds an incident's pages, and which of its holds.
type awaited struct {
	raw  *rawPartition
	hold uint64
}

func (a *awaited) lasts() bool { return a.raw.behind && a.raw.hold == a.hold }

// await makes the incident wait for the raw partition that the record comes from, if the record
// was read late.
func (in *incident) await(s *sighting) {
	if !s.fresh || !s.raw.behind || s.alert.Behind <= 0 {
		return
	}
	for i := range in.awaits {
		if in.awaits[i].raw == s.raw {
			in.awaits[i].hold = s.raw.hold
			return
		}
	}
	in.awaits = append(in.awaits, awaited{raw: s.raw, hold: s.raw.hold})
}

// held tells whether a backlog holds the incident's pages at this moment.
func (e *Engine) held(in *incident) bool {
	b := &e.backlog
	if b.lagging && !b.expired(b.since) {
		return true
	}
	for i := range in.awaits {
		if a := &in.awaits[i]; a.lasts() && !b.expired(a.raw.since) {
			return true
		}
	}
	return false
}

// owe notes that the incident would page now for reason. Of several reasons the weightiest stays;
// which page it comes to is decided when the hold ends.
func (e *Engine) owe(in *incident, reason PageReason) {
	if in.owed == 0 {
		e.timers.seq++
		in.owedSeq = e.timers.seq
		e.backlog.owing.push(in)
	}
	if weight(reason) > weight(in.owed) {
		in.owed = reason
	}
}

// weight orders the reasons to page for an incident that has paged: what waits for no tick first,
// and of that what makes people get up.
func weight(r PageReason) int {
	switch r {
	case 0:
		return 0
	case ReasonAcknowledged:
		return 1
	case ReasonEscalation:
		return 3
	case ReasonSeverityRise:
		return 4
	}
	return 2
}

// settle notes that the incident owes no page any more.
func (e *Engine) settle(in *incident) {
	if in.owed != 0 {
		in.owed, in.owedSeq = 0, 0
		e.backlog.owing.remove(in)
	}
}

// releaseHeld lets the incidents page that nothing holds any more, in the order in which their
// pages were held, as many as one record may bring about. The others go on owing until the next
// tick: only ticks, since what intake repeats must make no difference.
func (e *Engine) releaseHeld() {
	if b := &e.backlog; b.lagging && !b.expired(b.since) {
		return
	}
	for in := e.backlog.owing.first; in != nil && !e.full(); {
		next := in.owesAfter
		if !e.held(in) {
			e.pay(in)
		}
		in = next
	}
}

// pay sends what the incident owes: one page, about the incident as it stands.
func (e *Engine) pay(in *incident) {
	reason := in.owed
	e.settle(in)
	switch {
	case in.resolved():
		reason = e.news(in) // that it is over
	case !in.waited:
		e.endWait(in, CauseGroupWait)
		return
	case in.Pages == 0 && reason != ReasonEscalation:
		reason = ReasonFirst
	case weight(reason) == weight(ReasonNewAlerts):
		reason = e.news(in)
	}
	if reason != 0 {
		e.tell(in, reason, CausePage)
	}
	e.plan(in)
}

// owing lists the incidents that owe a page, in the order in which they came to. The links lie in
// the incidents, so that one that clears leaves nothing behind, however long the hold.
type owing struct {
	first, last *incident
	n           int
}

func (o *owing) push(in *incident) {
	in.owesBefore, in.owesAfter = o.last, nil
	if o.last != nil {
		o.last.owesAfter = in
	} else {
		o.first = in
	}
	o.last = in
	o.n++
}

func (o *owing) remove(in *incident) {
	if in.owesBefore != nil {
		in.owesBefore.owesAfter = in.owesAfter
	} else {
		o.first = in.owesAfter
	}
	if in.owesAfter != nil {
		in.owesAfter.owesBefore = in.owesBefore
	} else {
		o.last = in.owesBefore
	}
	in.owesBefore, in.owesAfter = nil, nil
	o.n--
}
