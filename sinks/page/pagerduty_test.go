package page

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quell/correlate"
)

// TestPagerDutyForm pins a whole event.
func TestPagerDutyForm(t *testing.T) {
	const want = `{"routing_key":"0123456789abcdef0123456789abcdef","event_action":"trigger",` +
		`"dedup_key":"0-00112233445566778899","client":"quell",` +
		`"payload":{"summary":"payments: connection refused","source":"db-1","severity":"critical",` +
		`"timestamp":"2026-11-21T12:00:00.000Z","component":"payments","group":"prod",` +
		`"class":"connect","custom_details":{"reason":"new incident",` +
		`"firing":"11 of 12 alerts firing","events":4512,"alerts":12,` +
		`"since":"2026-11-21T11:58:30.000Z","services":"checkout, payments",` +
		`"top_alerts":["critical payments db-1 connect: connection refused (x1,200 since 2026-11-21` +
		` 11:58 UTC)","resolved checkout latency (x1 since 2026-11-21 11:58 UTC)"],` +
		`"owner":"team-pay","priority":"P1","runbook":"https://wiki.example/pay","scope":"prod",` +
		`"rule":"default","state":"open","incident":"0-00112233445566778899","revision":2,` +
		`"detected":"2026-11-21T11:58:31.000Z","opened":"2026-11-21T11:58:31.000Z"}},` +
		`"links":[{"href":"https://wiki.example/pay","text":"runbook"},` +
		`{"href":"https://mon.example/a?b=c&d=<e>","text":"alert: payments connect"}]}`
	e := encoder(t, Options{Default: Route{PagerDuty, "0123456789abcdef0123456789abcdef"}})
	if got := encode(t, e, example()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestPagerDutyActions(t *testing.T) {
	for _, c := range []struct {
		reason correlate.PageReason
		state  correlate.State
		want   string
	}{
		{correlate.ReasonFirst, correlate.Open, "trigger"},
		{correlate.ReasonNewAlerts, correlate.Acknowledged, "trigger"},
		{correlate.ReasonNewAlerts, correlate.ResolvedDone, "resolve"},
		{correlate.ReasonSeverityRise, correlate.Open, "trigger"},
		{correlate.ReasonNewResolved, correlate.Open, "trigger"},
		{correlate.ReasonAllResolved, correlate.ResolvedDone, "resolve"},
		{correlate.ReasonRepeat, correlate.Open, "trigger"},
		{correlate.ReasonEscalation, correlate.Open, "trigger"},
		{correlate.ReasonAcknowledged, correlate.Acknowledged, "acknowledge"},
		{correlate.ReasonStorm, correlate.Open, "trigger"},
	} {
		p := example()
		p.Reason, p.State = c.reason, c.state
		if got := pagerDutyAction(p); got != c.want {
			t.Errorf("%s while %s: %s, want %s", c.reason, c.state, got, c.want)
		}
	}
}

// TestPagerDutyConstraints holds odd pages against what the Events API v2 demands: required texts
// that are not empty, the summary's 1024 characters, the dedup key's 255, known severities, ISO 8601
// times, links with web addresses, half a megabyte in all.
func TestPagerDutyConstraints(t *testing.T) {
	e := encoder(t, Options{Default: Route{Form: PagerDuty}})
	long := strings.Repeat("日本\n", 4000)
	for name, change := range map[string]func(*correlate.Page){
		"usual":   func(*correlate.Page) {},
		"nothing": func(p *correlate.Page) { p.Top, p.Service, p.Summary, p.Runbook = nil, "", "", "" },
		"long": func(p *correlate.Page) {
			p.Summary, p.Service, p.Scope, p.Top[0].Entity, p.Top[0].Check = long, long, long, long, long
			p.Top[0].Summary, p.Note = long, long
		},
		"script": func(p *correlate.Page) { p.Runbook, p.Top[0].URL = "javascript:x", "file:///etc" },
	} {
		t.Run(name, func(t *testing.T) {
			p := example()
			change(p)
			text := encode(t, e, p)
			var got pagerDutyForm
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, "routing_key") {
				t.Error("a routing key out of nowhere")
			}
			if n := utf8.RuneCountInString(got.Payload.Summary); n == 0 || n > 1024 {
				t.Errorf("a summary of %d characters", n)
			}
			if got.Payload.Source == "" || got.DedupKey == "" || len(got.DedupKey) > 255 ||
				len(text) > 512<<10 {
				t.Errorf("source %q, dedup key %q, %d bytes", got.Payload.Source, got.DedupKey, len(text))
			}
			if _, err := time.Parse(time.RFC3339, got.Payload.Timestamp.String()); err != nil {
				t.Error(err)
			}
			for _, l := range got.Links {
				if !strings.HasPrefix(l.Href, "https://") || l.Text == "" {
					t.Errorf("link %+v", l)
				}
			}
		})
	}
}
