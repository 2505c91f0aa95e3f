package pipeline

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
)

// outputs gathers an engine's effects until its next transaction. Everything goes to the partition
// with the number of the engine's own, so that no other owner's open transaction can hold back its
// readers.
type outputs struct {
	o  *Options
	id int32

	list  []*kgo.Record // incidents and pages, in the order of the effects
	pages []correlate.Page

	disposed  *archive.DispositionsBuilder
	revisions *archive.RevisionsBuilder
	paged     *archive.PagesBuilder
	answered  *archive.ResponsesBuilder
	from, to  int64 // coverage in the alerts partition
	size      int   // bytes of all that, about

	block []byte // the block of rows: its memory is used again after the transaction
}

func newOutputs(o *Options, id int32) *outputs {
	return &outputs{o: o, id: id, disposed: archive.NewDispositionsBuilder(),
		revisions: archive.NewRevisionsBuilder(), paged: archive.NewPagesBuilder(),
		answered: archive.NewResponsesBuilder()}
}

// pending reports whether there is anything to commit but the position.
func (out *outputs) pending() bool { return out.rows() > 0 }

func (out *outputs) rows() int {
	return out.disposed.Rows() + out.revisions.Rows() + out.paged.Rows() + out.answered.Rows()
}

// largeRows and largeBytes are how many rows or bytes make a transaction, and so its block of the
// dispositions topic, full. A block is larger than that by one step, never divided since its rows
// share a position: the engine bounds it (Effects.Most and Limits.StepBytes).
const (
	largeRows  = 16 << 10
	largeBytes = 4 << 20
)

// large reports that a transaction is full.
func (out *outputs) large() bool { return out.rows() >= largeRows || out.size >= largeBytes }

// add takes the effects of a step that ended before position next.
func (out *outputs) add(fx *correlate.Effects, next int64) error {
	for i := range fx.Disposed {
		if out.o.Clock == correlate.ClockEvent {
			// Merged alerts do not come in the order of the log, and rows must.
			fx.Disposed[i].Offset = next - 1
		}
		out.disposed.Append(&fx.Disposed[i])
		out.size += 160
		if a := fx.Disposed[i].Alert; a != nil {
			out.size += len(a.Scope) + len(a.Source) + len(a.Service) + len(a.Entity) + len(a.Check)
		}
	}
	for i := range fx.Answered {
		if out.o.Clock == correlate.ClockEvent {
			fx.Answered[i].Offset = next - 1
		}
		out.answered.Append(&fx.Answered[i])
		out.size += 256
	}
	for i := range fx.Incidents {
		in := &fx.Incidents[i]
		value, err := out.o.Correlate.Form.AppendIncident(nil, in)
		if err != nil {
			return fmt.Errorf("incident %s revision %d: %w", in.ID, in.Revision, err)
		}
		out.list = append(out.list, out.record(out.o.Topics.Incidents, in.ID, value))
		out.revisions.Append(in, next-1)
		out.size += len(value)
	}
	for i := range fx.Pages {
		p := &fx.Pages[i]
		value, err := out.o.Correlate.Form.AppendPage(nil, p)
		if err != nil {
			return fmt.Errorf("page of incident %s revision %d: %w", p.ID, p.Revision, err)
		}
		out.list = append(out.list, out.record(out.o.Topics.Pages, p.ID, value))
		out.paged.Append(p, next-1)
		out.size += len(value)
		out.pages = append(out.pages, *p)
	}
	out.to = next
	return nil
}

func (out *outputs) record(topic, key string, value []byte) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: out.id, Key: []byte(key), Value: value}
}

// records returns everything that is pending: incidents, pages and one block of rows, which lives
// until the next call.
func (out *outputs) records() ([]*kgo.Record, error) {
	if !out.pending() {
		return nil, nil
	}
	origin := archive.Origin{Topic: out.o.Topics.Alerts, Partition: out.id,
		Day: today()}
	env := archive.Envelope{Origin: origin, From: out.from, To: out.to,
		Sections: []archive.Section{out.disposed.Section(origin), out.revisions.Section(origin),
			out.paged.Section(origin), out.answered.Section(origin)}}
	if err := env.Check(); err != nil {
		return nil, out.oversize(err)
	}
	out.block = env.Append(out.block[:0])
	if most := maxDispositionsBytes - blockRoom; len(out.block) > most {
		return nil, out.oversize(fmt.Errorf("it has %d bytes, a producer takes %d", len(out.block), most))
	}
	return append(out.list, &kgo.Record{Topic: out.o.Topics.Dispositions, Partition: out.id, Value: out.block}), nil
}

// oversize is the error of a block that nobody could take. It stands for a defect: engine and
// transactions have bounds that are far below. To produce it would fail without a word about where, or
// stop the archive for good.
func (out *outputs) oversize(err error) error {
	return fmt.Errorf("what follows from the records [%d, %d) of %s/%d makes a block that is too large for %s: "+
		"%w. The partition stands still before it and nothing is lost; please report this", out.from, out.to,
		out.o.Topics.Alerts, out.id, out.o.Topics.Dispositions, err)
}

// sent forgets what was committed and counts it.
func (out *outputs) sent(m *metrics, st *status) {
	now := time.Now()
	for i := range out.pages {
		p := &out.pages[i]
		m.pages.WithLabelValues(p.Reason.String()).Inc()
		if out.o.Clock == correlate.ClockAppend && p.Received > 0 {
			m.toPage.Observe(now.Sub(p.Received.Std()).Seconds())
		}
		st.page(p)
	}
	out.list, out.pages = nil, out.pages[:0]
	out.disposed.Reset()
	out.revisions.Reset()
	out.paged.Reset()
	out.answered.Reset()
	out.from, out.size = out.to, 0
}
