package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	. "quell/correlate"
)

// twoRules has a rule with a session window for the even clusters and one with a fixed window for
// the odd ones, all lengths short enough for everything to happen within minutes.
type twoRules struct{ session, fixed Rule }

func newTwoRules() *twoRules {
	short := newRule()
	short.Name = "session"
	short.Window = Window{Kind: WindowSession, Gap: 40 * Second, MaxLife: 150 * Second}
	short.GroupWait, short.GroupInterval, short.Repeat = 20*Second, 30*Second, 70*Second
	short.ResolveAfter, short.ReopenWindow, short.AckTimeout = 55*Second, 25*Second, 45*Second
	fixed := short
	fixed.Name, fixed.GroupWait, fixed.PageAt = "fixed", 0, Warning
	fixed.Window = Window{Kind: WindowFixed, Length: 60 * Second}
	return &twoRules{session: short, fixed: fixed}
}

func (r *twoRules) Hash() RuleHash { return RuleHash{2} }

func (r *twoRules) of(cluster string) *Rule {
	if cluster[len(cluster)-1]%2 == 0 {
		return &r.session
	}
	return &r.fixed
}

func (r *twoRules) Resolve(a *Alert) Resolution {
	rule := r.of(a.Label("cluster"))
	return Resolution{Rule: rule, PageAt: rule.PageAt}
}

// storyteller makes up what intake could write, from a seed.
type storyteller struct {
	rnd    *rand.Rand
	now    Time
	offset int64
	raws   [3]int64
	told   map[string]*told
	seq    int64 // of responses

	ticked   Time    // of the last tick
	back     Time    // when an owner that is away comes back; 0: it is there
	stale    int     // ticks that it will write before it has caught up
	readLate [3]Time // until when a raw partition is read late; 0: it is not

	backlogs   bool     // owners and intake have outages
	partitions int      // raw partitions in use
	late       bool     // events may be under way for long
	quietly    bool     // neither responses nor trailing counts
	incidents  []string // that responses may name
}

func newStoryteller(seed uint64) *storyteller {
	return &storyteller{rnd: rand.New(rand.NewPCG(seed, 1)), now: base, told: map[string]*told{},
		partitions: 3, late: true}
}

func (s *storyteller) chance(percent int) bool { return s.rnd.IntN(100) < percent }

// tick writes what an owner says that named the clock at.
func (s *storyteller) tick(at Time) Record {
	s.ticked = s.now
	s.offset++
	return Record{Offset: s.offset - 1, Time: s.now, Kind: KindTick, Tick: Tick{At: at}}
}

// owner tells the story of the one who ticks, from outage to outage; nothing if it is silent for
// the next step. Sometimes it writes more stale ticks than a hold lasts.
func (s *storyteller) owner(step Duration) (r Record, speaks bool) {
	switch {
	case s.back != 0 && s.now < s.back:
		return r, false
	case s.stale > 0:
		s.now = s.now.Add(250)
		s.stale--
		return s.tick(s.back.Add(-5 * Second)), true
	case s.back != 0:
		s.back = 0
		s.now = s.now.Add(250)
		return s.tick(s.now.Add(-250)), true
	case s.backlogs && s.chance(1):
		s.back = s.now.Add(Duration(10_000 + s.rnd.IntN(120_000)))
		if s.stale = s.rnd.IntN(6); s.chance(25) {
			s.stale = 250
		}
		return r, false
	case s.ticked == 0, s.now.Add(step) > s.ticked.Add(1900):
		if s.ticked != 0 {
			s.now = s.ticked.Add(1900)
		}
		return s.tick(s.now.Add(-Duration(s.rnd.IntN(90)))), true
	}
	return r, false
}

// unread tells how many records are behind one of the raw partition, and begins and ends outages of
// intake.
func (s *storyteller) unread(raw int32) int64 {
	until := &s.readLate[raw]
	switch {
	case *until > s.now:
		return 1 + int64(s.rnd.IntN(9))
	case *until != 0:
		*until = 0
	case s.backlogs && s.chance(2):
		*until = s.now.Add(Duration(s.rnd.IntN(60_000)))
		if s.chance(10) { // and intake does not come back for longer than a hold lasts
			*until = s.now.Add(12 * Minute)
		}
	}
	return 0
}

// rest writes intake's word that a raw partition has been read to its end. Some of them were
// overtaken.
func (s *storyteller) rest() Record {
	raw := s.rnd.IntN(s.partitions)
	w := &Watermark{Raw: RawPartition{Topic: "raw", Partition: int32(raw)}, Idle: true,
		Next: s.raws[raw]}
	if s.chance(30) {
		w.Next = max(0, w.Next-1)
	} else {
		s.readLate[raw] = 0
	}
	return Record{Kind: KindWatermark, Watermark: w}
}

func (s *storyteller) next() Record {
	step := Duration(s.rnd.IntN(4000))
	if r, speaks := s.owner(step); speaks {
		return r
	}
	s.now = s.now.Add(step)
	r := Record{Offset: s.offset, Time: s.now}
	s.offset++
	switch {
	case s.backlogs && s.chance(1):
		at := s.rest()
		r.Kind, r.Watermark = at.Kind, at.Watermark
	case s.chance(6) && len(s.incidents) > 0 && !s.quietly:
		r.Kind, r.Response = KindResponse, s.response()
	default:
		r.Kind, r.Alert = KindAlert, s.alert()
	}
	return r
}

func (s *storyteller) response() *Response {
	s.seq++
	n := max(0, len(s.incidents)-8)
	if s.chance(5) {
		n = 0
	}
	return &Response{Incident: s.incidents[n+s.rnd.IntN(len(s.incidents)-n)],
		Raw:    RawPosition{RawPartition: RawPartition{Topic: "responses"}, Offset: s.seq},
		Action: Action(1 + s.rnd.IntN(4)), By: "ada", To: fmt.Sprint("p", s.rnd.IntN(3)), Note: "n"}
}

func (s *storyteller) alert() *Alert {
	number, raw := s.rnd.IntN(24), int32(s.rnd.IntN(s.partitions))
	event := s.now.Add(-Duration(s.rnd.IntN(2000)))
	if s.late && s.chance(8) {
		event = s.now.Add(-Duration(s.rnd.IntN(200_000)))
	}
	name := fmt.Sprintf("f%02d", number)
	key := fmt.Sprint(name, "/", raw)
	a := &Alert{Scope: "default", Service: "shop", Entity: name, Check: "up", Status: Firing,
		Summary: name, Value: fmt.Sprint(s.rnd.IntN(9)), Severity: Severity(1 + s.rnd.IntN(4)),
		Labels: []Label{{Name: "cluster", Value: fmt.Sprint("c", number%6)}}}
	copy(a.Fingerprint[:], name)
	before := s.told[key]
	switch {
	case before != nil && !s.quietly && s.now.Sub(before.at) < 30*Second && s.chance(15):
		*a = Alert{Fingerprint: a.Fingerprint, Flush: true, Verdict: VerdictUpdate,
			Severity: before.severity, Status: before.status}
	case before == nil || s.chance(10):
		a.Verdict = VerdictNew
		before = &told{episode: s.raws[raw], first: event}
		s.told[key] = before
	case s.chance(50):
		a.Verdict, a.Severity, a.Status = VerdictUpdate, before.severity, before.status
	default:
		a.Verdict = VerdictChanged
	}
	if !a.Flush && a.Verdict != VerdictUpdate && s.chance(40) {
		a.Status = Resolved
	}
	before.at = s.now
	before.count += 1 + int64(s.rnd.IntN(5))
	before.severity, before.status = a.Severity, a.Status
	before.offset = s.raws[raw] // of a flush: the last event that it covers
	s.raws[raw]++
	a.Raw = RawPosition{RawPartition: RawPartition{Topic: "raw", Partition: raw},
		Offset: before.offset}
	a.FirstOffset, a.Episode, a.Count = a.Raw.Offset, before.episode, uint64(before.count)
	a.First, a.Since, a.Last, a.Received = before.first, event, event, event
	a.Behind = s.unread(raw)
	return a
}

// tell returns n records. Responses name incidents that the records before them opened, so an
// engine listens while the story is told.
func (s *storyteller) tell(t testing.TB, o Options, n int) []Record {
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]Record, 0, n)
	var fx Effects
	for len(records) < n {
		records = append(records, s.next())
		fx.Reset()
		if err := e.Step(records[len(records)-1:], &fx); err != nil {
			t.Fatal(err)
		}
		for i := range fx.Incidents {
			if fx.Incidents[i].Revision == 1 {
				s.incidents = append(s.incidents, fx.Incidents[i].ID)
			}
		}
	}
	return records
}
