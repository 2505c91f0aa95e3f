package correlate_test

import (
	"encoding"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	. "quell/correlate"
)

// base is the zero of the times in transcripts.
const base = Time(1_767_225_600_000) // 2026-01-01T00:00:00Z

// oneRule is a rule set with a single rule that takes everything. Alerts of the service "quiet"
// page nobody.
type oneRule struct {
	name string
	rule Rule
}

func (o *oneRule) Hash() (h RuleHash) { copy(h[:], o.name); return h }

func (o *oneRule) Resolve(a *Alert) Resolution {
	return Resolution{Rule: &o.rule, PageAt: o.rule.PageAt, Route: "default", Owner: "team"}
}

func newRule() Rule {
	return Rule{Name: "all", Kind: RuleGroup, GroupBy: []string{"cluster"},
		Window:    Window{Kind: WindowSession, Gap: 10 * Minute, MaxLife: 30 * Minute},
		GroupWait: 30 * Second, GroupInterval: 5 * Minute, Repeat: 4 * Hour, ResolveAfter: Hour,
		ReopenWindow: 10 * Minute, AckTimeout: 30 * Minute, PageAt: Error}
}

// args are the words of a command: key=value, or a bare key.
type args map[string]string

func parseArgs(t testing.TB, words []string) args {
	a := args{}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if _, twice := a[key]; twice {
			t.Fatalf("%q is given twice", key)
		}
		a[key] = value
	}
	return a
}

// take returns the value of key and removes it, so that what is left over can be refused.
func (a args) take(key, initial string) string {
	v, ok := a[key]
	if !ok {
		return initial
	}
	delete(a, key)
	return v
}

func (a args) flag(key string) bool {
	_, ok := a[key]
	delete(a, key)
	return ok
}

func (a args) duration(t testing.TB, key string, initial Duration) Duration {
	v := a.take(key, initial.String())
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatalf("%s=%s: %v", key, v, err)
	}
	return Duration(d.Milliseconds())
}

func (a args) number(t testing.TB, key string, initial int64) int64 {
	v := a.take(key, strconv.FormatInt(initial, 10))
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s: %v", key, v, err)
	}
	return n
}

func (a args) word(t testing.TB, key, initial string, into encoding.TextUnmarshaler) {
	if err := into.UnmarshalText([]byte(a.take(key, initial))); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
}

func (a args) done(t testing.TB) {
	var left []string
	for key := range a {
		left = append(left, key)
	}
	sort.Strings(left)
	if len(left) > 0 {
		t.Fatalf("nobody knows %q", left)
	}
}

func (a args) rule(t testing.TB) Rule {
	r := newRule()
	r.Name = a.take("rule", r.Name)
	r.GroupBy = strings.FieldsFunc(a.take("by", "cluster"), func(c rune) bool { return c == ',' })
	switch kind := a.take("window", "session"); kind {
	case "session":
	case "fixed":
		r.Window = Window{Kind: WindowFixed, Length: 10 * Minute}
	default:
		t.Fatalf("no window is called %q", kind)
	}
	r.Window.Gap = a.duration(t, "gap", r.Window.Gap)
	r.Window.MaxLife = a.duration(t, "life", r.Window.MaxLife)
	r.Window.Length = a.duration(t, "length", r.Window.Length)
	r.GroupWait = a.duration(t, "wait", r.GroupWait)
	r.GroupInterval = a.duration(t, "interval", r.GroupInterval)
	r.Repeat = a.duration(t, "repeat", r.Repeat)
	r.ResolveAfter = a.duration(t, "quiet", r.ResolveAfter)
	r.ReopenWindow = a.duration(t, "reopen", r.ReopenWindow)
	r.AckTimeout = a.duration(t, "ack", r.AckTimeout)
	a.word(t, "page_at", "error", &r.PageAt)
	return r
}

// told is what a script remembers of an alert in one raw partition, so that its commands need to
// say only what matters: intake's side of the story.
type told struct {
	episode  int64
	count    int64
	first    Time
	severity Severity
	status   Status

	at     Time  // record time of its last record
	offset int64 // raw offset of its last record
}

// scribe writes records as intake would.
type scribe struct {
	offset int64           // of the next record in the alerts partition
	raws   map[int32]int64 // next raw offset
	told   map[string]*told
	last   Record // the alert record written last
	said   Time   // of the last watermark
}

func newScribe() *scribe {
	return &scribe{raws: map[int32]int64{}, told: map[string]*told{}}
}

func (s *scribe) record(kind RecordKind, at Time) Record {
	s.offset++
	return Record{Offset: s.offset - 1, Time: at, Kind: kind}
}

// alert reads: t= event time, at= record time, fp= sev= status= verdict= flush n= events since the
// last record, raw= partition, off= raw offset, behind= unread, and the alert's fields.
func (s *scribe) alert(t testing.TB, a args) Record {
	event := base.Add(a.duration(t, "t", 0))
	at := base.Add(a.duration(t, "at", event.Sub(base)))
	name, raw := a.take("fp", "a"), int32(a.number(t, "raw", 0))
	key := fmt.Sprint(name, "/", raw)
	before, known := s.told[key]
	if !known {
		before = &told{severity: Error, status: Firing}
		s.told[key] = before
	}
	al := &Alert{Flush: a.flag("flush")}
	copy(al.Fingerprint[:], name)
	a.word(t, "sev", before.severity.String(), &al.Severity)
	a.word(t, "status", "firing", &al.Status)
	verdict := VerdictUpdate
	switch {
	case !known:
		verdict = VerdictNew
	case al.Severity != before.severity || al.Status != before.status:
		verdict = VerdictChanged
	}
	a.word(t, "verdict", verdict.String(), &al.Verdict)

	offset := a.number(t, "off", s.raws[raw])
	s.raws[raw] = max(s.raws[raw], offset+1) // of a flush: of the last event that it covers
	if al.Verdict == VerdictNew {
		*before = told{episode: offset, first: event}
	}
	before.count += a.number(t, "n", 1)
	before.severity, before.status = al.Severity, al.Status
	al.Raw = RawPosition{RawPartition: RawPartition{Topic: "raw", Partition: raw}, Offset: offset}
	al.FirstOffset, al.Episode = offset, before.episode
	al.First, al.Since, al.Last, al.Received = before.first, event, event, event
	al.Count = uint64(a.number(t, "count", before.count))
	al.Behind = a.number(t, "behind", 0)
	if !al.Flush {
		al.Scope, al.Service = a.take("scope", "default"), a.take("service", "shop")
		al.Entity, al.Check = a.take("entity", name), a.take("check", "up")
		al.Summary, al.Value = a.take("summary", name+" is down"), a.take("value", "")
		al.Labels = []Label{{Name: "cluster", Value: a.take("cluster", "c1")}}
	}
	a.done(t)
	r := s.record(KindAlert, at)
	r.Alert = al
	s.last = r
	return r
}

// ticked puts the ticks of an owner that keeps up with the log between the records.
func ticked(records []Record) []Record {
	var out []Record
	at := records[0].Time
	for _, r := range records {
		for ; at <= r.Time; at = at.Add(2 * Second) {
			out = append(out, Record{Kind: KindTick, Time: at, Tick: Tick{At: at}})
		}
		out = append(out, r)
	}
	for i := range out {
		out[i].Offset = int64(i)
	}
	return out
}

// again writes the last alert record a second time, as intake does after a restart.
func (s *scribe) again(t testing.TB, a args) Record {
	r := s.record(KindAlert, base.Add(a.duration(t, "at", s.last.Time.Sub(base))))
	r.Alert = s.last.Alert
	a.done(t)
	return r
}

func (s *scribe) response(t testing.TB, a args, id string) Record {
	at := base.Add(a.duration(t, "t", 0))
	r := s.record(KindResponse, at)
	r.Response = &Response{Incident: id, By: a.take("by", "ada"), At: at,
		Note: a.take("note", ""), To: a.take("to", "")}
	offset := a.number(t, "off", s.raws[-1])
	s.raws[-1] = max(s.raws[-1], offset+1)
	r.Response.Raw = RawPosition{RawPartition: RawPartition{Topic: "responses"}, Offset: offset}
	a.done(t)
	return r
}

// watermark reads: raw= partition, at= the promise, finished, idle, next= raw offset and said= number
// of where and when it is said, of= the partitions.
func (s *scribe) watermark(t testing.TB, a args) Record {
	at := base.Add(a.duration(t, "at", 0))
	r := s.record(KindWatermark, at)
	w := &Watermark{At: at, Finished: a.flag("finished"), Idle: a.flag("idle"),
		Raw: RawPartition{Topic: "raw", Partition: int32(a.number(t, "raw", 0))}}
	w.Next = a.number(t, "next", s.raws[w.Raw.Partition])
	w.Said = Time(a.number(t, "said", int64(s.said)+1))
	s.said = max(s.said, w.Said)
	for _, p := range strings.FieldsFunc(a.take("of", ""), func(c rune) bool { return c == ',' }) {
		n, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		w.Of = append(w.Of, RawPartition{Topic: "raw", Partition: int32(n)})
	}
	a.done(t)
	r.Watermark = w
	return r
}
