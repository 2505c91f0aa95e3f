package correlate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	. "quell/correlate"
)

// The laws of the engine over thousands of random transcripts. (law_test.go has the same laws over a
// few long stories.)

var genres = []genre{
	{clock: ClockAppend, changes: true},
	{clock: ClockAppend, backlogs: true, changes: true},
	{clock: ClockEvent, changes: true},
}

// commands is how long a script must be for everything to happen in it: where there are backlogs,
// half of the commands are ticks.
func (g genre) commands() int {
	if g.backlogs {
		return 300
	}
	return 120
}

// chance is what the laws choose by. It depends on the seed and the record's time only, so that the
// choice stays the same while a transcript is shrunk around it.
func (s *scene) chance(salt uint64, r *Record, percent int) bool {
	return rand.New(rand.NewPCG(s.seed+salt, uint64(r.Time))).IntN(100) < percent
}

// However the records are cut into batches, and at whichever of them the engine is restored from
// its snapshot, what follows is the same.
func TestSeedsCutAnywhere(t *testing.T) {
	l := law{"cut and restored", func(s *scene) string {
		cuts, restores := []int{3, 20, 100}[s.seed%3], []int{2, 10, 30}[s.seed/3%3]
		if s.seed%16 == 2 {
			cuts, restores = 100, 100 // each record finds an engine restored after the one before
		}
		return s.same(s.fold(cuts, restores, s.options))
	}}
	for _, g := range genres {
		t.Run(g.String(), func(t *testing.T) { l.hold(t, g, 800, g.commands()) })
	}
}

// fold runs the records once more, cut after as many of a hundred as cuts says, and restored, with
// the options o, after as many as restores says.
func (s *scene) fold(cuts, restores int, o Options) (*Engine, *Effects) {
	e, err := New(s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	fx, begin := new(Effects), 0
	for i := range s.records {
		restore := s.chance(12, &s.records[i], restores)
		if !restore && !s.chance(11, &s.records[i], cuts) && i < len(s.records)-1 {
			continue
		}
		if err := e.Step(s.records[begin:i+1], fx); err != nil {
			s.t.Fatal(err)
		}
		begin = i + 1
		if restore {
			if e, err = Restore(o, e.Snapshot(nil)); err != nil {
				panic(err)
			}
		}
	}
	return e, fx
}

// same says what differs between the scene and another fold of the same records.
func (s *scene) same(e *Engine, fx *Effects) string {
	if differs := differ(s.fx, fx); differs != "" {
		return differs
	}
	if e.Hash() != s.engine.Hash() {
		return "the hash differs"
	}
	if !bytes.Equal(e.Snapshot(nil), s.engine.Snapshot(nil)) {
		return "the snapshot differs"
	}
	return ""
}

// differ says what differs between two folds that should bring about the same.
func differ(want, got *Effects) string {
	for _, c := range []struct {
		what      string
		want, got any
	}{
		{"incidents", want.Incidents, got.Incidents}, {"pages", want.Pages, got.Pages},
		{"dispositions", want.Disposed, got.Disposed}, {"answers", want.Answered, got.Answered},
		{"rule changes", want.Changed, got.Changed}, {"records ignored", want.Ignored, got.Ignored},
	} {
		w, g := reflect.ValueOf(c.want), reflect.ValueOf(c.got)
		switch {
		case w.Kind() == reflect.Int && w.Int() != g.Int():
			return fmt.Sprintf("%d %s, want %d", g.Int(), c.what, w.Int())
		case w.Kind() != reflect.Slice:
		case w.Len() != g.Len():
			return fmt.Sprintf("%d %s, want %d", g.Len(), c.what, w.Len())
		case w.Len() > 0 && !reflect.DeepEqual(c.want, c.got):
			return "other " + c.what
		}
	}
	return ""
}

// What intake repeats after a restart, at new offsets of the alerts topic, is ignored: alerts and
// trailing counts, also of those that are not tracked (any more), responses, and the word that a raw
// partition rests, also when it has woken since.
func TestSeedsRedelivered(t *testing.T) {
	l := law{"redelivered", func(s *scene) string {
		// Repeats take room in the buffer too, and each is a record more to divide work among.
		if l := &s.options.Limits; l.MergeBuffer+l.StepBytes > 0 {
			l.MergeBuffer, l.StepBytes = 0, 0
			s.engine, s.fx = run(s.t, s.options, s.records, 64)
		}
		told, repeated := s.redeliver()
		e, fx := run(s.t, s.options, told, 1+int(s.seed%64))
		want, got := timeless(s.fx), timeless(fx)
		want.Ignored = s.fx.Ignored + s.engine.Stats().Buffered + repeated
		got.Ignored = fx.Ignored + e.Stats().Buffered
		return differ(want, got)
	}}
	for _, g := range genres {
		t.Run(g.String(), func(t *testing.T) { l.hold(t, g, 800, g.commands()) })
	}
}

// redeliver returns the records with some stretches repeated, and how many alerts that are.
func (s *scene) redeliver() (told []Record, repeated int) {
	for i, r := range s.records {
		told = append(told, r)
		if !s.chance(13, &r, 2) {
			continue
		}
		for _, again := range s.records[max(0, i-int(r.Time%60)) : i+1] {
			switch {
			case again.Kind == KindAlert:
				repeated++
			case again.Kind != KindResponse && again.Kind != KindWatermark:
				continue
			}
			if s.options.Clock == ClockAppend {
				again.Time = r.Time
			}
			told = append(told, again)
		}
	}
	for i := range told {
		told[i].Offset = int64(i)
	}
	return told, repeated
}

// Under the event clock neither the number of raw partitions nor the order in which they were read
// changes what becomes of the alerts.
func TestSeedsScattered(t *testing.T) {
	l := law{"scattered over raw partitions", func(s *scene) string {
		want := ""
		s.options.Limits.MergeBuffer = 0
		for _, partitions := range []int{1, 1 + int(s.seed%7)} {
			if len(s.records) == 0 {
				return ""
			}
			_, fx := run(s.t, s.options, scatter(s.records, partitions, s.seed), 64)
			switch got := plot(fx); want {
			case "":
				want = got
			case got:
			default:
				return fmt.Sprintf("%d partitions make a difference", partitions)
			}
		}
		return ""
	}}
	l.hold(t, genre{clock: ClockEvent, plain: true}, 500, 150)
}

// Under the event clock it makes no difference how little one record may bring about: the records
// behind it bring about the rest, in the same order and at the same times. The owner's ticks see to
// it that there are such records.
func TestSeedsPortioned(t *testing.T) {
	divided := uint64(0)
	l := law{"in portions", func(s *scene) string {
		if len(s.records) == 0 {
			return ""
		}
		s.options.Limits.MergeBuffer, s.options.Limits.StepBytes = 0, 0
		records := scatter(s.records, 1+int(s.seed%7), s.seed)
		_, want := run(s.t, s.options, records, 64)
		s.options.Limits.StepBytes = 1 + int(s.seed%5)*1000
		e, got := run(s.t, s.options, records, 64)
		for e.Stats().More {
			tick := []Record{{Kind: KindTick, Offset: e.Position()}}
			if err := e.Step(tick, got); err != nil {
				panic(err)
			}
		}
		divided += e.Stats().Divided
		if !e.Stats().Ended {
			return "it does not come to an end"
		}
		return differ(want, got)
	}}
	l.hold(t, genre{clock: ClockEvent, plain: true}, 500, 150)
	if divided == 0 {
		t.Error("nothing was divided")
	}
}

// The slow twin agrees.
func TestSeedsTwin(t *testing.T) {
	l := law{"the twin", func(s *scene) string { return s.twins(90 * Second) }}
	for _, g := range []genre{
		{clock: ClockAppend, plain: true, changes: true},
		{clock: ClockAppend, plain: true, changes: true, backlogs: true},
	} {
		t.Run(g.String(), func(t *testing.T) { l.hold(t, g, 1000, g.commands()) })
	}
}

// twins says where the twin, taking late evidence for as long as it is told, differs.
func (s *scene) twins(lateness Duration) string {
	w := &twin{rules: s.player.rules(), lateness: lateness, alerts: map[string]*twinAlert{}}
	for i := range s.records {
		w.record(&s.records[i])
	}
	want, got := strings.Split(text(w.out), "\n"), strings.Split(text(engineLines(s.fx)), "\n")
	for i := range max(len(want), len(got)) {
		a, b := "nothing", "nothing"
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[i]
		}
		if a != b {
			return fmt.Sprintf("the engine says %q, the twin %q", b, a)
		}
	}
	return ""
}

// Scripts must make things happen, or the laws would hold for nothing.
func TestScriptsAreRich(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(120) {
		s := perform(t, seed, script(seed, genres[seed%3], genres[seed%3].commands()))
		for i := range s.fx.Incidents {
			seen["cause "+s.fx.Incidents[i].Cause.String()]++
		}
		for i := range s.fx.Pages {
			seen["page "+s.fx.Pages[i].Reason.String()]++
		}
		for i := range s.fx.Disposed {
			seen["disposition "+s.fx.Disposed[i].Disposition.String()]++
		}
		for i := range s.fx.Answered {
			seen["answer "+s.fx.Answered[i].Outcome.String()]++
		}
		for i := range s.fx.Changed {
			seen["rules "+s.fx.Changed[i].Outcome.String()]++
		}
		seen["held"] += s.engine.Stats().Held
		seen["forced"] += int(s.engine.Stats().Forced)
	}
	var want []string
	for _, c := range Causes() {
		want = append(want, "cause "+c.String())
	}
	for r := ReasonFirst; r <= ReasonAcknowledged; r++ {
		want = append(want, "page "+r.String())
	}
	for _, d := range []Disposition{Joined, Late, BelowSeverity, OrphanResolve, Transient, OverLimit} {
		want = append(want, "disposition "+d.String())
	}
	for _, o := range Outcomes() {
		want = append(want, "answer "+o.String())
	}
	for _, o := range RuleOutcomes() {
		want = append(want, "rules "+o.String())
	}
	for _, what := range append(want, "held", "forced") {
		if seen[what] < 3 {
			t.Errorf("%s: %d times", what, seen[what])
		}
	}
}
