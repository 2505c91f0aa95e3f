package correlate_test

import (
	"fmt"
	"sort"
	"testing"

	. "quell/correlate"
)

// hour is what monitoring says in an hour: 60 clusters, each with an alert that fires in its own
// minute and is told again every minute. Those of the even clusters clear after four minutes, those
// of the odd ones go on; every tenth of them gets worse after five. Events are in the order of
// their times.
func hour(t *testing.T) []Record {
	s := newScribe()
	var records []Record
	for minute := range 60 {
		for k := range minute + 1 {
			a := args{"t": fmt.Sprint(minute, "m", k, "s"), "fp": fmt.Sprintf("f%02d", k),
				"cluster": fmt.Sprint("c", k)}
			switch age := minute - k; {
			case k%2 == 0 && age > 4:
				continue
			case k%2 == 0 && age == 4:
				a["status"] = "resolved"
			case k%20 == 1 && age >= 5:
				a["sev"] = "critical"
			}
			records = append(records, s.alert(t, a))
		}
	}
	return records
}

// firing is how many clusters fire at the end of the hour: the odd ones, and the even ones of the
// last four minutes.
const firing = 30 + 2

// lives mixes the ticks of an owner that is there from one time to another into records that are in
// the order of their times.
func lives(records []Record, from, to Time) []Record {
	var ticks []Record
	for at := from; at <= to; at = at.Add(250) {
		ticks = append(ticks, Record{Kind: KindTick, Time: at, Tick: Tick{At: at.Add(-250)}})
	}
	return inOrder(append(ticks, records...))
}

func inOrder(records []Record) []Record {
	sort.SliceStable(records, func(i, j int) bool { return records[i].Time < records[j].Time })
	for i := range records {
		records[i].Offset = int64(i)
	}
	return records
}

func pagesBy(fx *Effects) map[PageReason]int {
	n := map[PageReason]int{}
	for i := range fx.Pages {
		n[fx.Pages[i].Reason]++
	}
	return n
}

// outageRule pages so soon that only a hold can keep it from paging for what clears minutes later.
func outageRule() *oneRule {
	rule := newRule()
	rule.GroupWait = 2 * Second
	rule.Window.MaxLife, rule.GroupInterval = 2*Hour, 30*Minute
	return &oneRule{name: "r1", rule: rule}
}

// TestAnHoursOutage counts pages: with nobody away, with correlate away and with intake away.
// Which alert is in which incident is the same each time, because event time decides that.
func TestAnHoursOutage(t *testing.T) {
	o := Options{Clock: ClockAppend, RuleSet: outageRule()}
	const back = base + Time(Hour)
	end := back.Add(90 * Second)
	live := lives(hour(t), base.Add(-Second), end)

	// Correlate comes back after the hour and needs 20 s for it.
	away := hour(t)
	for i := range 80 {
		at := back.Add(Duration(i) * 250)
		away = append(away, Record{Kind: KindTick, Time: at,
			Tick: Tick{At: base.Add(Duration(i) * 45 * Second)}})
	}
	correlateAway := lives(away, back.Add(20*Second), end)

	// Intake comes back after the hour and needs 50 s for it: what cleared after four minutes clears
	// after three seconds.
	late := hour(t)
	last := late[len(late)-1].Alert.Raw
	for i := range late {
		late[i].Time = back.Add(Duration(i) * 50 * Second / Duration(len(late)))
		late[i].Alert.Behind = last.Offset + 1 - late[i].Alert.Raw.Offset
	}
	late = append(late, Record{Kind: KindWatermark, Time: back.Add(50 * Second),
		Watermark: &Watermark{Raw: last.RawPartition, Idle: true, Next: last.Offset + 1}})
	intakeAway := lives(late, base.Add(-Second), end)

	for _, c := range []struct {
		name            string
		log             []Record
		first, rise     int // pages
		transient, held int
	}{
		{"nobody is away", live, 60, 3, 0, 0},
		{"correlate is away", correlateAway, firing, 0, 60 - firing, firing - 2},
		{"intake is away", intakeAway, firing, 0, 60 - firing, firing - 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			fx, held := new(Effects), 0
			for i := range c.log {
				if err := e.Step(c.log[i:i+1], fx); err != nil {
					t.Fatal(err)
				}
				held = max(held, e.Stats().Held)
			}
			n := pagesBy(fx)
			if n[ReasonFirst] != c.first || n[ReasonSeverityRise] != c.rise {
				t.Errorf("pages by reason: %v, want %d first, %d for a rise", n, c.first, c.rise)
			}
			if c.held > 0 && len(fx.Pages) != c.first {
				t.Errorf("%d pages, want one for each of %d incidents", len(fx.Pages), c.first)
			}
			transient := map[string]bool{}
			for i := range fx.Incidents {
				if in := &fx.Incidents[i]; in.Transient {
					transient[in.ID] = true
				}
			}
			if len(transient) != c.transient {
				t.Errorf("%d incidents are transient, want %d", len(transient), c.transient)
			}
			if held < c.held {
				t.Errorf("at most %d pages were held at once, want %d", held, c.held)
			}
			clusters := map[string]string{}
			for _, d := range fx.Disposed {
				cluster := d.Alert.Label("cluster")
				if d.Incident == "" || clusters[cluster] != "" && clusters[cluster] != d.Incident {
					t.Fatalf("an alert of %s is in incident %q", cluster, d.Incident)
				}
				clusters[cluster] = d.Incident
			}
			if len(clusters) != 60 {
				t.Errorf("%d incidents, want 60", len(clusters))
			}
		})
	}
}

// After a hold nothing of it is left: the engine goes on as if it had never been held.
func TestAfterAnOutageLifeIsOrdinary(t *testing.T) {
	o := Options{Clock: ClockAppend, RuleSet: outageRule()}
	const back = base + Time(Hour)
	s := newScribe()
	records := hour(t)
	s.raws[0] = int64(len(records))
	records = append(records,
		s.alert(t, args{"t": "61m", "fp": "z", "cluster": "z"}),
		s.alert(t, args{"t": "63m", "fp": "y", "cluster": "z", "sev": "critical"}))
	_, fx := run(t, o, lives(records, back, back.Add(5*Minute)), 64)
	var got []string
	for i := range fx.Pages {
		if p := &fx.Pages[i]; p.Group[0].Value == "z" {
			got = append(got, fmt.Sprint(when(p.At), " ", p.Reason))
		}
	}
	if fmt.Sprint(got) != "[1h1m2s first 1h3m severity_rise]" {
		t.Errorf("pages %v", got)
	}
}
