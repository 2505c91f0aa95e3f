package correlate_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	. "quell/correlate"
)

var rewrite = flag.Bool("rewrite", false, "write the outcomes of the transcripts anew")

// TestTranscripts runs testdata/*.txt. A transcript is a story: prose behind '#', commands, a line
// "----" and what they brought about, up to an empty line. A file is the life of one engine, or of
// several, each begun by "engine". See script_test.go for the words that the commands take.
//
// Each command is one record and one Step. After every command the engine is replaced by one that
// was restored from its snapshot, so that every transcript is also a test of that.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(src))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			diff(t, file, string(src), got)
		})
	}
}

// replay returns the transcript with the outcomes as they are.
func replay(t *testing.T, src string) string {
	var out strings.Builder
	p := &player{t: t}
	lines := strings.Split(strings.TrimRight(src, "\n"), "\n")
	outcome := false
	for _, line := range lines {
		switch {
		case line == "----":
			out.WriteString("----\n")
			out.WriteString(p.outcome.String())
			p.outcome.Reset()
			outcome = true
		case line == "":
			outcome = false
			out.WriteString("\n")
		case outcome: // what it was when it was written
		default:
			out.WriteString(line + "\n")
			if !strings.HasPrefix(line, "#") {
				p.do(line)
			}
		}
	}
	if p.outcome.Len() > 0 {
		t.Fatalf("the last commands have no ---- behind them")
	}
	return out.String()
}

func diff(t *testing.T, file, want, got string) {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("%s:%d:\n have %s\n want %s\n(go test -run Transcripts -rewrite writes what "+
				"is had)", file, i+1, b, a)
		}
	}
}

// player runs commands.
type player struct {
	t       *testing.T
	sets    map[string]*oneRule
	options Options
	engine  *Engine
	scribe  *scribe
	names   map[string]string // incident id: #1, #2 ...
	outcome strings.Builder

	ticking bool // an owner ticks between the commands
	ticked  Time

	quick   bool // write down records and effects instead of telling the outcome
	written []Record
	fx      Effects
	stopped error // what comes next makes no sense
}

func (p *player) do(line string) {
	p.t.Helper()
	words := strings.Fields(line)
	a := parseArgs(p.t, words[1:])
	switch words[0] {
	case "engine":
		p.begin(a)
	case "rules":
		set := &oneRule{name: a.take("name", "r2"), rule: a.rule(p.t)}
		p.sets[set.name] = set
		a.done(p.t)
	case "alert":
		p.step(p.scribe.alert(p.t, a))
	case "again":
		if p.scribe.last.Alert == nil {
			p.stopped = errors.New("there is nothing to repeat")
			return
		}
		p.step(p.scribe.again(p.t, a))
	case "tick":
		at := a.duration(p.t, "t", 0)
		named := base.Add(a.duration(p.t, "at", at))
		for n := a.number(p.t, "times", 1); n > 0; n-- {
			r := p.scribe.record(KindTick, base.Add(at))
			r.Tick.At = named
			p.step(r)
		}
		a.done(p.t)
	case "acknowledge", "resolve", "note", "assign":
		id := a.take("id", "#1")
		r := p.scribe.response(p.t, a, p.id(id))
		if err := r.Response.Action.UnmarshalText([]byte(words[0])); err != nil {
			p.t.Fatal(err)
		}
		p.step(r)
	case "watermark":
		p.step(p.scribe.watermark(p.t, a))
	case "change":
		r := p.scribe.record(KindRuleChange, base.Add(a.duration(p.t, "t", 0)))
		copy(r.RuleChange.Previous[:], a.take("from", "r1"))
		copy(r.RuleChange.Hash[:], a.take("to", "r2"))
		r.RuleChange.Explicit = a.flag("explicit")
		a.done(p.t)
		p.step(r)
	case "stats":
		p.stats()
	default:
		p.t.Fatalf("nobody knows the command %q", line)
	}
}

// stats tells the figures that are not zero.
func (p *player) stats() {
	st := reflect.ValueOf(p.engine.Stats())
	p.outcome.WriteString("stats")
	for i := range st.NumField() {
		if !st.Field(i).IsZero() {
			fmt.Fprintf(&p.outcome, " %s:%+v", st.Type().Field(i).Name, st.Field(i))
		}
	}
	p.outcome.WriteString("\n")
}

func (p *player) begin(a args) {
	p.sets = map[string]*oneRule{}
	p.names, p.scribe = map[string]string{}, newScribe()
	p.options = Options{Partition: 7, Limits: Limits{
		Incidents:         int(a.number(p.t, "incidents", 0)),
		OpenIncidents:     int(a.number(p.t, "open", 0)),
		GroupsPerRule:     int(a.number(p.t, "groups", 0)),
		AlertsPerIncident: int(a.number(p.t, "members", 0)),
		LiveAlerts:        int(a.number(p.t, "live", 0)),
		ClosedGroups:      int(a.number(p.t, "closed", 0)),
		MergeBuffer:       int(a.number(p.t, "buffer", 0)),
		StepBytes:         int(a.number(p.t, "step", 0)),
		Lateness:          a.duration(p.t, "lateness", 0),
		AlertMemory:       a.duration(p.t, "memory", 0),
	}}
	a.word(p.t, "clock", "append", &p.options.Clock)
	p.ticking = a.take("ticks", "live") == "live" && p.options.Clock == ClockAppend
	p.ticked = 0
	first := &oneRule{name: "r1", rule: a.rule(p.t)}
	p.sets["r1"] = first
	a.done(p.t)
	p.options.RuleSet = first
	p.options.RuleSets = func(h RuleHash) (RuleSet, bool) {
		set := p.sets[string(bytes.TrimRight(h[:], "\x00"))]
		return set, set != nil
	}
	var err error
	if p.engine, err = New(p.options); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) id(name string) string {
	for id, have := range p.names {
		if have == name {
			return id
		}
	}
	return name
}

func (p *player) name(id string) string {
	if id == "" {
		return "-"
	}
	if p.names[id] == "" {
		p.names[id] = fmt.Sprint("#", len(p.names)+1)
	}
	return p.names[id]
}

// tickTo writes the ticks of an owner that keeps up with the log, before a record at t. They are
// seldom enough for long stories and often enough for the engine to know that it is no backlog.
func (p *player) tickTo(t Time) {
	p.t.Helper()
	if p.ticked == 0 {
		p.ticked = t.Add(-2 * Second)
	}
	for p.ticked.Add(2*Second) <= t {
		p.ticked = p.ticked.Add(2 * Second)
		r := p.scribe.record(KindTick, p.ticked)
		r.Tick.At = p.ticked
		if p.quick {
			p.write(r)
			continue
		}
		var fx Effects
		if err := p.engine.Step([]Record{r}, &fx); err != nil {
			p.t.Fatal(err)
		}
		p.print(&fx)
	}
}

func (p *player) step(r Record) {
	p.t.Helper()
	if p.ticking {
		p.tickTo(r.Time)
		r.Offset = p.engine.Position()
		p.scribe.offset = r.Offset + 1
	}
	if p.quick {
		p.write(r)
		return
	}
	var fx Effects
	if err := p.engine.Step([]Record{r}, &fx); err != nil {
		fmt.Fprintf(&p.outcome, "error: %v\n", err)
	}
	p.print(&fx)
	before := p.engine.Snapshot(nil)
	restored, err := Restore(p.options, before)
	if err != nil {
		p.t.Fatal(err)
	}
	if !bytes.Equal(before, restored.Snapshot(nil)) {
		p.t.Fatal("the snapshot of the restored engine differs")
	}
	if now := p.engine.Stats(); now.Evicted+now.Forced+now.Divided == 0 && now.Over == (Over{}) { // these counters do not survive
		p.engine = restored
	}
}

// write applies a record without a word about it.
func (p *player) write(r Record) {
	known := len(p.fx.Incidents)
	if p.stopped != nil {
		return
	}
	if p.stopped = p.engine.Step([]Record{r}, &p.fx); p.stopped != nil {
		return
	}
	p.written = append(p.written, r)
	for i := range p.fx.Incidents[known:] {
		p.name(p.fx.Incidents[known+i].ID)
	}
}

func when(t Time) string {
	s := t.Sub(base).String()
	s = strings.TrimSuffix(s, "m0s") + strings.Repeat("m", strings.Count(s[max(0, len(s)-3):], "m0s"))
	return s
}

func (p *player) print(fx *Effects) {
	pages := fx.Pages
	for i := range fx.Incidents {
		in := &fx.Incidents[i]
		fmt.Fprintf(&p.outcome, "%s %s.%d %s: %s %s, %d events %s..%s, %d/%d firing",
			when(in.At), p.name(in.ID), in.Revision, in.Cause, in.State, in.Severity, in.Events,
			when(in.FirstEvent), when(in.LastEvent), in.Firing, in.Alerts)
		for _, extra := range []struct {
			is   bool
			text string
		}{
			{in.LateSeen > 0, fmt.Sprintf("%d late", in.LateSeen)},
			{in.Reopened > 0, fmt.Sprintf("reopened %d", in.Reopened)},
			{in.Transient, "transient"}, {in.ReturnedToNormal, "returned to normal"},
			{in.By != "", "by " + in.By}, {in.Note != "", "note " + in.Note},
			{in.Assignee != "", "for " + in.Assignee},
		} {
			if extra.is {
				p.outcome.WriteString(", " + extra.text)
			}
		}
		p.outcome.WriteString("\n")
		if len(pages) > 0 && pages[0].ID == in.ID && pages[0].Revision == in.Revision {
			p.page(&pages[0])
			pages = pages[1:]
		}
	}
	if len(pages) > 0 {
		p.t.Fatalf("page %s.%d is no revision", pages[0].ID, pages[0].Revision)
	}
	for _, d := range fx.Disposed {
		fmt.Fprintf(&p.outcome, "%s %s %s %s +%d\n", when(d.At),
			bytes.TrimRight(d.Alert.Fingerprint[:], "\x00"), d.Disposition, p.name(d.Incident), d.Added)
	}
	for _, a := range fx.Answered {
		fmt.Fprintf(&p.outcome, "%s %s %s\n", when(a.At), a.Response.Action, a.Outcome)
	}
	for _, c := range fx.Changed {
		fmt.Fprintf(&p.outcome, "%s rules %s %s\n", when(c.At),
			bytes.TrimRight(c.Change.Hash[:], "\x00"), c.Outcome)
	}
	if fx.Ignored > 0 {
		fmt.Fprintf(&p.outcome, "ignored %d\n", fx.Ignored)
	}
}

func (p *player) page(page *Page) {
	fmt.Fprintf(&p.outcome, "%s %s.%d PAGE %s:", when(page.At), p.name(page.ID), page.Revision,
		page.Reason)
	for _, a := range page.Top {
		mark := ""
		if a.Status == Resolved {
			mark = " resolved"
		}
		fmt.Fprintf(&p.outcome, " %s(%s x%d%s)", bytes.TrimRight(a.Fingerprint[:], "\x00"),
			a.Severity, a.Events, mark)
	}
	p.outcome.WriteString("\n")
}
