package correlate_test

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"

	. "quell/correlate"
)

// twin is the slow, obviously correct brother of the engine, for windows and timers under the
// append clock: one raw partition, no responses, no limits; its part about backlogs is in
// twin_backlog_test.go. It never forgets an incident, looks at
// all of them for every question, keeps no timer queue and visits every tick. It shares no code
// with the engine.
type twin struct {
	rules     interface{ of(cluster string) *Rule }
	lateness  Duration
	now       Time
	incidents []*twinIncident
	alerts    map[string]*twinAlert
	out       []twinLine
	backlog   twinBacklog
}

type twinLine struct {
	at   Time
	text string
}

type twinAlert struct {
	firing bool
	last   Time
	counts uint64
	of     *twinIncident
}

type twinIncident struct {
	number  int
	cluster string
	rule    *Rule
	state   State
	worst   Severity

	first, earliest, latest Time // event times
	opened, joined          Time // clock
	closed                  bool
	closedAt                Time

	firing map[string]bool // all that were members: whether they fire
	events uint64
	seen   Time

	waits                  Time // clock from which group_wait counts
	waited                 bool
	base, ticked, lastPage Time
	paged                  bool
	news, gone, told       bool
	resolvedAt             Time

	owes     []PageReason // pages that a backlog held
	unquiet  Time         // clock at which quiet time was put off
	heldWith int          // the hold of the raw partition that it has a record of
}

func (w *twin) say(at Time, format string, args ...any) {
	w.out = append(w.out, twinLine{at, fmt.Sprintf(format, args...)})
}

func (w *twin) revise(in *twinIncident, cause Cause, reason PageReason) {
	if in.worst < in.rule.PageAt {
		reason = 0
	}
	if reason != 0 && w.held(in) {
		in.owes, reason = append(in.owes, reason), 0
	}
	if reason != 0 {
		in.paged, in.lastPage, in.news, in.gone = true, w.now, false, false
		in.told = reason == ReasonAllResolved
	} else if cause == CausePage {
		return
	}
	n := 0
	for _, firing := range in.firing {
		if firing {
			n++
		}
	}
	w.say(w.now, "%d %s %s %s %d/%d %d %s", in.number, cause, in.state, in.worst, n,
		len(in.firing), in.events, reason)
}

// closes, waitEnds, quietAt and nextTick are the deadlines of an incident; math.MaxInt64: none.
func (in *twinIncident) closes() Time {
	switch {
	case in.closed:
		return math.MaxInt64
	case in.rule.Window.Kind == WindowFixed:
		return in.opened.Add(in.rule.Window.Length)
	}
	return min(in.joined.Add(in.rule.Window.Gap), in.opened.Add(in.rule.Window.MaxLife))
}

func (in *twinIncident) waitEnds() Time {
	if in.waited || in.state == ResolvedDone || len(in.owes) > 0 {
		return math.MaxInt64
	}
	return in.waits.Add(in.rule.GroupWait)
}

func (in *twinIncident) quietAt() Time {
	if in.state == ResolvedDone {
		return math.MaxInt64
	}
	return max(in.seen, in.unquiet).Add(in.rule.ResolveAfter)
}

func (in *twinIncident) nextTick() Time {
	if !in.waited {
		return math.MaxInt64
	}
	return in.ticked.Add(in.rule.GroupInterval)
}

// advance fires one deadline after the other until none is left by t.
func (w *twin) advance(t Time) {
	for {
		var next *twinIncident
		at, what := Time(math.MaxInt64), 0
		for _, in := range w.incidents {
			for i, deadline := range []Time{in.closes(), in.waitEnds(), in.quietAt(), in.nextTick()} {
				if deadline < at {
					next, at, what = in, deadline, i
				}
			}
		}
		if at > t {
			break
		}
		w.now = at
		switch what {
		case 0:
			next.closed, next.closedAt = true, at
		case 1:
			w.endWait(next, CauseGroupWait)
		case 2:
			if len(next.owes) > 0 {
				next.unquiet = at
				continue
			}
			w.resolve(next, CauseQuiet)
		case 3:
			next.ticked = at
			w.tick(next)
		}
	}
	w.now = max(w.now, t)
}

func (w *twin) endWait(in *twinIncident, cause Cause) {
	if in.worst >= in.rule.PageAt && w.held(in) {
		in.owes = append(in.owes, ReasonFirst)
		if cause == CauseOpened {
			w.revise(in, cause, 0)
		}
		return
	}
	in.waited, in.base, in.ticked = true, w.now, w.now
	in.state = Open
	w.revise(in, cause, ReasonFirst)
}

func (w *twin) resolve(in *twinIncident, cause Cause) {
	in.state, in.resolvedAt, in.told = ResolvedDone, w.now, false
	if !in.paged {
		in.owes = nil
	}
	w.revise(in, cause, 0)
}

func (w *twin) tick(in *twinIncident) { w.revise(in, CausePage, w.says(in)) }

func (w *twin) says(in *twinIncident) PageReason {
	switch {
	case in.state == ResolvedDone:
		if in.paged && !in.told {
			return ReasonAllResolved
		}
	case in.news:
		return ReasonNewAlerts
	case in.gone && in.paged:
		return ReasonNewResolved
	case in.paged && w.now >= in.lastPage.Add(in.rule.Repeat):
		return ReasonRepeat
	}
	return 0
}

// has tells whether event time t lies in the window: while it takes alerts (open), or in its span.
func (in *twinIncident) has(t Time, open bool) bool {
	win := in.rule.Window
	if win.Kind == WindowFixed {
		return t >= in.first && t < in.first.Add(win.Length)
	}
	from := in.earliest
	if open {
		from = from.Add(-win.Gap)
	}
	return t >= from && t < in.latest.Add(win.Gap) && t < in.first.Add(win.MaxLife)
}

func (w *twin) alert(a *Alert) {
	name := string(a.Fingerprint[:3])
	l := w.alerts[name]
	if l == nil {
		l = &twinAlert{last: math.MinInt64}
		w.alerts[name] = l
	}
	added := a.Count
	if a.Verdict != VerdictNew {
		added -= l.counts
	}
	l.counts = a.Count
	fired := l.firing
	if a.Last >= l.last {
		l.firing, l.last = a.Status == Firing, a.Last
	}
	if a.Status == Resolved {
		w.cleared(name, l, a, added)
		return
	}
	if fired && a.Verdict != VerdictNew && l.of != nil && l.of.state != ResolvedDone {
		w.join(l.of, name, l, a, added)
		return
	}
	w.place(name, l, a, added)
}

func (w *twin) cleared(name string, l *twinAlert, a *Alert, added uint64) {
	if l.of == nil || !l.of.firing[name] {
		w.say(w.now, "%s orphan_resolve", name)
		return
	}
	in := l.of
	w.readLate(in, a)
	in.events, in.seen = in.events+added, w.now
	if l.firing {
		w.disposed(name, in, "")
		return
	}
	in.firing[name], in.gone = false, true
	for _, firing := range in.firing {
		if firing {
			w.disposed(name, in, "")
			return
		}
	}
	if in.state == ResolvedDone {
		w.disposed(name, in, "")
		return
	}
	held := len(in.owes) > 0 && !in.paged
	w.resolve(in, CauseAllResolved)
	if !in.waited || held {
		w.disposed(name, in, "transient")
		return
	}
	w.disposed(name, in, "")
}

func (w *twin) disposed(name string, in *twinIncident, what string) {
	if what == "" {
		what = "joined"
		if in.worst < in.rule.PageAt {
			what = "below_severity"
		}
	}
	w.say(w.now, "%s %s %d", name, what, in.number)
}

func (w *twin) place(name string, l *twinAlert, a *Alert, added uint64) {
	cluster := a.Label("cluster")
	var open, closed *twinIncident
	for _, in := range w.incidents { // the later one wins
		switch {
		case in.cluster != cluster:
		case !in.closed && in.has(a.Last, true):
			open = in
		case in.closed && in.has(a.Last, false) && w.now < in.closedAt.Add(w.lateness):
			closed = in
		}
	}
	switch {
	case open != nil && open.state != ResolvedDone:
		w.join(open, name, l, a, added)
	case open != nil && w.now >= open.resolvedAt.Add(open.rule.ReopenWindow):
		open.closed, open.closedAt = true, w.now
		w.open(cluster, name, l, a, added)
	case open != nil && !l.firing:
		w.member(open, name, l, a, added)
		if a.Severity > open.worst {
			open.worst = a.Severity
			w.revise(open, CauseSeverityRise, 0)
		}
		w.disposed(name, open, "")
	case open != nil:
		w.reopen(open, name, l, a, added)
	case closed != nil:
		w.late(closed, name, l, a, added)
	default:
		w.open(cluster, name, l, a, added)
	}
}

// member brings the alert's part in the incident up to date; it belongs to no other from now on.
func (w *twin) member(in *twinIncident, name string, l *twinAlert, a *Alert, added uint64) {
	w.readLate(in, a)
	if l.of != nil && l.of != in {
		l.of.firing[name] = false
	}
	l.of = in
	in.news = in.news || in.state != ResolvedDone && l.firing && !in.firing[name]
	in.firing[name] = l.firing
	in.events, in.seen = in.events+added, w.now
}

func (w *twin) widen(in *twinIncident, a *Alert) {
	if !in.closed {
		in.earliest, in.latest = min(in.earliest, a.Last), max(in.latest, a.Last)
		in.joined = w.now
	}
}

func (w *twin) join(in *twinIncident, name string, l *twinAlert, a *Alert, added uint64) {
	w.member(in, name, l, a, added)
	w.widen(in, a)
	if a.Severity > in.worst {
		in.worst = a.Severity
		reason := ReasonSeverityRise
		if in.state == Pending {
			reason = 0
		}
		w.revise(in, CauseSeverityRise, reason)
	}
	w.disposed(name, in, "")
}

func (w *twin) reopen(in *twinIncident, name string, l *twinAlert, a *Alert, added uint64) {
	w.member(in, name, l, a, added)
	w.widen(in, a)
	in.news, in.gone = true, false
	reason := PageReason(0)
	if a.Severity > in.worst {
		in.worst, reason = a.Severity, ReasonSeverityRise
	}
	in.state = Open
	if !in.waited {
		in.state, in.waits, reason = Pending, w.now, 0
	}
	w.revise(in, CauseReopened, reason)
	w.disposed(name, in, "")
}

func (w *twin) late(in *twinIncident, name string, l *twinAlert, a *Alert, added uint64) {
	news := in.news
	if of := l.of; of == nil || of == in || of.state == ResolvedDone {
		w.member(in, name, l, a, added)
	} else { // it belongs to another incident that is open
		w.readLate(in, a)
		in.firing[name] = false
		in.events, in.seen = in.events+added, w.now
	}
	in.news = news
	worse := a.Severity > in.worst
	in.worst = max(in.worst, a.Severity)
	switch {
	case l.firing && a.Severity >= in.rule.PageAt && !in.paged && in.state != Pending &&
		len(in.owes) == 0:
		if in.state == ResolvedDone {
			in.gone = false
		}
		in.state = Open
		if !in.waited {
			in.waited, in.base, in.ticked = true, w.now, w.now
		}
		w.revise(in, CauseLateEvidence, ReasonFirst)
	case worse:
		w.revise(in, CauseSeverityRise, 0)
	}
	w.disposed(name, in, "late")
}

func (w *twin) open(cluster, name string, l *twinAlert, a *Alert, added uint64) {
	in := &twinIncident{number: len(w.incidents) + 1, cluster: cluster, rule: w.rules.of(cluster),
		state: Pending, worst: a.Severity, first: a.Last, earliest: a.Last, latest: a.Last,
		opened: w.now, joined: w.now, waits: w.now, firing: map[string]bool{}}
	w.incidents = append(w.incidents, in)
	w.member(in, name, l, a, added)
	in.news = true
	if l.firing && in.rule.GroupWait == 0 {
		w.endWait(in, CauseOpened)
	} else {
		w.revise(in, CauseOpened, 0)
	}
	if !l.firing {
		w.resolve(in, CauseAllResolved)
		w.disposed(name, in, "transient")
		return
	}
	w.disposed(name, in, "")
}

// engineLines returns the same lines from the engine's effects.
func engineLines(fx *Effects) []twinLine {
	var out []twinLine
	numbers := map[string]int{}
	pages := fx.Pages
	for i := range fx.Incidents {
		in := &fx.Incidents[i]
		if numbers[in.ID] == 0 {
			numbers[in.ID] = len(numbers) + 1
		}
		reason := PageReason(0)
		if len(pages) > 0 && pages[0].ID == in.ID && pages[0].Revision == in.Revision {
			reason, pages = pages[0].Reason, pages[1:]
		}
		out = append(out, twinLine{in.At, fmt.Sprintf("%d %s %s %s %d/%d %d %s", numbers[in.ID],
			in.Cause, in.State, in.Severity, in.Firing, in.Alerts, in.Events, reason)})
	}
	for i := range fx.Changed {
		out = append(out, twinLine{fx.Changed[i].At, saysChange(&fx.Changed[i].Change) +
			fx.Changed[i].Outcome.String()})
	}
	for _, d := range fx.Disposed {
		text := fmt.Sprintf("%.3s %s", d.Alert.Fingerprint[:], d.Disposition)
		if d.Incident != "" {
			text += fmt.Sprint(" ", numbers[d.Incident])
		}
		out = append(out, twinLine{d.At, text})
	}
	return out
}

func text(lines []twinLine) string {
	sort.SliceStable(lines, func(i, j int) bool {
		if lines[i].at != lines[j].at {
			return lines[i].at < lines[j].at
		}
		return lines[i].text < lines[j].text // revisions and dispositions are told apart
	})
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s\n", when(l.at), l.text)
	}
	return b.String()
}

func TestTheTwinAgrees(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			teller := newStoryteller(seed)
			teller.partitions, teller.quietly, teller.backlogs = 1, true, seed%4 != 0
			o := Options{Clock: ClockAppend, RuleSet: newTwoRules(),
				Limits: Limits{Lateness: 90 * Second, AlertMemory: 2 * Hour}}
			story := teller.tell(t, o, 3000)
			_, fx := run(t, o, story, 100)
			w := &twin{rules: newTwoRules(), lateness: 90 * Second, alerts: map[string]*twinAlert{}}
			for _, r := range story {
				w.record(&r)
			}
			diff(t, "the twin", text(w.out), text(engineLines(fx)))
		})
	}
}
