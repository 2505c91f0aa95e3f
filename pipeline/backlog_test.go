package pipeline_test

import (
	"encoding/json"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/wire"
	"quell/pipeline"
	"quell/rules"
)

// pagingAtOnce has no group_wait: only a hold can keep an incident from paging.
func pagingAtOnce(_ *pipeline.Options, s *rules.Spec) {
	s.Rules[0].GroupWait, s.Rules[0].GroupInterval = new(0*rules.Second), new(rules.Minute)
}

// outage is what monitoring says while somebody is away: shop and cart clear, blog becomes worse.
func (w *world) outage() {
	w.send(0, event("shop", "a", "critical", "firing"), event("blog", "b", "error", "firing"),
		event("shop", "a", "critical", "resolved"), event("blog", "b", "critical", "firing"),
		event("cart", "c", "critical", "firing"), event("cart", "c", "critical", "resolved"))
}

// onePageForBlog waits until it was paged for blog, and then for what comes after the outage: that
// pages at once. There must be nothing else.
func (w *world) onePageForBlog() {
	w.t.Helper()
	eventually(w.t, "a page", func() bool { return len(w.pages()) > 0 })
	w.send(1, event("mail", "d", "error", "firing"))
	eventually(w.t, "a page for what is new", func() bool {
		pages := w.pages()
		return pages[len(pages)-1].Service == "mail"
	})
	pages := w.pages()
	if len(pages) != 2 || pages[0].Service != "blog" || pages[0].Reason != correlate.ReasonFirst ||
		pages[0].Severity != correlate.Critical || pages[0].Events != 2 {
		w.t.Errorf("%d pages: %+v", len(pages), pages)
	}
	transient := 0
	for _, r := range w.read(w.options.Topics.Incidents) {
		var in correlate.Incident
		if err := json.Unmarshal(r.Value, &in); err != nil {
			w.t.Fatal(err)
		}
		if in.Transient {
			transient++
		}
	}
	if transient != 2 {
		w.t.Errorf("%d incidents were transient, want those of shop and cart", transient)
	}
}

// The raw topic has it all before intake comes; correlate is there and keeps up.
func TestIntakeWasAway(t *testing.T) {
	w := newWorld(t, pagingAtOnce)
	w.options.Roles = pipeline.Roles{Correlate: true}
	w.start()
	eventually(t, "ticks of one who keeps up", func() bool {
		for _, r := range w.read(w.options.Topics.Alerts) {
			rec := w.decode(r)
			if rec.Kind == correlate.KindTick && r.Timestamp.UnixMilli()-int64(rec.Tick.At) < 1000 {
				return true
			}
		}
		return false
	})
	w.outage()
	w.options.Roles = pipeline.Roles{Intake: true}
	w.start()
	w.onePageForBlog()
	behind, rests := 0, 0
	for _, r := range w.read(w.options.Topics.Alerts) {
		switch rec := w.decode(r); rec.Kind {
		case correlate.KindAlert:
			if rec.Alert.Behind > 0 {
				behind++
			}
		case correlate.KindWatermark:
			if m := rec.Watermark; m.Idle && m.Raw.Partition == 0 && m.Next == 6 {
				rests++
			}
		}
	}
	if behind != 5 || rests != 1 {
		t.Errorf("%d alerts say that more was unread, want 5; %d times it was said that all is read, "+
			"want once", behind, rests)
	}
}

// Intake writes alerts while nobody correlates.
func TestCorrelateWasAway(t *testing.T) {
	w := newWorld(t, pagingAtOnce)
	w.options.Roles = pipeline.Roles{Intake: true}
	w.start()
	w.outage()
	eventually(t, "six alerts", func() bool {
		n := 0
		for _, r := range w.read(w.options.Topics.Alerts) {
			if w.decode(r).Kind == correlate.KindAlert {
				n++
			}
		}
		return n == 6
	})
	w.options.Roles = pipeline.Roles{Correlate: true}
	w.start()
	w.onePageForBlog()
}

func (w *world) decode(r *kgo.Record) correlate.Record {
	w.t.Helper()
	rec, err := wire.Decode(r.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}
