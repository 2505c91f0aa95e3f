package correlate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sort"
	"strings"
	"testing"

	. "quell/correlate"
)

func lawOptions(clock ClockMode) Options {
	return Options{Partition: 3, Clock: clock, RuleSet: newTwoRules(), Limits: Limits{
		Incidents: 12, OpenIncidents: 9, GroupsPerRule: 5, AlertsPerIncident: 5, ClosedGroups: 12,
		Lateness: 90 * Second, AlertMemory: 4 * Minute}}
}

// run feeds the records in batches of size and returns everything that they brought about.
func run(t testing.TB, o Options, records []Record, size int) (*Engine, *Effects) {
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	fx := new(Effects)
	for len(records) > 0 {
		n := min(size, len(records))
		if err := e.Step(records[:n], fx); err != nil {
			t.Fatal(err)
		}
		records = records[n:]
	}
	return e, fx
}

func mustEqual(t *testing.T, what string, want, got *Effects) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s changed the effects: %d incidents, %d pages, %d disposed, %d answered, %d "+
			"ignored; before: %d, %d, %d, %d, %d", what, len(got.Incidents), len(got.Pages),
			len(got.Disposed), len(got.Answered), got.Ignored, len(want.Incidents),
			len(want.Pages), len(want.Disposed), len(want.Answered), want.Ignored)
	}
}

// eachStory runs the law on several stories of both clocks.
func eachStory(t *testing.T, records int, law func(*testing.T, Options, []Record)) {
	for _, clock := range []ClockMode{ClockAppend, ClockEvent} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(clock, seed), func(t *testing.T) {
				o := lawOptions(clock)
				teller := newStoryteller(seed)
				teller.backlogs = clock == ClockAppend
				story := teller.tell(t, lawOptions(ClockAppend), 2*records)
				if clock == ClockEvent {
					story = withWatermarks(story)
				}
				law(t, o, story)
			})
		}
	}
}

// withWatermarks lets each raw partition promise every now and then that it has got so far, and rest.
func withWatermarks(story []Record) []Record {
	var out []Record
	of := []RawPartition{{Topic: "raw"}, {Topic: "raw", Partition: 1}, {Topic: "raw", Partition: 2}}
	next := map[RawPartition]int64{}
	for i, r := range story {
		out = append(out, r)
		if r.Kind == KindAlert {
			next[r.Alert.Raw.RawPartition] = r.Alert.Raw.Offset + 1
		}
		if i%10 == 9 {
			w := &Watermark{Raw: of[i/10%3], At: r.Time, Idle: i%70 == 9, Said: Time(i)}
			w.Next = next[w.Raw]
			if i < 40 {
				w.Of = of
			}
			out = append(out, Record{Kind: KindWatermark, Time: r.Time, Watermark: w})
		}
	}
	for _, p := range of {
		out = append(out, Record{Kind: KindWatermark, Watermark: &Watermark{Raw: p,
			At: story[len(story)-1].Time, Finished: true, Next: next[p], Said: Time(len(story))}})
	}
	for i := range out {
		out[i].Offset = int64(i)
	}
	return out
}

// The stories must make things happen, or the laws would hold for nothing.
func TestStoriesAreRich(t *testing.T) {
	causes, reasons := map[Cause]int{}, map[PageReason]int{}
	dispositions, outcomes := map[Disposition]int{}, map[Outcome]int{}
	for seed := range uint64(4) {
		o := lawOptions(ClockAppend)
		teller := newStoryteller(seed)
		teller.backlogs = seed%2 == 1
		_, fx := run(t, o, teller.tell(t, o, 6000), 100)
		for i := range fx.Incidents {
			causes[fx.Incidents[i].Cause]++
		}
		for i := range fx.Pages {
			reasons[fx.Pages[i].Reason]++
		}
		for i := range fx.Disposed {
			dispositions[fx.Disposed[i].Disposition]++
		}
		for i := range fx.Answered {
			outcomes[fx.Answered[i].Outcome]++
		}
	}
	for _, c := range Causes() {
		if causes[c] == 0 {
			t.Errorf("no revision is caused by %s", c)
		}
	}
	for r := ReasonFirst; r <= ReasonAcknowledged; r++ {
		if reasons[r] == 0 {
			t.Errorf("no page is sent for %s", r)
		}
	}
	for _, d := range []Disposition{Joined, Late, BelowSeverity, OrphanResolve, Transient, OverLimit} {
		if dispositions[d] == 0 {
			t.Errorf("no alert is %s", d)
		}
	}
	for _, o := range Outcomes() {
		if outcomes[o] == 0 {
			t.Errorf("no response is %s", o)
		}
	}
}

// Backlogs must hold pages in the stories, of either kind, and some holds must last until they may
// not any more.
func TestStoriesHaveBacklogs(t *testing.T) {
	held, ended, transient := 0, 0, 0
	for seed := range uint64(4) {
		teller := newStoryteller(seed)
		teller.backlogs = true
		o := lawOptions(ClockAppend)
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		before := 0
		for _, r := range teller.tell(t, o, 3000) {
			var fx Effects
			if err := e.Step([]Record{r}, &fx); err != nil {
				t.Fatal(err)
			}
			now := e.Stats().Held
			held += max(0, now-before)
			if r.Kind == KindTick || r.Kind == KindWatermark {
				ended += max(0, before-now)
			}
			for i := range fx.Incidents {
				if now < before && fx.Incidents[i].Transient {
					transient++
				}
			}
			before = now
		}
	}
	if held < 200 || ended < 100 || transient < 20 {
		t.Errorf("%d pages were held, %d sent by ticks and watermarks, %d incidents cleared before",
			held, ended, transient)
	}
}

func TestBatchesChangeNothing(t *testing.T) {
	eachStory(t, 1500, func(t *testing.T, o Options, story []Record) {
		o.Limits.LiveAlerts = 18
		want, all := run(t, o, story, len(story))
		for _, size := range []int{1, 2, 3, 7, 64, 1000} {
			got, fx := run(t, o, story, size)
			mustEqual(t, fmt.Sprint("batch size ", size), all, fx)
			if want.Hash() != got.Hash() {
				t.Fatalf("batch size %d changed the hash", size)
			}
			if !bytes.Equal(want.Snapshot(nil), got.Snapshot(nil)) {
				t.Fatalf("batch size %d changed the snapshot", size)
			}
		}
	})
}

// Each record is applied by an engine restored from the snapshot after the record before.
func TestRestoringAtEveryPointChangesNothing(t *testing.T) {
	eachStory(t, 1000, func(t *testing.T, o Options, story []Record) {
		o.Limits.LiveAlerts = 18
		want, all := run(t, o, story, len(story))
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		fx := new(Effects)
		var snapshot, again []byte
		for i := range story {
			if err := e.Step(story[i:i+1], fx); err != nil {
				t.Fatal(err)
			}
			snapshot = e.Snapshot(snapshot[:0])
			if e, err = Restore(o, snapshot); err != nil {
				t.Fatal(err)
			}
			if again = e.Snapshot(again[:0]); !bytes.Equal(snapshot, again) {
				t.Fatalf("after record %d the restored engine's snapshot differs", i)
			}
		}
		mustEqual(t, "restoring", all, fx)
		if want.Hash() != e.Hash() || want.Clock() != e.Clock() || want.Position() != e.Position() {
			t.Fatal("restoring changed hash, clock or position")
		}
		if !bytes.Equal(want.Snapshot(nil), e.Snapshot(nil)) {
			t.Fatal("restoring changed the state that the story ends in")
		}
	})
}

// Records below the position are skipped: a caller may repeat what it is not sure of.
func TestRecordsBelowThePositionAreSkipped(t *testing.T) {
	o := lawOptions(ClockAppend)
	story := newStoryteller(1).tell(t, o, 500)
	e, fx := run(t, o, story, 50)
	hash, disposed := e.Hash(), len(fx.Disposed)
	if err := e.Step(story[100:], fx); err != nil {
		t.Fatal(err)
	}
	if e.Hash() != hash || len(fx.Disposed) != disposed {
		t.Fatal("records were applied twice")
	}
}

// After a restart intake repeats what it wrote since its checkpoint, at new offsets of the alerts
// topic. Nothing of that may be seen.
func TestRedeliveryChangesNothing(t *testing.T) {
	eachStory(t, 800, func(t *testing.T, o Options, story []Record) {
		_, want := run(t, o, story, 100)
		rnd := rand.New(rand.NewPCG(5, 5))
		for range 20 {
			cut := 1 + rnd.IntN(len(story)-1)
			from := max(0, cut-1-rnd.IntN(120))
			var told []Record
			told = append(told, story[:cut]...)
			repeated := 0
			for _, r := range story[from:cut] {
				switch r.Kind {
				case KindAlert:
					repeated++
				case KindResponse, KindWatermark:
				default:
					continue
				}
				if o.Clock == ClockAppend {
					r.Time = story[cut-1].Time
				}
				told = append(told, r)
			}
			told = append(told, story[cut:]...)
			for i := range told {
				told[i].Offset = int64(i)
			}
			_, got := run(t, o, told, 100)
			if got.Ignored != want.Ignored+repeated {
				t.Fatalf("%d records repeated, %d ignored", repeated, got.Ignored-want.Ignored)
			}
			mustEqual(t, fmt.Sprintf("repeating records %d to %d", from, cut), timeless(want),
				timeless(got))
		}
	})
}

// timeless returns effects without what a redelivery may change.
func timeless(fx *Effects) *Effects {
	c := *fx
	c.Ignored = 0
	c.Disposed = append([]Disposed(nil), fx.Disposed...)
	for i := range c.Disposed {
		c.Disposed[i].Offset = 0
	}
	c.Changed = append([]Changed(nil), fx.Changed...)
	for i := range c.Changed {
		c.Changed[i].Offset = 0
	}
	c.Answered = append([]Answered(nil), fx.Answered...)
	for i := range c.Answered {
		c.Answered[i].Offset = 0
	}
	return &c
}

// Under the event clock neither the number of raw partitions nor the speed at which each is read
// changes which alerts are in which incident, nor when that opened and paged.
func TestPartitionsChangeNothing(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			teller := newStoryteller(seed)
			teller.partitions, teller.late = 1, false
			o := lawOptions(ClockEvent)
			story := teller.tell(t, lawOptions(ClockAppend), 4000)
			want := ""
			for _, partitions := range []int{1, 2, 7} {
				for order := range uint64(3) {
					_, fx := run(t, o, scatter(story, partitions, order), 64)
					got := plot(fx)
					if want == "" {
						want = got
						if strings.Count(got, "page") < 20 {
							t.Fatalf("the story has hardly a page:\n%s", got)
						}
					}
					if got != want {
						diff(t, fmt.Sprintf("%d partitions, order %d", partitions, order), want, got)
					}
				}
			}
		})
	}
}

// scatter spreads the story's alerts over raw partitions by fingerprint, numbers each partition's
// records anew, and mixes the partitions at random, each keeping its own order.
func scatter(story []Record, partitions int, seed uint64) []Record {
	queues := make([][]Record, partitions)
	var of []RawPartition
	for p := range queues {
		of = append(of, RawPartition{Topic: "raw", Partition: int32(p)})
	}
	offsets := map[int64]int64{} // of the story's one raw partition: in its new one
	for _, r := range story {
		if r.Kind != KindAlert {
			continue
		}
		a := *r.Alert
		p := (int(a.Fingerprint[1])*10 + int(a.Fingerprint[2])) % partitions
		offsets[a.Raw.Offset] = int64(len(queues[p]))
		a.Raw.Partition, a.Raw.Offset = int32(p), offsets[a.Raw.Offset]
		a.FirstOffset, a.Episode = a.Raw.Offset, offsets[a.Episode]
		r.Alert = &a
		queues[p] = append(queues[p], r)
	}
	rnd, done := rand.New(rand.NewPCG(seed, uint64(partitions))), make([]bool, partitions)
	told := make([]int64, partitions)
	var out []Record
	last := story[len(story)-1].Time
	for _, p := range of {
		out = append(out, Record{Kind: KindWatermark, Watermark: &Watermark{Raw: p, Of: of, Said: 1}})
	}
	for left := partitions; left > 0; {
		p := rnd.IntN(partitions)
		if done[p] {
			continue
		}
		n := min(rnd.IntN(40), len(queues[p]))
		told[p] += int64(n)
		out = append(out, queues[p][:n]...)
		queues[p] = queues[p][n:]
		w := &Watermark{Raw: of[p], At: last, Next: told[p], Said: Time(2 + len(out))}
		if len(queues[p]) == 0 {
			done[p], w.Finished = true, true
			left--
		} else {
			w.At = queues[p][0].Time
		}
		out = append(out, Record{Kind: KindWatermark, Watermark: w})
	}
	for i := range out {
		out[i].Offset = int64(i)
	}
	return out
}

// plot writes down what does not depend on raw positions: per incident what happened when, and
// which alerts came.
func plot(fx *Effects) string {
	lines := map[string][]string{}
	for i := range fx.Incidents {
		in := &fx.Incidents[i]
		lines[in.ID] = append(lines[in.ID], fmt.Sprintf("%s %v %s %s %s %d/%d %d", in.Opened, in.Group,
			when(in.At), in.Cause, in.Severity, in.Firing, in.Alerts, in.Events))
	}
	for i := range fx.Pages {
		p := &fx.Pages[i]
		line := fmt.Sprintf("page %s %s %s", when(p.At), p.Reason, p.Summary)
		for _, a := range p.Top {
			line += fmt.Sprintf(" %s %s %d", a.Entity, a.Value, a.Events)
		}
		lines[p.ID] = append(lines[p.ID], line)
	}
	for _, d := range fx.Disposed {
		lines[d.Incident] = append(lines[d.Incident], fmt.Sprintf("%s %.3s %s", when(d.At),
			d.Alert.Fingerprint[:], d.Disposition))
	}
	var all []string
	for _, l := range lines {
		all = append(all, strings.Join(l, "\n"))
	}
	sort.Strings(all)
	return strings.Join(all, "\n\n")
}
