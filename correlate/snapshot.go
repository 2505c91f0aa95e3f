package correlate

import (
	"errors"
	"slices"
)

// A snapshot is the magic, the body and the checksum of both. The body holds, behind the engine's
// own figures, the raw partitions, the incidents, the alerts with their parts in incidents and the
// records that wait for a watermark, each list in an order that does not depend on how the state
// came about. What can be derived is left out: groups, counters, the timer queue.
//
// The magic ends in the version. Another version is refused ([ErrVersion]): the log has everything
// that a snapshot has, so an engine that changed its mind about the form replays.
const snapshotMagic = "quell engine snapshot 5\n"

// Version is the engine's. It changes with the form of snapshots and with what goes into [Engine.Hash]:
// neither can be compared across versions.
const Version = 5

// ErrVersion says that a snapshot was made by another version of the engine.
var ErrVersion = errors.New("it was made by another version of the engine")

const magicBeforeVersion = len("quell engine snapshot ")

// Snapshot appends the engine's state to dst. It is canonical: equal states give equal bytes. It
// must not be called during Step.
func (e *Engine) Snapshot(dst []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, 1<<12+256*e.alerts.n+768*len(e.incidents)) // growing copies it all
	dst = append(dst, snapshotMagic...)
	dst = e.appendBody(dst)
	sum := checksum(dst[start:])
	return append(dst, sum[:]...)
}

func (e *Engine) appendBody(dst []byte) []byte {
	dst = appendInt(append(dst, byte(e.mode)), e.partition)
	dst = appendInt(dst, e.position)
	dst = appendInt(dst, e.now)
	dst = appendUint(dst, e.timers.seq)
	rules := e.rules.Hash()
	dst = appendUint(append(dst, rules[:]...), uint64(len(e.replaced)))
	for _, h := range e.replaced {
		dst = append(dst, h[:]...)
	}
	for _, lane := range e.hash.lanes {
		dst = appendWord(dst, lane)
	}
	dst = appendBool(appendBool(appendBool(dst, e.merge.listed), e.merge.ended), e.merge.more)
	dst = appendInt(appendInt(appendInt(dst, e.merge.low), e.merge.limit), e.merge.to)
	dst = e.backlog.append(dst)

	raws := e.raws.sorted()
	dst = appendUint(dst, uint64(len(raws)))
	for _, raw := range raws {
		dst = appendRaw(dst, raw)
	}
	dst = e.flushes.append(dst, &e.raws)
	dst = appendUint(dst, uint64(len(e.incidents)))
	place := uint64(0)
	for in := e.known.oldest; in != nil; in = in.newer {
		in.place = place
		place++
		dst = in.append(dst)
	}
	return e.merge.append(e.appendAlerts(dst))
}

// sorted returns the raw partitions by name and notes the place of each.
func (r *raws) sorted() []*rawPartition {
	all := slices.Clone(r.all)
	slices.SortFunc(all, func(a, b *rawPartition) int {
		return comparePartition(a.RawPartition, b.RawPartition)
	})
	for i, raw := range all {
		raw.place = uint64(i)
	}
	return all
}

// appendAlerts writes the alerts by fingerprint.
func (e *Engine) appendAlerts(dst []byte) []byte {
	dst = appendUint(dst, uint64(e.alerts.n))
	var room [ahead]*liveAlert
	next := room[:0]
	write := func() {
		e.touched = touch(next)
		for _, l := range next {
			dst = appendLiveAlert(dst, l)
		}
		next = next[:0]
	}
	for l := range e.alerts.inOrder() {
		if next = append(next, l); len(next) == ahead {
			write()
		}
	}
	write()
	return dst
}

func appendRaw(dst []byte, r *rawPartition) []byte {
	dst = appendPosition(dst, RawPosition{RawPartition: r.RawPartition, Offset: r.highest})
	dst = appendUint(appendUint(appendBool(dst, r.behind), r.since), r.hold)
	dst = appendInt(appendInt(appendInt(dst, r.next), r.said), r.at)
	return appendBool(appendBool(appendBool(dst, r.awaited), r.finished), r.idle)
}

func appendLiveAlert(dst []byte, l *liveAlert) []byte {
	dst = append(dst, l.fingerprint[:]...)
	dst = l.texts.append(dst)
	dst = append(dst, byte(l.severity), byte(l.status))
	dst = appendInt(dst, l.latest)
	dst = appendUint(dst, l.latestRaw.place)
	dst = appendInt(dst, l.latestAt)
	dst = l.appendMembers(l.appendSources(dst))
	if l.forget == nil {
		return appendUint(dst, uint64(0))
	}
	return l.forget.append(dst)
}

func (l *liveAlert) appendSources(dst []byte) []byte {
	switch {
	case l.one.raw == nil:
		return append(dst, 0)
	case l.more == nil || len(l.more.sources) == 0:
		return l.one.append(append(dst, 1))
	}
	all := append([]source{l.one}, l.more.sources...)
	slices.SortFunc(all, func(a, b source) int { // the order of arrival means nothing
		return compare(a.raw.place, b.raw.place)
	})
	dst = appendUint(dst, uint64(len(all)))
	for i := range all {
		dst = all[i].append(dst)
	}
	return dst
}

func (l *liveAlert) appendMembers(dst []byte) []byte {
	switch {
	case !l.belongs():
		return append(dst, 0)
	case l.more == nil || len(l.more.members) == 0:
		return l.own.append(append(dst, 1))
	}
	all := slices.Clone(l.more.members)
	if l.own.alert != nil {
		all = append(all, &l.own)
	}
	slices.SortFunc(all, func(a, b *member) int { return compare(a.incident.place, b.incident.place) })
	dst = appendUint(dst, uint64(len(all)))
	for _, m := range all {
		dst = m.append(dst)
	}
	return dst
}

func (m *member) append(dst []byte) []byte {
	dst = appendUint(dst, m.incident.place)
	dst = appendBool(appendBool(dst, m.firing), m.alert.member == m)
	dst = append(dst, byte(m.severity))
	dst = appendInt(dst, m.first)
	dst = appendInt(dst, m.last)
	return appendUint(dst, m.events)
}

func (s *source) append(dst []byte) []byte {
	dst = appendUint(dst, s.raw.place)
	dst = appendInt(dst, s.episode)
	return appendUint(dst, s.count)
}

func (t *timer) append(dst []byte) []byte {
	dst = appendUint(dst, t.seq)
	if t.set() {
		dst = appendInt(dst, t.at)
	}
	return dst
}

// append writes what the log has said about its age. Who owes a page the incidents say.
func (b *backlog) append(dst []byte) []byte {
	dst = appendInt(appendUint(dst, b.ticks), b.reached)
	return appendUint(appendBool(dst, b.lagging), b.since)
}

// appendAwaits writes the holds that last; the others mean nothing any more.
func (in *incident) appendAwaits(dst []byte) []byte {
	lasting := slices.DeleteFunc(slices.Clone(in.awaits), func(a awaited) bool { return !a.lasts() })
	slices.SortFunc(lasting, func(a, b awaited) int {
		return compare(a.raw.place, b.raw.place)
	})
	dst = appendUint(dst, uint64(len(lasting)))
	for _, a := range lasting {
		dst = appendUint(dst, a.raw.place)
	}
	return dst
}

func (in *incident) append(dst []byte) []byte {
	dst = appendIncident(dst, &in.Incident)
	for _, d := range in.terms.durations() {
		dst = appendInt(dst, *d)
	}
	dst = append(dst, byte(in.terms.pageAt))
	dst = appendUint(dst, in.born)
	for _, b := range in.flags() {
		dst = appendBool(dst, *b)
	}
	for _, t := range in.clocks() {
		dst = appendInt(dst, *t)
	}
	dst = appendUint(append(dst, byte(in.owed)), in.owedSeq)
	dst = in.appendAwaits(dst)
	dst = in.window.append(dst)
	for _, t := range in.timers() {
		dst = t.append(dst)
	}
	return dst
}

func (t *terms) durations() [6]*Duration {
	return [6]*Duration{&t.wait, &t.interval, &t.repeat, &t.quiet, &t.reopen, &t.ack}
}

func (in *incident) flags() [7]*bool {
	return [7]*bool{&in.overflow, &in.shared, &in.byPerson, &in.waited, &in.fired, &in.cleared, &in.told}
}

func (in *incident) clocks() [3]*Time {
	return [3]*Time{&in.seen, &in.base, &in.lastPage}
}

func (in *incident) timers() [5]*timer {
	return [5]*timer{&in.page, &in.quiet, &in.ack, &in.close, &in.forget}
}

func (w *window) append(dst []byte) []byte {
	dst = append(dst, byte(w.terms.Kind), byte(w.state))
	for _, d := range [...]Duration{w.terms.Gap, w.terms.MaxLife, w.terms.Length} {
		dst = appendInt(dst, d)
	}
	for _, t := range [...]Time{w.first, w.start, w.last, w.opened, w.closed} {
		dst = appendInt(dst, t)
	}
	return appendUint(dst, w.closedSeq)
}

func (m *merge) append(dst []byte) []byte {
	waiting := slices.Clone(m.heap)
	slices.SortFunc(waiting, func(a, b buffered) int {
		switch {
		case a.before(&b):
			return -1
		case b.before(&a):
			return 1
		}
		return 0
	})
	dst = appendUint(dst, uint64(len(waiting)))
	for i := range waiting {
		b := &waiting[i]
		dst = appendInt(dst, b.time)
		dst = appendInt(dst, b.offset)
		dst = appendBool(appendBool(dst, b.fresh), b.alert != nil)
		if b.alert != nil {
			dst = appendAlert(dst, b.alert)
		} else {
			dst = appendResponse(dst, b.response)
		}
	}
	return dst
}
