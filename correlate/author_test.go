package correlate_test

import (
	"fmt"
	"math/rand/v2"

	. "quell/correlate"
)

// author makes up transcripts from a seed: the commands of testdata, of which the scribe makes the
// records that intake would write. So whatever is left out of one, the rest is a story too, which is
// what shrinking needs, and what it comes to can be added to testdata as it is.
type author struct {
	rnd   *rand.Rand
	lines []string
	now   Duration // since base

	genre
	raws     int
	known    map[string]*authored
	alerts   int
	force    string          // rule set in force, unless a change was left out
	replaced map[string]bool // rule sets that were
	ticked   Duration
	back     Duration // when an owner that is away is there again
	late     [3]Duration
}

// genre says what happens in a script.
type genre struct {
	clock    ClockMode
	plain    bool // what the twin understands: one raw partition, no responses, no bounds
	backlogs bool // owners and intake have outages; append clock
	changes  bool // of the rules
}

func (g genre) String() string {
	s := g.clock.String()
	for _, f := range []struct {
		is   bool
		name string
	}{{g.plain, " plain"}, {g.backlogs, " backlogs"}, {g.changes, " changes"}} {
		if f.is {
			s += f.name
		}
	}
	return s
}

// authored is what the author remembers of an alert in one raw partition.
type authored struct {
	status Status
	at     Duration
}

// script returns about n commands.
func script(seed uint64, g genre, n int) []string {
	a := &author{rnd: rand.New(rand.NewPCG(seed, 3)), genre: g, raws: 3, force: "r1",
		known: map[string]*authored{}, replaced: map[string]bool{}}
	if g.plain {
		a.raws = 1
	}
	a.begin()
	for len(a.lines) < n {
		a.next()
	}
	if g.clock == ClockEvent {
		for raw := range a.raws {
			a.say("watermark at=%s raw=%d finished", a.time(a.now), raw)
		}
	}
	return a.lines
}

func (a *author) say(format string, args ...any) {
	a.lines = append(a.lines, fmt.Sprintf(format, args...))
}

func (a *author) chance(percent int) bool { return a.rnd.IntN(100) < percent }

func (a *author) time(d Duration) string { return max(0, d).String() }

func (a *author) upTo(most Duration) Duration { return Duration(a.rnd.Int64N(int64(most))) }

func (a *author) begin() {
	bounds := "lateness=90s memory=2h"
	if !a.plain {
		bounds = "lateness=90s memory=4m"
		if a.chance(60) {
			bounds += " open=5 members=4 closed=6 live=14" + a.maybe(50, " groups=3")
		}
		bounds += a.maybe(30, " step=900") + a.maybe(20, " incidents=4")
	}
	if a.clock == ClockEvent {
		a.say("engine clock=event buffer=25 %s %s", bounds, a.rule())
		a.say("watermark at=0s of=%s", []string{"0", "0,1", "0,1,2"}[a.raws-1])
	} else {
		ticks := "live"
		if a.backlogs {
			ticks = "written"
		}
		a.say("engine ticks=%s %s %s", ticks, bounds, a.rule())
	}
	if a.changes {
		a.say("rules name=r2 %s", a.rule())
		a.say("rules name=r3 %s", a.rule())
	}
}

// rule returns the terms of a rule, all lengths short enough for everything to happen in minutes.
func (a *author) rule() string {
	terms := "interval=30s repeat=1m10s quiet=55s reopen=25s ack=45s"
	if a.chance(40) {
		return "wait=0s page_at=warning window=fixed length=1m " + terms
	}
	return "wait=20s gap=40s life=2m30s " + terms
}

func (a *author) next() {
	step := a.upTo(4 * Second)
	if !a.backlogs && a.chance(5) {
		step = a.upTo(2 * Minute)
	}
	if a.backlogs && a.owner(step) {
		return
	}
	a.now += step
	switch {
	case a.clock == ClockEvent && a.chance(20):
		a.say("watermark at=%s raw=%d%s", a.time(a.now-a.upTo(5*Second)), a.rnd.IntN(a.raws), a.maybe(30, " idle"))
	case a.backlogs && a.chance(2):
		a.rest()
	case a.changes && a.chance(4):
		a.change()
	case a.plain:
		a.alert()
	case a.chance(8) && a.alerts > 0:
		a.respond()
	case a.chance(3) && a.alerts > 0:
		a.say("again at=%s", a.time(a.now))
	default:
		a.alert()
	}
}

func (a *author) maybe(percent int, word string) string {
	if a.chance(percent) {
		return word
	}
	return ""
}

// owner writes the ticks of an owner that is there, of one that comes back and of one that was
// stopped. It tells whether it wrote any.
func (a *author) owner(step Duration) bool {
	switch {
	case a.back != 0 && a.now < a.back:
		return false
	case a.back != 0:
		stale := a.rnd.IntN(6)
		if a.chance(15) {
			stale = 250 // longer than a hold lasts
		}
		if stale > 0 {
			a.say("tick t=%s at=%s times=%d", a.time(a.now), a.time(a.back-5*Second), stale)
		}
		a.back = 0
	case a.backlogs && a.chance(1):
		a.back = a.now + 10*Second + a.upTo(2*Minute)
		return false
	case a.backlogs && a.chance(2): // it is not alone: what it says is old, and so is its clock
		a.say("tick t=%s at=%s", a.time(a.now-a.upTo(5*Second)), a.time(a.now-a.upTo(9*Second)))
		return true
	case a.ticked != 0 && a.now+step <= a.ticked+1900:
		return false
	}
	a.ticked = a.now + Duration(a.rnd.IntN(500))
	a.now = a.ticked
	a.say("tick t=%s at=%s", a.time(a.now), a.time(a.now-Duration(a.rnd.IntN(600))))
	return true
}

// rest is intake's word that it has read a raw partition to its end; some of them are overtaken.
func (a *author) rest() {
	raw := a.rnd.IntN(a.raws)
	if a.chance(30) {
		a.say("watermark at=%s raw=%d idle next=0", a.time(a.now), raw)
		return
	}
	a.late[raw] = 0
	a.say("watermark at=%s raw=%d idle", a.time(a.now), raw)
}

// change asks for another rule set, often for one that was replaced.
func (a *author) change() {
	from, to, explicit := a.force, fmt.Sprint("r", 1+a.rnd.IntN(3)), a.chance(30)
	if a.chance(10) {
		from = fmt.Sprint("r", 1+a.rnd.IntN(3))
	}
	a.say("change t=%s from=%s to=%s%s", a.time(a.now), from, to, map[bool]string{true: " explicit"}[explicit])
	if from == a.force && to != a.force && (explicit || !a.replaced[to]) {
		a.replaced[a.force] = true
		a.force = to
	}
}

func (a *author) respond() {
	what := []string{"acknowledge", "acknowledge", "resolve", "note", "assign to=bo"}[a.rnd.IntN(5)]
	a.say("%s t=%s id=#%d", what, a.time(a.now), 1+a.rnd.IntN(1+a.alerts/4))
}

func (a *author) alert() {
	a.alerts++
	number, raw := a.rnd.IntN(16), a.rnd.IntN(a.raws)
	event := a.now - a.upTo(2*Second)
	if a.chance(12) {
		event = a.now - a.upTo(200*Second)
	}
	fp := fmt.Sprintf("f%02d", number)
	key := fmt.Sprint(fp, "/", raw)
	line := fmt.Sprintf("alert t=%s at=%s fp=%s cluster=c%d", a.time(event), a.time(a.now), fp, number%5)
	if raw > 0 {
		line += fmt.Sprint(" raw=", raw)
	}
	before := a.known[key]
	if before != nil && !a.plain && a.now-before.at < 30*Second && a.chance(15) {
		a.say("alert t=%s at=%s fp=%s raw=%d flush status=%s n=%d", a.time(event), a.time(a.now), fp,
			raw, before.status, 1+a.rnd.IntN(5))
		return
	}
	if before == nil {
		before = &authored{}
		a.known[key] = before
	} else if a.chance(10) {
		line += " verdict=new"
	}
	before.status, before.at = Firing, a.now
	if a.chance(25) {
		before.status = Resolved
		line += " status=resolved"
	}
	if a.chance(40) {
		line += fmt.Sprint(" sev=", Severity(1+a.rnd.IntN(4)))
	}
	if a.chance(30) {
		line += fmt.Sprint(" n=", 2+a.rnd.IntN(9))
	}
	a.lines = append(a.lines, line+a.unread(raw))
}

// unread begins and ends outages of intake.
func (a *author) unread(raw int) string {
	until := &a.late[raw]
	switch {
	case *until > a.now:
		return fmt.Sprint(" behind=", 1+a.rnd.IntN(9))
	case *until != 0:
		*until = 0
	case a.backlogs && a.chance(2):
		*until = a.now + a.upTo(Minute)
	}
	return ""
}
