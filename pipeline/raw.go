package pipeline

import (
	"errors"
	"strings"
	"time"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
	"quell/pipeline/fetch"
)

// rawReader is the fold of one raw partition: records in, verdicts out. What it decides depends on
// the records and the intake configuration alone; everything else it does is carrying.
type rawReader struct {
	in  *intake
	raw correlate.RawPartition
	out *outbox

	decoder  *decode.Decoder
	identity *dedup.Identity
	table    *dedup.Table

	next     int64 // offset to read next
	until    int64 // offset at which the partition ends, or -1
	high     int64 // up to where it could be read at the last answer, or -1 before the first
	lastRead time.Time
	pursuit  pursuit
	ended    bool // the watermark said finished
	resting  bool // the watermark said idle
	restedAt time.Time

	records  [together]fetch.Record // of the group
	group    [together]heard
	events   [together]correlate.Event // of the group; live until the next one is decoded
	prints   [together]correlate.Fingerprint
	foreseen [together]dedup.Ahead
	scope    string // of the last event that was looked up, a copy
	home     int32  // its alerts partition
	sighting dedup.Sighting
	labels   []correlate.Label // scratch
	record   correlate.Record  // scratch for the wire form
	alert    correlate.Alert
	slate    slates        // of alerts
	rows     []archive.Row // of the group
	block    *archive.EventsBuilder
	refused  refusedBlock
	from     int64 // coverage of the block begins here
	verdicts [16]int64
	clamped  int64
	passed   int64
}

func newRawReader(in *intake, part partition, out *outbox, from int64, st *unitState,
) (*rawReader, error) {
	r := &rawReader{in: in, raw: correlate.RawPartition{Topic: part.topic, Partition: part.id},
		out: out, next: from, from: from, until: -1, high: -1, lastRead: time.Now(),
		pursuit: newPursuit(in.o.Topics.AlertsPartitions),
		home:    dedup.AlertsPartition("", int(in.o.Topics.AlertsPartitions)),
		rows:    make([]archive.Row, 0, together),
		slate:   newSlates(), block: archive.NewEventsBuilder(), refused: newRefusedBlock(in.o)}
	for _, t := range in.o.Topics.Raw {
		if t.Name == part.topic {
			r.decoder = t.Format.NewDecoder()
		}
	}
	if end, ok := in.o.Until[r.raw]; ok {
		r.until = end
	}
	var err error
	if r.identity, err = dedup.NewIdentity(in.o.Intake.Identity); err != nil {
		return nil, err
	}
	if err := r.restore(st); err != nil {
		return nil, err
	}
	if in.o.Clock == correlate.ClockEvent {
		r.watermark(in.raws)
		r.finishIfEnded()
	}
	return r, nil
}

// restore fills table and clock from a checkpoint. With one of another configuration (another epoch),
// or of another version of quell, the table starts empty, since fingerprints may mean something else
// then. What follows is that alerts are said to be new once more, and that counts of duplicates which
// were still owed are not told.
func (r *rawReader) restore(st *unitState) error {
	cfg := r.in.o.Intake.Dedup
	if st.manifest == nil || st.manifest.Epoch != r.in.o.Intake.Epoch {
		if st.manifest != nil {
			r.in.log.Warn("the intake configuration changed: deduplication starts a new epoch",
				"topic", r.raw.Topic, "partition", r.raw.Partition, "position", r.next)
		}
		var err error
		r.table, err = dedup.NewTable(cfg)
		return err
	}
	var err error
	r.table, err = dedup.RestoreTable(cfg, st.body)
	if errors.Is(err, dedup.ErrVersion) {
		r.in.log.Warn("the checkpoint is of another version of quell: deduplication starts anew",
			"topic", r.raw.Topic, "partition", r.raw.Partition, "position", r.next, "error", err)
		r.table, err = dedup.NewTable(cfg)
	}
	return err
}

func (r *rawReader) position() int64 { return r.next }
func (r *rawReader) failed() error   { return r.out.failed() }

func (r *rawReader) checkpoint(buf []byte) ([]byte, manifest) {
	return r.table.AppendSnapshot(buf), manifest{Position: r.next, Epoch: r.in.o.Intake.Epoch}
}

// together is how many records are decoded and looked up before the first of them gets its
// verdict: so many that their waits for memory overlap, so few that what was decoded is still in
// the processor's first cache when it is used.
const together = 64

// groupBytes is about how much the values of a group may have.
const groupBytes = 64 << 10

// heard is what a record says, before anything is decided.
type heard struct {
	notes decode.Notes
	no    *decode.Rejection
	at    correlate.Time // of the record
}

// read folds what an answer brought. Nothing here may refer to the memory of a group when the next
// one is read.
func (r *rawReader) read(p *fetch.Part) {
	now := time.Now()
	r.high = p.Unread()
	r.pursuit.fetched(now, r.high)
	if p.End() == r.next {
		return // there is nothing, and now that is known
	}
	r.lastRead = now
	if r.resting {
		r.wake()
	}
	records, ended := 0, false
	for !ended { // what lies behind a known end is not looked at
		group := p.Next(r.records[:], groupBytes)
		if len(group) > 0 {
			group, ended = r.due(group)
		}
		if len(group) == 0 {
			break
		}
		if r.out.failed() != nil {
			return
		}
		records += len(group)
		r.judge(group)
		if r.block.Size()+r.refused.size >= blockBytes {
			r.flushBlock()
		}
	}
	switch {
	case ended:
		r.next = max(r.next, r.until)
	case p.Err == nil:
		r.next = max(r.next, p.End()) // what is not a record has been read, too
	}
	r.flushBlock()
	r.count(records)
	if r.in.o.Clock == correlate.ClockEvent {
		r.watermark(nil)
		r.finishIfEnded()
	} else if !r.pursuit.late(r.next) {
		r.catchUp()
	}
}

// due returns the records before the known end, and whether some were beyond.
func (r *rawReader) due(records []fetch.Record) ([]fetch.Record, bool) {
	if r.until >= 0 && records[len(records)-1].Offset >= r.until {
		for i := range records {
			if records[i].Offset >= r.until {
				return records[:i], true
			}
		}
	}
	return records, false
}

// judge gives the records of a group their verdicts and keeps them.
func (r *rawReader) judge(group []fetch.Record) {
	r.hear(group)
	r.rows = r.rows[:0]
	for i := range group {
		r.one(&group[i], i)
	}
	r.block.AppendRows(r.rows)
}

// hear decodes a group of records and takes their fingerprints. It decides nothing.
func (r *rawReader) hear(group []fetch.Record) {
	r.decoder.Reset()
	for i := range group {
		h := &r.group[i]
		h.at = correlate.Time(group[i].Time)
		meta := decode.RecordMeta{Topic: r.raw.Topic, Time: h.at}
		h.notes, h.no = r.decoder.Decode(group[i].Value, meta, &r.events[i])
	}
	n := len(group)
	r.identity.Fingerprints(r.events[:n], r.prints[:n])
	r.table.Warm(r.prints[:n], r.events[:n], r.foreseen[:n])
}

// one gives the i-th record of a group its verdict.
func (r *rawReader) one(rec *fetch.Record, i int) {
	h, fp := &r.group[i], &r.prints[i]
	ev, ts := &r.events[i], h.at
	now := r.advance(ts)
	r.next = rec.Offset + 1
	if h.no != nil {
		r.reject(rec, h.no)
		return
	}
	if h.notes != 0 {
		r.note(h.notes)
	}
	clamped := r.clamp(ev, ts)
	if r.in.o.Intake.Drop != nil && r.in.o.Intake.Drop(ev) {
		r.keep(ev, correlate.VerdictDropped, fp, rec.Offset, ts, clamped)
		return
	}
	home := r.homeOf(ev.Scope)
	s := &r.sighting
	s.Now, s.Offset, s.Fingerprint = now, rec.Offset, *fp
	s.Home, s.Ahead = uint16(home), &r.foreseen[i]
	seen := r.table.Observe(s, ev)
	r.keep(ev, seen.Verdict, fp, rec.Offset, ts, clamped)
	switch seen.Verdict {
	case correlate.VerdictNew, correlate.VerdictChanged, correlate.VerdictUpdate,
		correlate.VerdictOverLimit:
		r.pass(ev, fp, rec.Offset, ts, now, home, seen)
	}
}

// homeOf returns the alerts partition of a scope; the next event is mostly of the same.
func (r *rawReader) homeOf(scope string) int32 {
	if scope != r.scope {
		r.scope = strings.Clone(scope)
		r.home = dedup.AlertsPartition(scope, int(r.in.o.Topics.AlertsPartitions))
	}
	return r.home
}

// advance moves stream time and says what is owed by now, before the record is looked at: what a
// batch boundary happens to be must not matter.
func (r *rawReader) advance(ts correlate.Time) correlate.Time {
	now, rebased := r.table.Advance(ts)
	if rebased != 0 {
		r.in.log.Warn("stream time fell back: the clock of a producer or of a broker was wrong",
			"topic", r.raw.Topic, "partition", r.raw.Partition, "position", r.next, "by", rebased)
	}
	r.table.Due(now, r.owe)
	return now
}

// clamp keeps the event's time within max_skew of the record's.
func (r *rawReader) clamp(ev *correlate.Event, ts correlate.Time) bool {
	low, high := ts.Add(-r.in.o.Intake.MaxSkew), ts.Add(r.in.o.Intake.MaxSkew)
	if ev.Time >= low && ev.Time <= high {
		return false
	}
	ev.Time = min(max(ev.Time, low), high)
	r.clamped++
	return true
}

// keep notes the row of an event, field by field (see [dedup.Table.Observe]).
func (r *rawReader) keep(ev *correlate.Event, v correlate.Verdict, fp *correlate.Fingerprint,
	offset int64, ts correlate.Time, clamped bool) {
	r.verdicts[v]++
	r.rows = r.rows[:len(r.rows)+1]
	w := &r.rows[len(r.rows)-1]
	w.Event, w.Offset, w.Received, w.Verdict = ev, offset, ts, v
	w.Fingerprint, w.Clamped = *fp, clamped
}

// pass sends an alert record for an event.
func (r *rawReader) pass(ev *correlate.Event, fp *correlate.Fingerprint, offset int64,
	ts, now correlate.Time, home int32, seen *dedup.Seen) {
	a := &r.alert
	*a = correlate.Alert{}
	a.Fingerprint, a.Raw.RawPartition, a.Raw.Offset = *fp, r.raw, offset
	a.FirstOffset, a.Episode, a.Epoch = seen.FirstOffset, seen.Episode, r.in.o.Intake.Epoch
	a.Verdict, a.Scope, a.Source, a.Service = seen.Verdict, ev.Scope, ev.Source, ev.Service
	a.Entity, a.Check, a.Severity, a.Status = ev.Entity, ev.Check, ev.Severity, ev.Status
	a.Summary, a.URL, a.Value = ev.Summary, ev.URL, ev.Value
	a.Labels, a.First, a.Since, a.Last = r.visible(ev.Labels), seen.First, seen.Since, seen.Last
	a.Received, a.Count, a.Behind = ts, seen.Count, r.behind(offset+1)
	r.pursuit.owed[home] = r.pursuit.owed[home] || r.alert.Behind > 0
	r.send(home, now)
}

// visible returns the labels that rules may read. Both lists are sorted.
func (r *rawReader) visible(labels []correlate.Label) []correlate.Label {
	r.labels = r.labels[:0]
	names := r.in.o.Intake.Visible
	for _, l := range labels {
		for len(names) > 0 && names[0] < l.Name {
			names = names[1:]
		}
		if len(names) > 0 && names[0] == l.Name {
			r.labels = append(r.labels, l)
		}
	}
	return r.labels
}

// note counts what was cut from an event that was accepted.
func (r *rawReader) note(n decode.Notes) {
	for _, one := range decode.AllNotes() {
		if n&one != 0 {
			r.in.metrics.cut.WithLabelValues(r.raw.Topic, one.String()).Inc()
		}
	}
}

// owe sends a trailing update for counts that no event will tell.
func (r *rawReader) owe(o dedup.Owed) {
	r.alert = correlate.Alert{
		Fingerprint: o.Fingerprint, Raw: correlate.RawPosition{RawPartition: r.raw, Offset: o.Offset},
		FirstOffset: o.FirstOffset, Episode: o.Episode, Epoch: r.in.o.Intake.Epoch,
		Verdict: correlate.VerdictUpdate, Flush: true, Severity: o.Severity, Status: o.Status,
		First: o.First, Since: o.Since, Last: o.Last, Received: o.Received, Count: o.Count,
		Behind: r.behind(r.next),
	}
	r.send(int32(o.Home), o.Due)
}

// send produces r.alert. Under the event clock the record's time is stream time; otherwise the
// broker stamps it.
func (r *rawReader) send(home int32, at correlate.Time) {
	r.passed++
	r.record = correlate.Record{Kind: correlate.KindAlert, Alert: &r.alert}
	r.tell(home, at, &r.record)
}

// tell produces a record of the alerts topic.
func (r *rawReader) tell(home int32, at correlate.Time, c *correlate.Record) {
	rec := r.slate.write(c)
	rec.Topic, rec.Partition = r.in.o.Topics.Alerts, home
	if r.in.o.Clock == correlate.ClockEvent {
		rec.Timestamp = at.Std()
	}
	r.slate.produce(r.out, rec)
}
