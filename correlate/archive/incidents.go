package archive

import (
	"encoding/binary"
	"encoding/json"

	"quell/correlate"
)

// incidentColumns are the columns that revisions and pages have in common.
type incidentColumns struct {
	offset, at, id, revision                     []byte
	state, severity                              []byte
	summary, runbook, firstEvent, opened         []byte
	events, alerts, firing                       []byte
	scope, rule, route, service, owner, priority wordsOf
	group, services                              listsOf
}

func newIncidentColumns() incidentColumns {
	return incidentColumns{scope: newWords(), rule: newWords(), route: newWords(),
		service: newWords(), owner: newWords(), priority: newWords(),
		group: listsOf{keys: newWords()}, services: listsOf{keys: newWords()}}
}

func (b *incidentColumns) append(in *correlate.Incident, offset int64) {
	b.offset = putInt64(b.offset, offset)
	b.at = putTime(b.at, in.At)
	b.id = putText(b.id, in.ID)
	b.revision = binary.LittleEndian.AppendUint32(b.revision, in.Revision)
	b.scope.add(in.Scope)
	b.rule.add(in.Rule)
	b.group.addLabels(in.Group)
	b.route.add(in.Route)
	b.state = putInt8(b.state, in.State)
	b.severity = putInt8(b.severity, in.Severity)
	b.service.add(in.Service)
	b.services.addWords(in.Services)
	b.summary = putText(b.summary, in.Summary)
	b.owner.add(in.Owner)
	b.runbook = putText(b.runbook, in.Runbook)
	b.priority.add(in.Priority)
	b.firstEvent = putTime(b.firstEvent, in.FirstEvent)
	b.opened = putTime(b.opened, in.Opened)
	b.events = putUint64(b.events, in.Events)
	b.alerts = putUint64(b.alerts, in.Alerts)
	b.firing = putUint64(b.firing, in.Firing)
}

func (b *incidentColumns) columns(f *frame) {
	f.fixed(b.offset)
	f.fixed(b.at)
	f.text(b.id)
	f.fixed(b.revision)
	f.words(&b.scope)
	f.words(&b.rule)
	f.lists(&b.group)
	f.words(&b.route)
	f.fixed(b.state)
	f.fixed(b.severity)
	f.words(&b.service)
	f.lists(&b.services)
	f.text(b.summary)
	f.words(&b.owner)
	f.text(b.runbook)
	f.words(&b.priority)
	f.fixed(b.firstEvent)
	f.fixed(b.opened)
	f.fixed(b.events)
	f.fixed(b.alerts)
	f.fixed(b.firing)
}

func (b *incidentColumns) reset() {
	truncate(&b.offset, &b.at, &b.id, &b.revision, &b.state, &b.severity, &b.summary, &b.runbook,
		&b.firstEvent, &b.opened, &b.events, &b.alerts, &b.firing)
	for _, w := range [...]*wordsOf{&b.scope, &b.rule, &b.route, &b.service, &b.owner,
		&b.priority} {
		w.reset()
	}
	b.group.reset()
	b.services.reset()
}

// RevisionsBuilder builds the rows of the table incident_revisions.
type RevisionsBuilder struct {
	frame                                 frame
	common                                incidentColumns
	cause, lastEvent, detected            []byte
	paged, acknowledged, resolved         maybeTimes
	late, reopened, pages                 []byte
	transient, normal, by, assignee, note []byte
}

// NewRevisionsBuilder returns an empty builder.
func NewRevisionsBuilder() *RevisionsBuilder {
	return &RevisionsBuilder{frame: newFrame(tables[3]), common: newIncidentColumns()}
}

// Append adds a row: a copy, in is not kept. Offset is the position in the alerts partition of the
// record that was applied, also for what a timer did before it. Rows come in that order.
func (b *RevisionsBuilder) Append(in *correlate.Incident, offset int64) {
	b.common.append(in, offset)
	b.cause = putInt8(b.cause, in.Cause)
	b.lastEvent = putTime(b.lastEvent, in.LastEvent)
	b.detected = putTime(b.detected, in.Detected)
	b.paged.add(in.Paged)
	b.acknowledged.add(in.Acknowledged)
	b.resolved.add(in.ResolvedAt)
	b.late = putUint64(b.late, in.LateSeen)
	b.reopened = binary.LittleEndian.AppendUint32(b.reopened, in.Reopened)
	b.pages = binary.LittleEndian.AppendUint32(b.pages, in.Pages)
	b.transient = append(b.transient, boolByte(in.Transient))
	b.normal = append(b.normal, boolByte(in.ReturnedToNormal))
	b.by = putText(b.by, in.By)
	b.assignee = putText(b.assignee, in.Assignee)
	b.note = putText(b.note, in.Note)
}

// Rows returns how many rows there are.
func (b *RevisionsBuilder) Rows() int { return len(b.cause) }

// Section returns the rows: views that live until the next Append or Reset.
func (b *RevisionsBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	b.common.columns(f)
	f.fixed(b.cause)
	f.fixed(b.lastEvent)
	f.fixed(b.detected)
	f.maybe(&b.paged)
	f.maybe(&b.acknowledged)
	f.maybe(&b.resolved)
	f.fixed(b.late)
	f.fixed(b.reopened)
	f.fixed(b.pages)
	f.fixed(b.transient)
	f.fixed(b.normal)
	f.text(b.by)
	f.text(b.assignee)
	f.text(b.note)
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *RevisionsBuilder) Reset() {
	b.common.reset()
	truncate(&b.cause, &b.lastEvent, &b.detected, &b.late, &b.reopened, &b.pages, &b.transient,
		&b.normal, &b.by, &b.assignee, &b.note)
	b.paged.reset()
	b.acknowledged.reset()
	b.resolved.reset()
}

// PagesBuilder builds the rows of the table pages. A page is a revision of its incident: what a
// page says beyond the columns here is in that revision's row.
type PagesBuilder struct {
	frame       frame
	common      incidentColumns
	reason, top []byte
}

// NewPagesBuilder returns an empty builder.
func NewPagesBuilder() *PagesBuilder {
	return &PagesBuilder{frame: newFrame(tables[4]), common: newIncidentColumns()}
}

// Append adds a row: a copy, p is not kept. Offset is as in [RevisionsBuilder.Append].
func (b *PagesBuilder) Append(p *correlate.Page, offset int64) {
	b.common.append(&p.Incident, offset)
	b.reason = putInt8(b.reason, p.Reason)
	top, err := json.Marshal(p.Top)
	if err != nil { // strings, numbers and times of ours: nothing that JSON can't say
		panic("archive: top alerts of a page: " + err.Error())
	}
	b.top = append(appendLength(b.top, len(top)), top...)
}

// Rows returns how many rows there are.
func (b *PagesBuilder) Rows() int { return len(b.reason) }

// Section returns the rows: views that live until the next Append or Reset.
func (b *PagesBuilder) Section(o Origin) Section {
	f := &b.frame
	f.begin(&o)
	b.common.columns(f)
	f.fixed(b.reason)
	f.text(b.top)
	return f.end(&o, b.Rows())
}

// Reset empties b and keeps its memory.
func (b *PagesBuilder) Reset() {
	b.common.reset()
	truncate(&b.reason, &b.top)
}
