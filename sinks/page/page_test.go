package page

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"quell/correlate"
)

const noon = correlate.Time(1_795_262_400_000) // 2026-11-21T12:00:00Z

func example() *correlate.Page {
	return &correlate.Page{
		Reason: correlate.ReasonFirst,
		Top: []correlate.PageAlert{
			{Fingerprint: correlate.Fingerprint{1}, Service: "payments", Entity: "db-1", Check: "connect",
				Severity: correlate.Critical, Status: correlate.Firing, Summary: "connection refused",
				URL: "https://mon.example/a?b=c&d=<e>", First: noon.Add(-90 * correlate.Second),
				Last: noon, Events: 1200},
			{Service: "checkout", Check: "latency", Severity: correlate.Warning,
				Status: correlate.Resolved, First: noon.Add(-80 * correlate.Second), Last: noon, Events: 1},
		},
		Incident: correlate.Incident{
			ID: "0-00112233445566778899", Revision: 2, At: noon, Cause: correlate.CauseGroupWait,
			Scope: "prod", Rule: "default",
			Group: []correlate.Label{{Name: "service", Value: "payments"}}, Route: "default",
			State: correlate.Open, Severity: correlate.Critical, Service: "payments",
			Services: []string{"checkout", "payments"}, Summary: "connection refused",
			Owner: "team-pay", Runbook: "https://wiki.example/pay", Priority: "P1",
			FirstEvent: noon.Add(-90 * correlate.Second), LastEvent: noon,
			Detected: noon.Add(-89 * correlate.Second), Opened: noon.Add(-89 * correlate.Second),
			Paged: noon, Events: 4512, Alerts: 12, Firing: 11, Pages: 1,
		},
	}
}

func encoder(t *testing.T, o Options) *Encoder {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t *testing.T, e *Encoder, p *correlate.Page) string {
	t.Helper()
	b, err := e.AppendPage([]byte("x"), p)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), "x{") || strings.Contains(string(b), "\n") {
		t.Fatalf("not appended as one line: %q", b)
	}
	return string(b[1:])
}

// TestQuellForm pins a whole page: consumers depend on its names, people on its wording.
func TestQuellForm(t *testing.T) {
	const want = `{"title":"CRITICAL payments: connection refused",` +
		`"text":"11 of 12 alerts firing, 4,512 events\n` +
		`since 2026-11-21 11:58 UTC (1m)\n` +
		`services: checkout, payments\n` +
		`why now: new incident\n` +
		`1. critical payments db-1 connect: connection refused (x1,200 since 2026-11-21 11:58 UTC)\n` +
		`2. resolved checkout latency (x1 since 2026-11-21 11:58 UTC)\n` +
		`and 10 more alerts\n` +
		`owner: team-pay\npriority: P1\nrunbook: https://wiki.example/pay\n` +
		`scope prod, rule default, incident 0-00112233445566778899 revision 2",` +
		`"reason":"first","id":"0-00112233445566778899","revision":2,"at":"2026-11-21T12:00:00.000Z",` +
		`"cause":"group_wait","scope":"prod","rule":"default",` +
		`"group":[{"name":"service","value":"payments"}],"route":"default","state":"open",` +
		`"severity":"critical","service":"payments","services":["checkout","payments"],` +
		`"summary":"connection refused","owner":"team-pay","runbook":"https://wiki.example/pay",` +
		`"priority":"P1","first_event":"2026-11-21T11:58:30.000Z",` +
		`"last_event":"2026-11-21T12:00:00.000Z","detected":"2026-11-21T11:58:31.000Z",` +
		`"opened":"2026-11-21T11:58:31.000Z","paged":"2026-11-21T12:00:00.000Z","acknowledged":null,` +
		`"resolved":null,"events":4512,"alerts":12,"firing":11,"late":0,"reopened":0,"pages":1,` +
		`"top_alerts":[{"fingerprint":"01000000000000000000000000000000","service":"payments",` +
		`"entity":"db-1","check":"connect","severity":"critical","status":"firing",` +
		`"summary":"connection refused","url":"https://mon.example/a?b=c&d=<e>",` +
		`"first":"2026-11-21T11:58:30.000Z","last":"2026-11-21T12:00:00.000Z","events":1200},` +
		`{"fingerprint":"00000000000000000000000000000000","service":"checkout","entity":"",` +
		`"check":"latency","severity":"warning","status":"resolved",` +
		`"first":"2026-11-21T11:58:40.000Z","last":"2026-11-21T12:00:00.000Z","events":1}]}`
	if got := encode(t, encoder(t, Options{}), example()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestTitles(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *correlate.Page)
		want   string
	}{
		{"first", func(p *correlate.Page) {}, "CRITICAL payments: connection refused"},
		{"new alerts", func(p *correlate.Page) { p.Reason = correlate.ReasonNewAlerts },
			"CRITICAL payments: connection refused (more alerts, 11 of 12 alerts firing)"},
		{"worse", func(p *correlate.Page) { p.Reason = correlate.ReasonSeverityRise },
			"CRITICAL payments: connection refused (became worse)"},
		{"partly resolved", func(p *correlate.Page) {
			p.Reason, p.Severity, p.Firing = correlate.ReasonNewResolved, correlate.Error, 1
		}, "ERROR payments: connection refused (some alerts resolved, 1 of 12 alerts firing)"},
		{"over", func(p *correlate.Page) {
			p.Reason, p.State = correlate.ReasonAllResolved, correlate.ResolvedDone
			p.ResolvedAt = p.FirstEvent.Add(26*correlate.Hour + 5*correlate.Minute)
		}, "RESOLVED payments: connection refused (after 1d2h)"},
		{"over without a time", func(p *correlate.Page) { p.Reason = correlate.ReasonAllResolved },
			"RESOLVED payments: connection refused (after 1m)"},
		{"repeat", func(p *correlate.Page) {
			p.Reason, p.At = correlate.ReasonRepeat, p.FirstEvent.Add(4*correlate.Hour)
		}, "CRITICAL payments: connection refused (still open after 4h0m)"},
		{"escalation", func(p *correlate.Page) { p.Reason = correlate.ReasonEscalation },
			"CRITICAL payments: connection refused (acknowledgement timed out)"},
		{"acknowledged", func(p *correlate.Page) {
			p.Reason, p.State, p.By = correlate.ReasonAcknowledged, correlate.Acknowledged, "ada"
		}, "ACKNOWLEDGED payments: connection refused (by ada)"},
		{"acknowledged by nobody", func(p *correlate.Page) { p.Reason = correlate.ReasonAcknowledged },
			"ACKNOWLEDGED payments: connection refused"},
		{"flapping", func(p *correlate.Page) { p.Reason = correlate.ReasonFlapping },
			"CRITICAL payments: connection refused (the condition flaps)"},
		{"storm", func(p *correlate.Page) { p.Reason = correlate.ReasonStorm },
			"CRITICAL payments: connection refused (stands for a storm of incidents)"},
		{"no service", func(p *correlate.Page) { p.Service = "" },
			"CRITICAL db-1: connection refused"},
		{"nothing known", func(p *correlate.Page) {
			p.Service, p.Top, p.Summary, p.Alerts = "", nil, "", 1
		}, "CRITICAL prod: 1 alert"},
		{"lines and controls", func(p *correlate.Page) { p.Summary = "a\r\n\tb\x00c\u2028d" },
			"CRITICAL payments: a b c d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := example()
			c.change(p)
			if got := title(p); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestEveryReasonHasWords: a reason that is added must be given a wording.
func TestEveryReasonHasWords(t *testing.T) {
	for _, r := range correlate.PageReasons() {
		if why(r) == r.String() {
			t.Errorf("%s has no words", r)
		}
	}
}

// TestLongTexts: whatever came from outside, a title stays a title.
func TestLongTexts(t *testing.T) {
	for _, long := range []string{strings.Repeat("x", 5000), strings.Repeat("日本", 5000),
		strings.Repeat("a\n", 5000)} {
		for _, reason := range correlate.PageReasons() {
			p := example()
			p.Reason, p.Service, p.Summary, p.By, p.Note = reason, long, long, long, long
			p.Top[0].Summary, p.Top[0].Entity = long, long
			if n := utf8.RuneCountInString(title(p)); n > maxTitle {
				t.Errorf("%s: a title of %d characters", reason, n)
			}
			for _, line := range strings.Split(text(p), "\n") {
				if n := utf8.RuneCountInString(line); n > maxAlert {
					t.Errorf("%s: a line of %d characters: %s", reason, n, line)
				}
			}
			if n := utf8.RuneCountInString(pagerDutySummary(p)); n > maxPagerDutySummary {
				t.Errorf("%s: PagerDuty refuses a summary of %d characters", reason, n)
			}
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 2, "日…"}, {"a bcd", 3, "a…"},
		{" a  b ", 9, "a b"}, {"", 3, ""}, {"ab", 1, "…"},
	} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestLasted(t *testing.T) {
	for ms, want := range map[correlate.Time]string{0: "0s", 59_999: "59s", 60_000: "1m",
		3_660_000: "1h1m", 90_000_000: "1d1h", -5: "0s"} {
		if got := lasted(noon+ms, noon); got != want {
			t.Errorf("%d ms are %q, want %q", ms, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	e := encoder(t, Options{
		Routes:  map[string]Route{"night": {Form: Quell}},
		Default: Route{Form: PagerDuty, RoutingKey: "k"},
	})
	p := example()
	if got := encode(t, e, p); !strings.HasPrefix(got, `{"routing_key":"k","event_action":"trigger"`) {
		t.Errorf("a route without an entry: %s", got)
	}
	p.Route = "night"
	if got := encode(t, e, p); !strings.HasPrefix(got, `{"title":`) {
		t.Errorf("a route with an entry: %s", got)
	}
	for name, o := range map[string]Options{
		"route":   {Routes: map[string]Route{"a": {Form: "email"}}},
		"nothing": {Routes: map[string]Route{"a": {}}},
		"default": {Default: Route{Form: "email"}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: an unknown form is accepted", name)
		}
	}
}

func TestIncident(t *testing.T) {
	in := example().Incident
	in.Group, in.Services = nil, nil
	b, err := Incident(nil, &in)
	if err != nil {
		t.Fatal(err)
	}
	var back correlate.Incident
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.ID != in.ID || back.FirstEvent != in.FirstEvent || back.State != in.State {
		t.Errorf("came back as %+v", back)
	}
	if !strings.Contains(string(b), `"group":[]`) || in.Group != nil {
		t.Errorf("nil lists are null, or the incident was changed: %s", b)
	}
}
