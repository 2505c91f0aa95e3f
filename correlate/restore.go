package correlate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Restore returns the engine that Snapshot wrote to src. Options must be those of the engine that
// wrote it, but limits may differ: they hold from now on. Nothing of src is kept.
//
// An error says why src cannot be used: it is damaged, comes from another version of the engine or
// another alerts partition or clock, or was written under a rule set that Options does not know.
// The log still has everything: the way out is an older snapshot or a replay.
func Restore(o Options, src []byte) (*Engine, error) {
	e, err := New(o)
	if err != nil {
		return nil, err
	}
	body, err := snapshotBody(src)
	if err == nil {
		err = e.restore(body)
	}
	if err != nil {
		return nil, fmt.Errorf("correlate: the snapshot of alerts partition %d cannot be used: %w",
			o.Partition, err)
	}
	return e, nil
}

func snapshotBody(src []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(src, []byte(snapshotMagic))
	if !ok && bytes.HasPrefix(src, []byte(snapshotMagic[:magicBeforeVersion])) {
		return nil, ErrVersion
	}
	if !ok {
		return nil, errors.New("it does not begin as a snapshot does")
	}
	if len(body) < sha256.Size {
		return nil, errTruncated
	}
	end := len(src) - sha256.Size
	if checksum(src[:end]) != [sha256.Size]byte(src[end:]) {
		return nil, errors.New("its checksum is wrong: it is damaged")
	}
	return body[:len(body)-sha256.Size], nil
}

// restore fills a new engine.
func (e *Engine) restore(body []byte) error {
	d := newDecoder(body)
	mode, partition := ClockMode(d.byte()), int32(d.int())
	if d.err == nil && (mode != e.mode || partition != e.partition) {
		return fmt.Errorf("it is of alerts partition %d and clock %q, asked for was %q", partition,
			mode, e.mode)
	}
	e.position, e.now, e.timers.seq = d.int(), d.time(), d.uint()
	var rules RuleHash
	copy(rules[:], d.take(len(rules)))
	e.restoreReplaced(d, rules)
	for i := range e.hash.lanes {
		e.hash.lanes[i] = d.word()
	}
	e.merge.listed, e.merge.ended, e.merge.more = d.bool(), d.bool(), d.bool()
	e.merge.low, e.merge.limit, e.merge.to = d.time(), d.time(), d.time()
	e.backlog.restore(d)
	if d.err != nil {
		return d.err
	}
	var err error
	if e.rules, err = e.options.ruleSet(rules); err != nil {
		return err
	}
	for n := d.count(8); n > 0; n-- {
		e.restoreRaw(d)
	}
	e.restoreFlushes(d)
	incidents := make([]*incident, d.count(16))
	for i := 0; i < len(incidents) && d.err == nil; i++ {
		incidents[i] = e.restoreIncident(d)
	}
	alerts := d.count(16)
	e.alerts.reserve(alerts)
	for i := 0; i < alerts && d.err == nil; i++ {
		e.restoreLiveAlert(d, incidents)
	}
	e.restoreSizes(d)
	for n := d.count(4); n > 0; n-- {
		e.restoreBuffered(d)
	}
	if len(d.src) > 0 {
		d.fail("%d bytes follow the end", len(d.src))
	}
	if d.err == nil {
		e.derive()
	}
	return d.err
}

func (e *Engine) restoreReplaced(d *decoder, inForce RuleHash) {
	for n := d.count(len(inForce)); n > 0 && d.err == nil; n-- {
		var h RuleHash
		copy(h[:], d.take(len(h)))
		if h == inForce || slices.Contains(e.replaced, h) || len(e.replaced) == mostReplaced {
			d.fail("rule set %s cannot be the next of %d that were replaced", h, len(e.replaced))
			return
		}
		e.replaced = append(e.replaced, h)
	}
}

func (e *Engine) restoreRaw(d *decoder) {
	p := d.position()
	if e.raws.index[p.RawPartition] != nil {
		d.fail("raw partition %s-%d is there twice", p.Topic, p.Partition)
		return
	}
	raw := e.raws.add(p.RawPartition)
	raw.highest = p.Offset
	raw.behind, raw.since, raw.hold = d.bool(), d.uint(), d.uint()
	raw.next, raw.said, raw.at = d.int(), d.time(), d.time()
	raw.awaited, raw.finished, raw.idle = d.bool(), d.bool(), d.bool()
}

func (e *Engine) restoreFlushes(d *decoder) {
	n := d.count(2)
	if n > mostFlushes {
		d.fail("%d flushes are known, at most %d can be", n, mostFlushes)
	}
	for ; n > 0 && d.err == nil; n-- {
		raw, offset := e.restoreRawIndex(d), d.int()
		if d.err == nil && !e.flushes.receive(raw.number, offset) {
			d.fail("the flush at %s-%d offset %d is there twice", raw.Topic, raw.Partition, offset)
		}
	}
}

func (e *Engine) restoreLiveAlert(d *decoder, incidents []*incident) {
	var fp Fingerprint
	copy(fp[:], d.take(len(fp)))
	l := e.blocks.take(&fp)
	l.texts.restore(d)
	l.severity, l.status = Severity(d.byte()), Status(d.byte())
	l.latest, l.latestRaw, l.latestAt = d.time(), e.restoreRawIndex(d), d.int()
	for n := d.count(3); n > 0; n-- {
		l.addSource(source{raw: e.restoreRawIndex(d), episode: d.int(), count: d.uint()})
	}
	for n := d.count(7); n > 0; n-- {
		e.restoreMember(d, l, incidents)
	}
	var forget timer
	if e.restoreTimer(d, &forget); forget.set() {
		own := l.forgetting()
		own.at, own.seq = forget.at, forget.seq
	}
	if d.err == nil && forget.set() == l.belongs() {
		d.fail("alert %s is to be forgotten and belongs to an incident, or neither", fp)
	}
	if e.alerts.get(&fp) != nil {
		d.fail("alert %s is there twice", fp)
	}
	if d.err == nil {
		e.track(l)
	}
}

// restoreSizes checks how many alerts each incident has got.
func (e *Engine) restoreSizes(d *decoder) {
	for in := e.known.oldest; in != nil && d.err == nil; in = in.newer {
		if in.Alerts != uint64(len(in.members)) {
			d.fail("incident %q has %d of %d alerts", in.ID, len(in.members), in.Alerts)
		}
		if e.largest == nil || len(in.members) > len(e.largest.members) {
			e.largest = in
		}
	}
}

// restoreRawIndex reads the place of a raw partition in the list before.
func (e *Engine) restoreRawIndex(d *decoder) *rawPartition {
	i := d.uint()
	if i >= uint64(len(e.raws.all)) {
		d.fail("raw partition %d of %d is named", i, len(e.raws.all))
		return nil
	}
	return e.raws.all[i]
}

func (e *Engine) restoreTimer(d *decoder, t *timer) {
	t.seq = d.uint()
	if t.set() {
		t.at = d.time()
	}
	if t.seq > e.timers.seq {
		d.fail("a timer has the sequence number %d, %d were given", t.seq, e.timers.seq)
	}
}

func (e *Engine) restoreIncident(d *decoder) *incident {
	in := new(incident)
	in.bindTimers()
	d.incident(&in.Incident)
	for _, v := range in.terms.durations() {
		*v = d.duration()
	}
	in.terms.pageAt, in.born = Severity(d.byte()), d.uint()
	for _, b := range in.flags() {
		*b = d.bool()
	}
	for _, t := range in.clocks() {
		*t = d.time()
	}
	e.restoreHold(d, in)
	in.window.restore(d)
	for _, t := range in.timers() {
		e.restoreTimer(d, t)
	}
	if d.err == nil && (in.State < Pending || in.State > ResolvedDone || e.incidents[in.ID] != nil ||
		e.known.newest != nil && in.born <= e.known.newest.born) {
		d.fail("incident %q contradicts itself, or is there twice", in.ID)
	}
	if d.err != nil {
		return in
	}
	e.incidents[in.ID] = in
	e.known.push(in)
	e.states[in.State]++
	if !in.resolved() {
		e.open.enter(in.Scope)
	}
	e.occupy(in)
	return in
}

func (b *backlog) restore(d *decoder) {
	b.ticks, b.reached, b.lagging, b.since = d.uint(), d.time(), d.bool(), d.uint()
}

func (e *Engine) restoreHold(d *decoder, in *incident) {
	in.owed, in.owedSeq = PageReason(d.byte()), d.uint()
	for n := d.count(1); n > 0; n-- {
		raw := e.restoreRawIndex(d)
		if d.err != nil {
			return
		}
		in.awaits = append(in.awaits, awaited{raw: raw, hold: raw.hold})
	}
	if int(in.owed) >= len(reasonNames) || (in.owed != 0) != (in.owedSeq != 0) ||
		in.owedSeq > e.timers.seq {
		d.fail("incident %q owes page %d since %d of %d", in.ID, in.owed, in.owedSeq, e.timers.seq)
	}
}

func (w *window) restore(d *decoder) {
	w.terms.Kind, w.state = WindowKind(d.byte()), windowState(d.byte())
	for _, v := range [...]*Duration{&w.terms.Gap, &w.terms.MaxLife, &w.terms.Length} {
		*v = d.duration()
	}
	for _, t := range [...]*Time{&w.first, &w.start, &w.last, &w.opened, &w.closed} {
		*t = d.time()
	}
	w.closedSeq = d.uint()
	if w.state < windowOpen || w.state > windowGone {
		d.fail("%d is no state of a window", w.state)
	}
}

func (e *Engine) restoreMember(d *decoder, l *liveAlert, incidents []*incident) {
	i := d.uint()
	read := member{alert: l, firing: d.bool()}
	current := d.bool()
	read.severity, read.first, read.last, read.events = Severity(d.byte()), d.time(), d.time(), d.uint()
	if i >= uint64(len(incidents)) {
		d.fail("an alert names incident %d of %d", i, len(incidents))
		return
	}
	in := incidents[i]
	if l.in(in) != nil || current && l.member != nil {
		d.fail("alert %s belongs to an incident twice, or to two", l.fingerprint)
		return
	}
	m := l.newMember(in)
	read.incident = in
	*m = read
	if current {
		l.member = m
	}
	in.members = append(in.members, m)
	e.members++
}

func (e *Engine) restoreBuffered(d *decoder) {
	b := buffered{time: d.time(), arrival: arrival{offset: d.int(), fresh: d.bool()}}
	if d.bool() {
		b.alert = d.alert()
		b.raw = e.raws.find(b.alert.Raw.RawPartition)
	} else {
		b.response = d.response()
		b.raw = e.raws.find(b.response.Raw.RawPartition)
	}
	e.merge.heap.push(b)
}

// derive rebuilds what the snapshot leaves out: groups, closed windows, the timer queue and the
// list of those that owe a page.
func (e *Engine) derive() {
	var owing []*incident
	for in := e.known.oldest; in != nil; in = in.newer {
		for _, t := range in.timers() {
			e.requeue(t)
		}
		if in.owed != 0 {
			owing = append(owing, in)
		}
		if in.window.state == windowGone {
			continue
		}
		e.key = in.appendKey(e.key[:0])
		e.enlist(in)
		if in.window.state == windowClosed {
			e.closed = append(e.closed, in)
		}
	}
	slices.SortFunc(e.closed, func(a, b *incident) int {
		return compare(a.window.closedSeq, b.window.closedSeq)
	})
	slices.SortFunc(owing, func(a, b *incident) int { return compare(a.owedSeq, b.owedSeq) })
	for _, in := range owing {
		e.backlog.owing.push(in)
	}
	for l := range e.alerts.inOrder() {
		if l.forget != nil {
			e.requeue(l.forget)
		}
	}
}

func (e *Engine) requeue(t *timer) {
	if t.set() {
		e.timers.admit(t)
	}
}
