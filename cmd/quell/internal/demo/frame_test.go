package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"quell/correlate"
)

func sample() (*Figures, []*Page) {
	f := &Figures{Since: 24 * time.Second, Story: 2, Seed: 43, OfStory: 23 * time.Second, Sent: 123_500,
		Events: 123_456, Duplicates: 110_402, Alerts: 812, Incidents: 34, Pages: 29, Open: 9, Owned: 4,
		Resolved: 21, Archived: 120_000, Acknowledged: 18, Closed: 4,
		Rates: Rates{Events: 8912.4, Duplicates: 7800, Alerts: 12, Incidents: 0.7, Pages: 1}}
	p := page("0-a", correlate.ReasonFirst, correlate.Open, 12, 12)
	p.At, p.Severity, p.Service, p.Events = correlate.TimeOf(noon), correlate.Critical, "checkout-db", 1234
	p.Group = []correlate.Label{{Name: "cluster", Value: "eu-1-c2"}}
	p.Summary = "replica is behind its primary"
	q := *p
	q.At, q.Severity, q.Reason = q.At.Add(2000), correlate.Error, correlate.ReasonNewAlerts
	q.Service, q.Scope, q.Group, q.Summary = "orders-api", "eu-prod", nil, "bad \x1b[2J text"
	return f, []*Page{p, &q}
}

const wantFrame = ` quell demo   story 2 (seed 43): 23 of 40 s

 events            123,456       8,912/s  █████████████████████████████████████████████████████████
   duplicates      110,402       7,800/s  ████████████████████████████████████████████████████████
 alerts                812          12/s  █████████████████████████████████
 incidents              34         0.7/s  █████████████████
 pages                  29         1.0/s  █████████████████

 incidents    9 open, 4 acknowledged, 21 over
 responder    18 acknowledged, 4 closed
 archive      120,000 rows in ClickHouse, 3,456 behind

 12:00:02  error     new_alerts     orders-api/eu-prod            bad ?[2J text (1,234 events)
 12:00:00  critical  first          checkout-db/eu-1-c2           replica is behind its primary (1,2`

// TestFrame draws the picture into a buffer: newest page first, cut to the terminal's width, and
// nothing of what came from outside can steer the terminal.
func TestFrame(t *testing.T) {
	f, pages := sample()
	fr := frame{f: f, pages: pages, width: 100, height: 30}
	got := strings.ReplaceAll(strings.ReplaceAll(fr.text(), "\x1b[K", ""), "\r\n", "\n")
	if got != wantFrame {
		t.Errorf("got\n%s\nwant\n%s", got, wantFrame)
	}
}

// TestFrameFits every size of terminal, in colour too: never a line too many or a column too wide.
func TestFrameFits(t *testing.T) {
	f, pages := sample()
	for range 5 {
		pages = append(pages, pages...)
	}
	for height := range 40 {
		for width := range 130 {
			fr := frame{f: f, pages: pages, note: "level=WARN msg=slow", width: width, height: height,
				colour: true}
			rows := strings.Split(fr.text(), "\r\n")
			if len(rows) > max(height, 1) {
				t.Fatalf("%dx%d: %d rows", width, height, len(rows))
			}
			for _, row := range rows {
				for _, code := range []string{plain, "\x1b[K", paint[correlate.Error], paint[correlate.Critical]} {
					row = strings.ReplaceAll(row, code, "")
				}
				if n := utf8.RuneCountInString(row); n > width {
					t.Fatalf("%dx%d: a row of %d columns: %q", width, height, n, row)
				}
			}
		}
	}
}

// TestFrameEndsColours that a cut line began.
func TestFrameEndsColours(t *testing.T) {
	_, pages := sample()
	row := clip(pageLine(pages[0], true), 14)
	if want := "12:00:00  " + paint[correlate.Critical] + "crit" + plain; row != want {
		t.Errorf("got %q, want %q", row, want)
	}
}

// TestLines is the screen without a terminal: pages as they come, figures every few seconds.
func TestLines(t *testing.T) {
	f, pages := sample()
	var out bytes.Buffer
	l := &lines{w: &out, every: 3 * time.Second}
	l.Page(pages[0])
	for _, since := range []time.Duration{time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second} {
		g := *f
		g.Since = since
		l.Show(&g)
	}
	const figures = "events 123,456 (8,912/s)  duplicates 110,402  alerts 812  incidents 34 (9 open, " +
		"4 acknowledged)  pages 29  archived 120,000\n"
	want := "page  12:00:00  critical  first          checkout-db/eu-1-c2           replica is behind " +
		"its primary (1,234 events)\n   3s  " + figures + "   6s  " + figures
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestTrend: rates are of about the last second, not of the whole run.
func TestTrend(t *testing.T) {
	var tr trend
	var last Rates
	for i := range int64(80) { // ten seconds: 100 events/s, then 1,000
		f := Figures{Since: time.Duration(i) * lookEvery}
		f.Events = int64(100 * f.Since.Seconds())
		if f.Since > 5*time.Second {
			f.Events = 500 + int64(1000*(f.Since.Seconds()-5))
		}
		last = tr.rates(f)
	}
	if last.Events < 990 || last.Events > 1010 || last.Pages != 0 {
		t.Errorf("rates %+v, want 1,000 events/s", last)
	}
	if len(tr.past) > 20 {
		t.Errorf("remembers %d pictures", len(tr.past))
	}
}
