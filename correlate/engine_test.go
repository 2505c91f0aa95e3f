package correlate_test

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	. "quell/correlate"
)

func TestNewRefusesImpossibleOptions(t *testing.T) {
	good := Options{Clock: ClockAppend, RuleSet: newTwoRules()}
	for _, c := range []struct {
		name, want string
		change     func(*Options)
	}{
		{"no rules", "RuleSet is nil", func(o *Options) { o.RuleSet = nil }},
		{"no clock", "Clock is 0", func(o *Options) { o.Clock = 0 }},
		{"unknown clock", "Clock is 9", func(o *Options) { o.Clock = 9 }},
		{"negative bound", "Limits.LiveAlerts is -1", func(o *Options) { o.Limits.LiveAlerts = -1 }},
		{"negative time", "Limits.Lateness is -1", func(o *Options) { o.Limits.Lateness = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			c.change(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one that contains %q", err, c.want)
			}
		})
	}
}

func TestRestoreRefusesWhatItCannotUse(t *testing.T) {
	o := lawOptions(ClockAppend)
	e, _ := run(t, o, newStoryteller(1).tell(t, o, 200), 200)
	good := e.Snapshot(nil)
	for _, c := range []struct {
		name, want string
		src        []byte
		change     func(*Options)
	}{
		{"nothing", "does not begin", nil, nil},
		{"another version", "another version of the engine", bytes.Replace(good, []byte("snapshot 5"),
			[]byte("snapshot 2"), 1), nil},
		{"cut off", "checksum", good[:len(good)-1], nil},
		{"only the magic", "ends inside", good[:24], nil},
		{"a changed byte", "checksum", append(bytes.Clone(good[:90]),
			append([]byte{good[90] ^ 1}, good[91:]...)...), nil},
		{"another partition", "alerts partition 3", good, func(o *Options) { o.Partition = 4 }},
		{"another clock", `clock "append"`, good, func(o *Options) { o.Clock = ClockEvent }},
		{"unknown rules", "load it from the rules topic", good, func(o *Options) {
			o.RuleSet = &oneRule{name: "other"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := o
			if c.change != nil {
				c.change(&o)
			}
			if _, err := Restore(o, c.src); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one that contains %q", err, c.want)
			}
		})
	}
}

// A snapshot may be written under rules that came into force later than those of Options.
func TestRestoreFindsTheRulesInForce(t *testing.T) {
	first := &oneRule{name: "r1", rule: newRule()}
	second := &oneRule{name: "r2", rule: newRule()}
	o := Options{Clock: ClockAppend, RuleSet: first,
		RuleSets: func(h RuleHash) (RuleSet, bool) { return second, h == second.Hash() }}
	e, _ := run(t, o, []Record{{Kind: KindRuleChange,
		RuleChange: RuleChange{Previous: first.Hash(), Hash: second.Hash()}}}, 1)
	restored, err := Restore(o, e.Snapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	if restored.Rules() != second.Hash() {
		t.Fatalf("rules %s are in force, want %s", restored.Rules(), second.Hash())
	}
}

// An unknown rule set stops the engine in front of the record; once it is there the engine goes on.
func TestStepGoesOnAfterTheRulesAreLoaded(t *testing.T) {
	first := &oneRule{name: "r1", rule: newRule()}
	second := &oneRule{name: "r2", rule: newRule()}
	loaded := false
	e, err := New(Options{Clock: ClockAppend, RuleSet: first,
		RuleSets: func(RuleHash) (RuleSet, bool) { return second, loaded }})
	if err != nil {
		t.Fatal(err)
	}
	records := []Record{{Kind: KindTick, Time: base},
		{Kind: KindRuleChange, Offset: 1, Time: base.Add(Second),
			RuleChange: RuleChange{Previous: first.Hash(), Hash: second.Hash()}}}
	if err := e.Step(records, new(Effects)); err == nil {
		t.Fatal("a rule set that nobody knows came into force")
	}
	if e.Position() != 1 || e.Clock() != base || e.Rules() != first.Hash() {
		t.Fatalf("position %d, clock %s: the record was half applied", e.Position(), e.Clock())
	}
	loaded = true
	if err := e.Step(records, new(Effects)); err != nil {
		t.Fatal(err)
	}
	if e.Position() != 2 || e.Rules() != second.Hash() {
		t.Fatalf("position %d, rules %s", e.Position(), e.Rules())
	}
}

// What a page and a revision say, whole.
func TestAPageSaysEverything(t *testing.T) {
	o := Options{Partition: 12, Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: newRule()}}
	a := &Alert{Fingerprint: Fingerprint{7}, Verdict: VerdictNew, Scope: "prod", Service: "shop",
		Source: "prom", Entity: "pod-1", Check: "latency", Severity: Critical, Status: Firing,
		Summary: "slow", URL: "u", Value: "512", Labels: []Label{{Name: "cluster", Value: "c9"}},
		First: base, Since: base, Last: base, Received: base.Add(2 * Second), Count: 3,
		Episode: 40, FirstOffset: 40,
		Raw: RawPosition{RawPartition: RawPartition{Topic: "raw", Partition: 5}, Offset: 40}}
	start := base.Add(3 * Second)
	_, fx := run(t, o, ticked([]Record{{Time: start, Kind: KindAlert, Alert: a},
		{Time: start.Add(Minute), Kind: KindTick}}), 2)
	if len(fx.Pages) != 1 || len(fx.Incidents) != 2 {
		t.Fatalf("%d pages, %d revisions", len(fx.Pages), len(fx.Incidents))
	}
	page := fx.Pages[0]
	if !regexp.MustCompile(`^12-[0-9a-f]{20}$`).MatchString(page.ID) {
		t.Errorf("id %q", page.ID)
	}
	want := Page{Reason: ReasonFirst, Top: []PageAlert{{Fingerprint: Fingerprint{7}, Service: "shop",
		Entity: "pod-1", Check: "latency", Severity: Critical, Status: Firing, Summary: "slow",
		URL: "u", Value: "512", First: base, Last: base, Events: 3}},
		Incident: Incident{ID: page.ID, Revision: 2, At: start.Add(30 * Second),
			Cause: CauseGroupWait, Scope: "prod", Rule: "all",
			Group: []Label{{Name: "cluster", Value: "c9"}}, Route: "default", Owner: "team",
			State: Open, Severity: Critical, Service: "shop", Services: []string{"shop"},
			Summary: "slow", FirstEvent: base, LastEvent: base, Detected: base.Add(2 * Second),
			Opened: start, Paged: start.Add(30 * Second), Events: 3, Alerts: 1, Firing: 1, Pages: 1}}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("page\n%+v\nwant\n%+v", page, want)
	}
	if !reflect.DeepEqual(fx.Incidents[1], page.Incident) {
		t.Errorf("the page is not the revision that it names")
	}
}

// The id is stable across releases: responses and archives hold it.
func TestIncidentIDsArePinned(t *testing.T) {
	o := Options{Partition: 7, Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: newRule()}}
	s := newScribe()
	_, fx := run(t, o, []Record{s.alert(t, args{"t": "1s", "fp": "a"})}, 1)
	if got, want := fx.Incidents[0].ID, "7-dfce2fba1e348d5700b8"; got != want {
		t.Fatalf("the id is %s, was %s", got, want)
	}
}

// Revisions share the lists of services; a service that joins later must not show in earlier ones.
func TestServicesAreSortedAndFrozen(t *testing.T) {
	o := Options{Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: newRule()}}
	s := newScribe()
	var records []Record
	for _, service := range []string{"m", "z", "a", "m", "k"} {
		fp := "f" + service
		records = append(records, s.alert(t, args{"t": "1s", "fp": fp, "service": service}))
	}
	records = append(records, Record{Offset: 5, Kind: KindTick, Time: base.Add(Minute)})
	_, fx := run(t, o, ticked(records), 10)
	if got := fx.Incidents[0].Services; !reflect.DeepEqual(got, []string{"m"}) {
		t.Errorf("the first revision names %q", got)
	}
	if got := fx.Incidents[1].Services; !reflect.DeepEqual(got, []string{"a", "k", "m", "z"}) {
		t.Errorf("the page names %q", got)
	}
	for i := range 30 {
		fp := "g" + string(rune('A'+i))
		records = append(records, s.alert(t, args{"t": "2m", "fp": fp, "service": fp}))
		records[len(records)-1].Offset = int64(6 + i)
	}
	records = append(records, Record{Offset: 99, Kind: KindTick, Time: base.Add(10 * Minute)})
	_, fx = run(t, o, ticked(records), 10)
	if got := fx.Incidents[len(fx.Incidents)-1].Services; len(got) != 20 {
		t.Errorf("%d services are named, want 20", len(got))
	}
}

// The engine keeps nothing of a batch: intake's decoder may use the memory again.
func TestTheBatchMayBeReused(t *testing.T) {
	eachStory(t, 600, func(t *testing.T, o Options, story []Record) {
		want, all := run(t, o, story, 600)
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		got := new(Effects)
		for _, r := range story {
			arena := make([]byte, 0, 4096)
			if r.Alert != nil {
				r.Alert, arena = borrowed(*r.Alert, arena)
			}
			if err := e.Step([]Record{r}, got); err != nil {
				t.Fatal(err)
			}
			for i := range arena {
				arena[i] = '#'
			}
		}
		if want.Hash() != e.Hash() || !bytes.Equal(want.Snapshot(nil), e.Snapshot(nil)) {
			t.Error("what was overwritten after Step shows in the state")
		}
		if !reflect.DeepEqual(got.Incidents, all.Incidents) || !reflect.DeepEqual(got.Pages, all.Pages) {
			t.Error("what was overwritten after Step shows in incidents and pages")
		}
	})
}

// borrowed returns a copy of a whose strings are views into the arena.
func borrowed(a Alert, arena []byte) (*Alert, []byte) {
	view := func(s *string) {
		if *s != "" {
			begin := len(arena)
			arena = append(arena, *s...)
			*s = unsafe.String(&arena[begin], len(*s))
		}
	}
	a.Labels = append([]Label(nil), a.Labels...)
	for i := range a.Labels {
		view(&a.Labels[i].Name)
		view(&a.Labels[i].Value)
	}
	for _, s := range []*string{&a.Raw.Topic, &a.Scope, &a.Source, &a.Service, &a.Entity, &a.Check,
		&a.Summary, &a.URL, &a.Value} {
		view(s)
	}
	return &a, arena
}

// Effects of every story: revisions are dense and pages are revisions. (fuzz_test.go does the
// same for records that intake would never write.)
func TestEveryAlertRecordIsAccountedFor(t *testing.T) {
	eachStory(t, 1500, func(t *testing.T, o Options, story []Record) {
		e, fx := run(t, o, story, 100)
		alerts, responses := 0, 0
		for _, r := range story {
			switch r.Kind {
			case KindAlert:
				alerts++
			case KindResponse:
				responses++
			}
		}
		if got := len(fx.Disposed) + fx.Ignored + e.Stats().Buffered; got != alerts {
			t.Errorf("%d alert records, %d accounted for", alerts, got)
		}
		if len(fx.Answered) != responses {
			t.Errorf("%d responses, %d answered", responses, len(fx.Answered))
		}
		var added uint64
		for _, d := range fx.Disposed {
			added += d.Added
		}
		last := map[string]uint64{}
		for i := range fx.Incidents {
			in := &fx.Incidents[i]
			if in.Events < last[in.ID] {
				t.Errorf("incident %s.%d lost events", in.ID, in.Revision)
			}
			last[in.ID] = in.Events
		}
		var told uint64
		for _, n := range last {
			told += n
		}
		if told > added {
			t.Errorf("incidents tell %d events, dispositions add %d", told, added)
		}
	})
}
