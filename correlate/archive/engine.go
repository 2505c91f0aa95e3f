package archive

import "quell/correlate"

// DispositionsBuilder builds the rows of the table dispositions: what became of each alert record.
type DispositionsBuilder struct {
	frame                                    frame
	offset, at, rawPartition, rawOffset      []byte
	firstOffset, episode, fps                []byte
	rawTopic, scope, source, service, check  wordsOf
	rule                                     wordsOf
	entity, incident                         []byte
	severity, status, verdict, flush, became []byte
	added, first, since, last, received      []byte
}

// NewDispositionsBuilder returns an empty builder.
func NewDispositionsBuilder() *DispositionsBuilder {
	return &DispositionsBuilder{frame: newFrame(tables[2]), rawTopic: newWords(),
		scope: newWords(), source: newWords(), service: newWords(), check: newWords(),
		rule: newWords()}
}

// Append adds a row: a copy, d is not kept. Rows come in the order of their positions.
func (b *DispositionsBuilder) Append(d *correlate.Disposed) {
	a := d.Alert
	b.offset = putInt64(b.offset, d.Offset)
	b.at = putTime(b.at, d.At)
	b.rawTopic.add(a.Raw.Topic)
	b.rawPartition = putInt32(b.rawPartition, a.Raw.Partition)
	b.rawOffset = putInt64(b.rawOffset, a.Raw.Offset)
	b.firstOffset = putInt64(b.firstOffset, a.FirstOffset)
	b.episode = putInt64(b.episode, a.Episode)
	b.fps = append(b.fps, a.Fingerprint[:]...)
	b.scope.add(a.Scope)
	b.source.add(a.Source)
	b.service.add(a.Service)
	b.entity = putText(b.entity, a.Entity)
	b.check.add(a.Check)
	b.severity = putInt8(b.severity, a.Severity)
	b.status = putInt8(b.status, a.Status)
	b.verdict = putInt8(b.verdict, a.Verdict)
	b.flush = append(b.flush, boolByte(a.Flush))
	b.became = putInt8(b.became, d.Disposition)
	b.incident = putText(b.incident, d.Incident)
	b.rule.add(d.Rule)
	b.added = putUint64(b.added, d.Added)
	b.first = putTime(b.first, a.First)
	b.since = putTime(b.since, a.Since)
	b.last = putTime(b.last, a.Last)
	b.received = putTime(b.received, a.Received)
}

// Rows returns how many rows there are.
func (b *DispositionsBuilder) Rows() int { return len(b.severity) }

// Section returns the rows: views that live until the next Append or Reset.
func (b *DispositionsBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	f.fixed(b.offset)
	f.fixed(b.at)
	f.words(&b.rawTopic)
	f.fixed(b.rawPartition)
	f.fixed(b.rawOffset)
	f.fixed(b.firstOffset)
	f.fixed(b.episode)
	f.fixed(b.fps)
	f.words(&b.scope)
	f.words(&b.source)
	f.words(&b.service)
	f.text(b.entity)
	f.words(&b.check)
	f.fixed(b.severity)
	f.fixed(b.status)
	f.fixed(b.verdict)
	f.fixed(b.flush)
	f.fixed(b.became)
	f.text(b.incident)
	f.words(&b.rule)
	f.fixed(b.added)
	f.fixed(b.first)
	f.fixed(b.since)
	f.fixed(b.last)
	f.fixed(b.received)
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *DispositionsBuilder) Reset() {
	truncate(&b.offset, &b.at, &b.rawPartition, &b.rawOffset, &b.firstOffset, &b.episode, &b.fps,
		&b.entity, &b.incident, &b.severity, &b.status, &b.verdict, &b.flush, &b.became,
		&b.added, &b.first, &b.since, &b.last, &b.received)
	for _, w := range [...]*wordsOf{&b.rawTopic, &b.scope, &b.source, &b.service, &b.check,
		&b.rule} {
		w.reset()
	}
}

// ResponsesBuilder builds the rows of the table responses: what became of each response.
type ResponsesBuilder struct {
	frame                               frame
	offset, at, rawPartition, rawOffset []byte
	rawTopic                            wordsOf
	incident, by, note, to              []byte
	action, outcome                     []byte
	said                                maybeTimes
}

// NewResponsesBuilder returns an empty builder.
func NewResponsesBuilder() *ResponsesBuilder {
	return &ResponsesBuilder{frame: newFrame(tables[5]), rawTopic: newWords()}
}

// Append adds a row: a copy, a is not kept. Rows come in the order of their positions.
func (b *ResponsesBuilder) Append(a *correlate.Answered) {
	r := a.Response
	b.offset = putInt64(b.offset, a.Offset)
	b.at = putTime(b.at, a.At)
	b.rawTopic.add(r.Raw.Topic)
	b.rawPartition = putInt32(b.rawPartition, r.Raw.Partition)
	b.rawOffset = putInt64(b.rawOffset, r.Raw.Offset)
	b.incident = putText(b.incident, r.Incident)
	b.action = putInt8(b.action, r.Action)
	b.outcome = putInt8(b.outcome, a.Outcome)
	b.by = putText(b.by, r.By)
	b.said.add(r.At)
	b.note = putText(b.note, r.Note)
	b.to = putText(b.to, r.To)
}

// Rows returns how many rows there are.
func (b *ResponsesBuilder) Rows() int { return len(b.action) }

// Section returns the rows: views that live until the next Append or Reset.
func (b *ResponsesBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	f.fixed(b.offset)
	f.fixed(b.at)
	f.words(&b.rawTopic)
	f.fixed(b.rawPartition)
	f.fixed(b.rawOffset)
	f.text(b.incident)
	f.fixed(b.action)
	f.fixed(b.outcome)
	f.text(b.by)
	f.maybe(&b.said)
	f.text(b.note)
	f.text(b.to)
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *ResponsesBuilder) Reset() {
	truncate(&b.offset, &b.at, &b.rawPartition, &b.rawOffset, &b.incident, &b.by, &b.note, &b.to,
		&b.action, &b.outcome)
	b.rawTopic.reset()
	b.said.reset()
}
