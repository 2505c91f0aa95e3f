package archive

import "quell/correlate"

// Stamp is what intake adds to an event.
type Stamp struct {
	Offset      int64          // position in the raw partition
	Received    correlate.Time // record timestamp
	Verdict     correlate.Verdict
	Fingerprint correlate.Fingerprint
	Clamped     bool // the event's time was clamped
}

// EventsBuilder builds the rows of the table events. After the first batches it allocates nothing.
type EventsBuilder struct {
	frame                                   frame
	offset, time, received                  []byte
	scope, source, service, check           wordsOf
	entity, id, summary, url, value         []byte
	severity, status, verdict, clamped, fps []byte
	labels                                  listsOf
}

// NewEventsBuilder returns an empty builder.
func NewEventsBuilder() *EventsBuilder {
	return &EventsBuilder{frame: newFrame(tables[0]), scope: newWords(), source: newWords(),
		service: newWords(), check: newWords(), labels: listsOf{keys: newWords()}}
}

// Row is an event and what intake adds to it.
type Row struct {
	Event *correlate.Event
	Stamp
}

// Append adds a row: a copy, ev is not kept. Rows come in the order of their positions.
func (b *EventsBuilder) Append(ev *correlate.Event, s *Stamp) {
	b.AppendRows([]Row{{Event: ev, Stamp: *s}})
}

// AppendRows adds rows, column by column: so the end of each column's memory is looked up and stored
// once for all of them, and the words of a column are looked for while those before are still
// being compared.
func (b *EventsBuilder) AppendRows(rows []Row) {
	offset, time, received := b.offset, b.time, b.received
	for i := range rows {
		r := &rows[i]
		offset = putInt64(offset, r.Offset)
		time = putTime(time, r.Event.Time)
		received = putTime(received, r.Received)
	}
	b.offset, b.time, b.received = offset, time, received
	severity, status, verdict, clamped := b.severity, b.status, b.verdict, b.clamped
	for i := range rows {
		r := &rows[i]
		severity = putInt8(severity, r.Event.Severity)
		status = putInt8(status, r.Event.Status)
		verdict = putInt8(verdict, r.Verdict)
		clamped = append(clamped, boolByte(r.Clamped || r.Event.Time != clampTime(r.Event.Time)))
	}
	b.severity, b.status, b.verdict, b.clamped = severity, status, verdict, clamped
	fps := b.fps
	for i := range rows {
		fps = append(fps, rows[i].Fingerprint[:]...)
	}
	b.fps = fps
	b.appendWords(rows)
	b.appendTexts(rows)
	for i := range rows {
		b.labels.addLabels(rows[i].Event.Labels)
	}
}

func (b *EventsBuilder) appendWords(rows []Row) {
	for i := range rows {
		b.scope.add(rows[i].Event.Scope)
	}
	for i := range rows {
		b.source.add(rows[i].Event.Source)
	}
	for i := range rows {
		b.service.add(rows[i].Event.Service)
	}
	for i := range rows {
		b.check.add(rows[i].Event.Check)
	}
}

func (b *EventsBuilder) appendTexts(rows []Row) {
	entity, id := b.entity, b.id
	for i := range rows {
		entity = putText(entity, rows[i].Event.Entity)
		id = putText(id, rows[i].Event.ID)
	}
	b.entity, b.id = entity, id
	summary, url, value := b.summary, b.url, b.value
	for i := range rows {
		ev := rows[i].Event
		summary = putText(summary, ev.Summary)
		url = putText(url, ev.URL)
		value = putText(value, ev.Value)
	}
	b.summary, b.url, b.value = summary, url, value
}

// Rows returns how many rows there are.
func (b *EventsBuilder) Rows() int { return len(b.severity) }

// Size returns about how many bytes the rows take.
func (b *EventsBuilder) Size() int {
	return 60*b.Rows() + len(b.entity) + len(b.id) + len(b.summary) + len(b.url) + len(b.value) +
		len(b.labels.values) + len(b.labels.keys.index) + len(b.labels.keys.dict) +
		len(b.scope.dict) + len(b.source.dict) + len(b.service.dict) + len(b.check.dict)
}

// Section returns the rows: views that live until the next Append or Reset.
func (b *EventsBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	f.fixed(b.offset)
	f.fixed(b.time)
	f.fixed(b.received)
	f.words(&b.scope)
	f.words(&b.source)
	f.words(&b.service)
	f.text(b.entity)
	f.words(&b.check)
	f.fixed(b.severity)
	f.fixed(b.status)
	f.fixed(b.verdict)
	f.fixed(b.fps)
	f.text(b.id)
	f.text(b.summary)
	f.text(b.url)
	f.text(b.value)
	f.lists(&b.labels)
	f.fixed(b.clamped)
	f.repeat(putUint64(scratch8(), o.Epoch))
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *EventsBuilder) Reset() {
	truncate(&b.offset, &b.time, &b.received, &b.entity, &b.id, &b.summary, &b.url, &b.value,
		&b.severity, &b.status, &b.verdict, &b.clamped, &b.fps)
	b.scope.reset()
	b.source.reset()
	b.service.reset()
	b.check.reset()
	b.labels.reset()
}

func truncate(columns ...*[]byte) {
	for _, c := range columns {
		*c = (*c)[:0]
	}
}

// MaxPayload is how many bytes of a rejected payload are kept.
const MaxPayload = 64 << 10

// Rejection is a record that could not be decoded, and why.
type Rejection struct {
	Offset   int64          // position in the raw partition
	Received correlate.Time // record timestamp
	Reason   string         // a word: the metric label
	Detail   string         // what exactly, and where in the payload
	Payload  []byte         // cut at MaxPayload
	Size     int            // bytes of the whole payload
	Hash     uint64         // XXH64 of the whole payload, as ClickHouse's xxHash64 computes it
}

// RejectedBuilder builds the rows of the table rejected.
type RejectedBuilder struct {
	frame                                         frame
	offset, received, detail, payload, size, hash []byte
	reason                                        wordsOf
}

// NewRejectedBuilder returns an empty builder.
func NewRejectedBuilder() *RejectedBuilder {
	return &RejectedBuilder{frame: newFrame(tables[1]), reason: newWords()}
}

// Append adds a row: a copy. Rows come in the order of their positions.
func (b *RejectedBuilder) Append(r *Rejection) {
	b.offset = putInt64(b.offset, r.Offset)
	b.received = putTime(b.received, r.Received)
	b.reason.add(r.Reason)
	b.detail = putText(b.detail, r.Detail)
	kept := r.Payload[:min(len(r.Payload), MaxPayload)]
	b.payload = append(appendLength(b.payload, len(kept)), kept...)
	b.size = putUint64(b.size, uint64(r.Size))
	b.hash = putUint64(b.hash, r.Hash)
}

// Rows returns how many rows there are.
func (b *RejectedBuilder) Rows() int { return len(b.offset) / 8 }

// Section returns the rows: views that live until the next Append or Reset.
func (b *RejectedBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	f.fixed(b.offset)
	f.fixed(b.received)
	f.words(&b.reason)
	f.text(b.detail)
	f.text(b.payload)
	f.fixed(b.size)
	f.fixed(b.hash)
	f.repeat(putUint64(scratch8(), o.Epoch))
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *RejectedBuilder) Reset() {
	truncate(&b.offset, &b.received, &b.detail, &b.payload, &b.size, &b.hash)
	b.reason.reset()
}
