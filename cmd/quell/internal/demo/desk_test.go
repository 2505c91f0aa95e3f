package demo

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"quell/correlate"
)

// noon is when the tests' pages come.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func page(id string, reason correlate.PageReason, state correlate.State, firing, alerts uint64) *Page {
	p := new(Page)
	p.ID, p.Reason, p.State, p.Firing, p.Alerts = id, reason, state, firing, alerts
	return p
}

// first calls somebody.
func first(id string) *Page { return page(id, correlate.ReasonFirst, correlate.Open, 3, 3) }

// incidentOf returns an incident id whose assignee has that habit.
func incidentOf(t *testing.T, h habit) string {
	t.Helper()
	for i := range 1000 {
		if id := fmt.Sprintf("0-%020x", i); newDesk(1).open(id).habit == h {
			return id
		}
	}
	t.Fatalf("nobody has habit %d", h)
	return ""
}

// answers collects everything that the desk says until then, with the time after noon.
func answers(d *desk, until time.Duration) (out []string) {
	for after := time.Duration(0); after <= until; after += 100 * time.Millisecond {
		for _, r := range d.due(noon.Add(after)) {
			out = append(out, fmt.Sprintf("%s %s", r.Action, after.Truncate(time.Second)))
		}
	}
	return out
}

// TestDeskAcknowledges: between one and five seconds after the page that calls somebody, once, and
// by somebody.
func TestDeskAcknowledges(t *testing.T) {
	for i := range 200 {
		d := newDesk(uint64(i))
		d.take(noon, first("0-a"))
		d.take(noon.Add(500*time.Millisecond), page("0-a", correlate.ReasonNewAlerts, correlate.Open, 4, 4))
		if got := d.due(noon.Add(999 * time.Millisecond)); got != nil {
			t.Fatalf("seed %d: answered within a second: %+v", i, got)
		}
		got := d.due(noon.Add(5 * time.Second))
		if len(got) != 1 || got[0].Action != correlate.ActionAcknowledge || got[0].Incident != "0-a" ||
			got[0].By == "" || got[0].At != correlate.TimeOf(noon.Add(5*time.Second)) {
			t.Fatalf("seed %d: %+v", i, got)
		}
	}
}

// TestDeskStaysSilent about pages that tell what became of a call, and about incidents that are over
// before anybody answered.
func TestDeskStaysSilent(t *testing.T) {
	for name, pages := range map[string][]*Page{
		"acknowledged by somebody else": {page("0-a", correlate.ReasonAcknowledged, correlate.Acknowledged, 2, 2)},
		"resolved":                      {page("0-a", correlate.ReasonAllResolved, correlate.ResolvedDone, 0, 2)},
		"over before the answer": {first("0-a"),
			page("0-a", correlate.ReasonAllResolved, correlate.ResolvedDone, 0, 2)},
		"some cleared, nobody called": {page("0-a", correlate.ReasonNewResolved, correlate.Acknowledged, 1, 9)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(1)
			for _, p := range pages {
				d.take(noon, p)
			}
			if got := answers(d, time.Minute); got != nil || d.planned() != 0 {
				t.Errorf("answered %v, %d planned", got, d.planned())
			}
		})
	}
}

// TestDeskHabits: who watches closes when most is clear, who is impatient closes in any case but not
// before a fault could be over, and the others never do. Nobody closes what is not theirs.
func TestDeskHabits(t *testing.T) {
	clear := func(id string) *Page {
		return page(id, correlate.ReasonNewResolved, correlate.Acknowledged, 1, 3)
	}
	t.Run("watches", func(t *testing.T) {
		d, id := newDesk(1), incidentOf(t, watches)
		d.take(noon, first(id))
		d.take(noon, clear(id)) // before the acknowledgement: not theirs
		if got := answers(d, 10*time.Second); len(got) != 1 {
			t.Fatalf("before anything is clear: %v", got)
		}
		d.take(noon.Add(20*time.Second), page(id, correlate.ReasonNewResolved, correlate.Acknowledged, 2, 3))
		if d.planned() != 0 {
			t.Error("closes while most is firing")
		}
		d.take(noon.Add(20*time.Second), clear(id))
		d.take(noon.Add(20*time.Second), clear(id))
		got := d.due(noon.Add(22 * time.Second))
		if len(got) != 1 || got[0].Action != correlate.ActionResolve {
			t.Errorf("closes with %+v", got)
		}
	})
	t.Run("impatient", func(t *testing.T) {
		d, id := newDesk(1), incidentOf(t, impatient)
		d.take(noon, first(id))
		d.due(noon.Add(5 * time.Second))
		if got := d.due(noon.Add(13*time.Second - time.Millisecond)); got != nil {
			t.Errorf("closes before the fault could be over: %+v", got)
		}
		if got := d.due(noon.Add(21 * time.Second)); len(got) != 1 || got[0].Action != correlate.ActionResolve {
			t.Errorf("closes with %+v", got)
		}
	})
	t.Run("leaves it", func(t *testing.T) {
		d, id := newDesk(1), incidentOf(t, leavesIt)
		d.take(noon, first(id))
		d.due(noon.Add(5 * time.Second))
		d.take(noon.Add(6*time.Second), clear(id))
		if d.planned() != 0 {
			t.Error("closes")
		}
	})
}

// TestDeskIsCalledAgain: an incident that is open again needs a new acknowledgement, and what was
// planned on the old one is off.
func TestDeskIsCalledAgain(t *testing.T) {
	d, id := newDesk(1), incidentOf(t, impatient)
	d.take(noon, first(id))
	d.due(noon.Add(5 * time.Second)) // and closes it some time later
	again := noon.Add(6 * time.Second)
	d.take(again, page(id, correlate.ReasonSeverityRise, correlate.Open, 3, 3))
	got := d.due(again.Add(5 * time.Second))
	if len(got) != 1 || got[0].Action != correlate.ActionAcknowledge || d.planned() != 1 {
		t.Errorf("answers %+v, %d planned", got, d.planned())
	}
}

// TestDeskIsDeterministic: equal pages get equal answers, another seed other ones.
func TestDeskIsDeterministic(t *testing.T) {
	play := func(seed uint64) []string {
		d := newDesk(seed)
		for i := range 40 {
			d.take(noon, first(fmt.Sprintf("0-%d", i)))
		}
		return answers(d, 30*time.Second)
	}
	if !slices.Equal(play(3), play(3)) {
		t.Error("the same pages got other answers")
	}
	if slices.Equal(play(3), play(4)) {
		t.Error("another seed gave the same answers")
	}
}
