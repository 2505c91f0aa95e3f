package demo

import (
	"fmt"
	"math"
	"strings"
)

// frame is one picture.
type frame struct {
	f      *Figures
	pages  []*Page // newest last
	note   string  // the newest log line, if any
	width  int
	height int
	colour bool
}

// keys of the funnel are as wide as the widest.
const keyWidth, countWidth, rateWidth = 12, 12, 11

// text returns the picture: at most height lines of at most width columns, each ended by the code
// that clears the rest of its line. Equal frames give equal text.
func (fr *frame) text() string {
	var rows []string
	add := func(format string, args ...any) { rows = append(rows, fmt.Sprintf(format, args...)) }
	f := fr.f
	add("%s", fr.headline())
	add("")
	for _, s := range [...]struct {
		name string
		n    int64
		rate float64
	}{{"events", f.Events, f.Rates.Events}, {"  duplicates", f.Duplicates, f.Rates.Duplicates},
		{"alerts", f.Alerts, f.Rates.Alerts}, {"incidents", f.Incidents, f.Rates.Incidents},
		{"pages", f.Pages, f.Rates.Pages}} {
		add(" %-*s %*s %*s/s  %s", keyWidth, s.name, countWidth, grouped(s.n), rateWidth, rate(s.rate),
			bar(s.n, f.Events, fr.width-keyWidth-countWidth-rateWidth-8))
	}
	add("")
	add(" incidents    %d open, %d acknowledged, %d over", f.Open, f.Owned, f.Resolved)
	add(" responder    %d acknowledged, %d closed", f.Acknowledged, f.Closed)
	add(" archive      %s rows in ClickHouse, %s behind", grouped(f.Archived), grouped(f.Behind()))
	if f.Rejected > 0 {
		add(" rejected     %s", grouped(f.Rejected))
	}
	add("")
	room := fr.height - len(rows) - 1
	if fr.note != "" {
		room--
	}
	for _, p := range fr.newest(room) {
		add(" %s", pageLine(p, fr.colour))
	}
	if fr.note != "" {
		add(" %s", printable(fr.note))
	}
	return fr.fit(rows)
}

func (fr *frame) headline() string {
	f := fr.f
	state := fmt.Sprintf("%.0f of %.0f s", f.OfStory.Seconds(), StoryLength.Std().Seconds())
	switch {
	case f.Ending:
		state = "told; waiting for what is open"
	case f.OfStory >= StoryLength.Std() && f.Sent > f.Events:
		state = "told; catching up"
	}
	return fmt.Sprintf(" quell demo   story %d (seed %d): %s", f.Story, f.Seed, state)
}

// newest returns the last n pages, the newest first.
func (fr *frame) newest(n int) []*Page {
	var out []*Page
	for i := len(fr.pages) - 1; i >= 0 && len(out) < n; i-- {
		out = append(out, fr.pages[i])
	}
	return out
}

// fit cuts the rows to the size of the terminal.
func (fr *frame) fit(rows []string) string {
	var b strings.Builder
	for i, row := range rows[:min(len(rows), max(fr.height, 0))] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(clip(row, fr.width))
		b.WriteString("\x1b[K")
	}
	return b.String()
}

// clip cuts a row to so many columns; colours take none, and are ended.
func clip(row string, width int) string {
	columns, escape, coloured := 0, false, false
	for i, r := range row {
		switch {
		case r == '\x1b':
			escape, coloured = true, true
		case escape:
			escape = r != 'm'
		case columns == width:
			if coloured {
				return row[:i] + plain
			}
			return row[:i]
		default:
			columns++
		}
	}
	return row
}

// bar draws n against most on a logarithmic scale, since a storm and its pages are five orders of
// magnitude apart; width columns are all of it.
func bar(n, most int64, width int) string {
	if n <= 0 || most <= 0 || width <= 0 {
		return ""
	}
	cells := width
	if most > 1 {
		cells = 1 + int(float64(width-1)*math.Log(float64(n))/math.Log(float64(most)))
	}
	return strings.Repeat("█", min(cells, width))
}
