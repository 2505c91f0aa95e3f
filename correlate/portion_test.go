package correlate_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	. "quell/correlate"
	"quell/correlate/archive"
)

// mostOfAStep is what one record may come to in a block of rows: the bound, what a single incident
// adds to it, and what is about in "about".
const mostOfAStep = 12 << 20

// rows returns how large the rows are that effects come to.
func rows(fx *Effects) int {
	disposed, revisions := archive.NewDispositionsBuilder(), archive.NewRevisionsBuilder()
	paged := archive.NewPagesBuilder()
	for i := range fx.Disposed {
		disposed.Append(&fx.Disposed[i])
	}
	for i := range fx.Incidents {
		revisions.Append(&fx.Incidents[i], 0)
	}
	for i := range fx.Pages {
		paged.Append(&fx.Pages[i], 0)
	}
	o := archive.Origin{Topic: "quell.alerts"}
	d, r, p := disposed.Section(o), revisions.Section(o), paged.Section(o)
	return d.Size() + r.Size() + p.Size()
}

// storm is an alert each for n clusters, with much to say about it.
func storm(t *testing.T, n int, at func(int) string, more args) []Record {
	s := newScribe()
	summary := strings.Repeat("it is down ", 200)
	records := make([]Record, 0, n)
	for i := range n {
		a := args{"t": at(i), "fp": fmt.Sprint("f", i), "cluster": fmt.Sprint("c", i), "summary": summary}
		for key, value := range more {
			a[key] = value
		}
		r := s.alert(t, a)
		binary.BigEndian.PutUint64(r.Alert.Fingerprint[:], uint64(i+1)*0x9e3779b97f4a7c15) // spread, as hashes are
		records = append(records, r)
	}
	return records
}

// portions steps over the records one by one, says how large the largest step was, and returns all
// that they brought about.
func portions(t *testing.T, e *Engine, records []Record) *Effects {
	all, largest := new(Effects), 0
	for i := range records {
		var fx Effects
		if err := e.Step(records[i:i+1], &fx); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, rows(&fx))
		all.Incidents, all.Pages = append(all.Incidents, fx.Incidents...), append(all.Pages, fx.Pages...)
		all.Disposed = append(all.Disposed, fx.Disposed...)
	}
	t.Logf("the largest step has %d bytes of rows", largest)
	if largest > mostOfAStep {
		t.Errorf("a step has %d bytes of rows, want at most %d", largest, mostOfAStep)
	}
	return all
}

// pagesOnce checks that each of n clusters was paged for once, in their order.
func pagesOnce(t *testing.T, fx *Effects, n int) {
	t.Helper()
	if len(fx.Pages) != n {
		t.Fatalf("%d pages for %d incidents", len(fx.Pages), n)
	}
	for i := range fx.Pages {
		if got := fx.Pages[i].Group[0].Value; got != fmt.Sprint("c", i) {
			t.Fatalf("page %d is for %s", i, got)
		}
	}
}

const manyIncidents = 20_000

// The pages that a backlog held go out in portions, with the ticks after it.
func TestHeldPagesComeInPortions(t *testing.T) {
	records := storm(t, manyIncidents, func(int) string { return "0s" }, nil)
	for i := range 60 {
		at := base.Add(Hour + Duration(i)*250)
		records = append(records, Record{Kind: KindTick, Time: at, Tick: Tick{At: at.Add(-250)}})
	}
	e, err := New(Options{Clock: ClockAppend, RuleSet: outageRule()})
	if err != nil {
		t.Fatal(err)
	}
	pagesOnce(t, portions(t, e, inOrder(records)), manyIncidents)
	if held := e.Stats().Held; held != 0 {
		t.Errorf("%d pages are held", held)
	}
}

// So do those of timers that are all due at once.
func TestTimersFireInPortions(t *testing.T) {
	e, err := New(Options{Clock: ClockAppend, RuleSet: outageRule()})
	if err != nil {
		t.Fatal(err)
	}
	records := lives(storm(t, manyIncidents, func(int) string { return "0s" }, nil), base.Add(-Second),
		base.Add(30*Second))
	pagesOnce(t, portions(t, e, records), manyIncidents)
	if end := base.Add(30 * Second); e.Clock() != end {
		t.Errorf("the clock is %s, want %s", when(e.Clock()), when(end))
	}
}

// So does what a watermark lets pass, and what happens when time runs out behind the last one.
func TestWatermarksPassInPortions(t *testing.T) {
	at := func(i int) string { return fmt.Sprint(i, "ms") }
	records := storm(t, manyIncidents, at, args{"sev": "critical"})
	raw := records[0].Alert.Raw.RawPartition
	records = append(records, Record{Kind: KindWatermark, Watermark: &Watermark{Raw: raw,
		Of: []RawPartition{raw}, At: base.Add(Minute), Finished: true, Next: manyIncidents, Said: 1}})
	for range 60 {
		records = append(records, Record{Kind: KindTick})
	}
	for i := range records {
		records[i].Offset = int64(i)
	}
	e, err := New(Options{Clock: ClockEvent, RuleSet: outageRule()})
	if err != nil {
		t.Fatal(err)
	}
	fx := portions(t, e, records)
	if !e.Stats().Ended || len(fx.Disposed) != manyIncidents {
		t.Errorf("%d of %d alerts are disposed, ended: %t", len(fx.Disposed), manyIncidents, e.Stats().Ended)
	}
	var first Effects
	for i := range fx.Pages {
		if fx.Pages[i].Reason == ReasonFirst {
			first.Pages = append(first.Pages, fx.Pages[i])
		}
	}
	pagesOnce(t, &first, manyIncidents)

	// An engine that may do it all at once does the same.
	_, want := run(t, Options{Clock: ClockEvent, RuleSet: outageRule(), Limits: Limits{StepBytes: 1 << 40}},
		records, 1000)
	if len(want.Incidents) != len(fx.Incidents) || differ(&Effects{Incidents: want.Incidents,
		Pages: want.Pages, Disposed: want.Disposed}, fx) != "" {
		t.Error("without a bound it is not the same")
	}
}

// A caller who wants only so much at once gets no more than a record too much, and in the end all.
func TestStepReturnsWithEnough(t *testing.T) {
	o := lawOptions(ClockAppend)
	story := newStoryteller(1).tell(t, o, 2000)
	want, all := run(t, o, story, 100)
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	got, steps := new(Effects), 0
	for fx := (Effects{Most: 2000}); e.Position() < want.Position(); steps++ {
		fx.Reset()
		if err := e.Step(story, &fx); err != nil {
			t.Fatal(err)
		}
		got.Incidents, got.Pages = append(got.Incidents, fx.Incidents...), append(got.Pages, fx.Pages...)
	}
	if len(got.Incidents) != len(all.Incidents) || len(got.Pages) != len(all.Pages) || e.Hash() != want.Hash() {
		t.Error("in the end it is not the same")
	}
	if steps < 100 {
		t.Errorf("%d steps", steps)
	}
}
