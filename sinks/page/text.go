package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"quell/correlate"
)

// Bounds of texts, in characters.
const (
	maxTitle   = 160
	maxSummary = 100 // of the incident, inside a title
	maxAlert   = 160 // one line of the text
	maxNames   = 5   // services that a text lists
)

// title is the page in one line.
func title(p *correlate.Page) string {
	summary := cut(p.Summary, maxSummary)
	if summary == "" {
		summary = counted(p.Alerts, "alert", "alerts")
	}
	line := head(p) + " " + cut(where(p), 50) + ": " + summary
	if tail := tail(p); tail != "" {
		line = cut(line, maxTitle-len(tail)-3) + " (" + tail + ")"
	}
	return cut(line, maxTitle)
}

// head is the word that decides whether to get up.
func head(p *correlate.Page) string {
	switch {
	case over(p):
		return "RESOLVED"
	case p.Reason == correlate.ReasonAcknowledged:
		return "ACKNOWLEDGED"
	}
	return strings.ToUpper(p.Severity.String())
}

// over reports whether the page tells the end of its incident.
func over(p *correlate.Page) bool {
	return p.State == correlate.ResolvedDone || p.Reason == correlate.ReasonAllResolved
}

// end is the moment up to which an incident's age counts.
func end(p *correlate.Page) correlate.Time {
	if over(p) && p.ResolvedAt != 0 {
		return p.ResolvedAt
	}
	return p.At
}

// where is what is affected: the service, else what the top alert names, else the scope.
func where(p *correlate.Page) string {
	if p.Service != "" {
		return p.Service
	}
	for _, a := range p.Top {
		if a.Entity != "" {
			return a.Entity
		}
		if a.Check != "" {
			return a.Check
		}
	}
	return p.Scope
}

// tail says why the page comes now; nothing for the first.
func tail(p *correlate.Page) string {
	if over(p) {
		return "after " + lasted(end(p), p.FirstEvent)
	}
	switch p.Reason {
	case correlate.ReasonFirst:
		return ""
	case correlate.ReasonAcknowledged:
		if p.By != "" {
			return "by " + cut(p.By, 40)
		}
		return ""
	case correlate.ReasonNewAlerts, correlate.ReasonNewResolved:
		return why(p.Reason) + ", " + firing(p)
	case correlate.ReasonRepeat:
		return "still open after " + lasted(p.At, p.FirstEvent)
	}
	return why(p.Reason)
}

// why is a reason in words.
func why(r correlate.PageReason) string {
	switch r {
	case correlate.ReasonFirst:
		return "new incident"
	case correlate.ReasonNewAlerts:
		return "more alerts"
	case correlate.ReasonSeverityRise:
		return "became worse"
	case correlate.ReasonNewResolved:
		return "some alerts resolved"
	case correlate.ReasonAllResolved:
		return "over"
	case correlate.ReasonRepeat:
		return "still open"
	case correlate.ReasonEscalation:
		return "acknowledgement timed out"
	case correlate.ReasonAcknowledged:
		return "somebody took it"
	case correlate.ReasonFlapping:
		return "the condition flaps"
	case correlate.ReasonStorm:
		return "stands for a storm of incidents"
	}
	return r.String()
}

// text is the page in lines for a phone.
func text(p *correlate.Page) string {
	var lines []string
	line := func(format string, args ...any) {
		lines = append(lines, cut(fmt.Sprintf(format, args...), maxAlert))
	}
	line("%s, %s", firing(p), counted(p.Events, "event", "events"))
	if p.FirstEvent != 0 {
		line("since %s (%s)", minute(p.FirstEvent), lasted(end(p), p.FirstEvent))
	}
	if len(p.Services) > 1 {
		line("services: %s", names(p.Services))
	}
	line("why now: %s", why(p.Reason))
	for i, a := range p.Top {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, alertLine(&a)))
	}
	if n := p.Alerts; n > uint64(len(p.Top)) && len(p.Top) > 0 {
		line("and %s", counted(n-uint64(len(p.Top)), "more alert", "more alerts"))
	}
	for _, f := range []struct{ name, value string }{
		{"owner", p.Owner}, {"priority", p.Priority}, {"assigned to", p.Assignee}, {"note", p.Note},
	} {
		if f.value != "" {
			line("%s: %s", f.name, f.value)
		}
	}
	if p.Runbook != "" {
		lines = append(lines, "runbook: "+p.Runbook)
	}
	line("scope %s, rule %s, incident %s revision %d", p.Scope, p.Rule, p.ID, p.Revision)
	return strings.Join(lines, "\n")
}

// alertLine is one alert in a line.
func alertLine(a *correlate.PageAlert) string {
	state := a.Severity.String()
	if a.Status == correlate.Resolved {
		state = "resolved"
	}
	parts := []string{state}
	for _, s := range []string{a.Service, a.Entity, a.Check} {
		if s != "" {
			parts = append(parts, cut(s, 60))
		}
	}
	line := strings.Join(parts, " ")
	if a.Summary != "" {
		line += ": " + a.Summary
	}
	tail := " (x" + grouped(a.Events) + " since " + minute(a.First) + ")"
	return cut(line, maxAlert-len("9. ")-len(tail)) + tail
}

// firing says how many of the alerts hold.
func firing(p *correlate.Page) string {
	if p.Firing == p.Alerts {
		return counted(p.Alerts, "alert", "alerts") + " firing"
	}
	return grouped(p.Firing) + " of " + counted(p.Alerts, "alert", "alerts") + " firing"
}

func names(all []string) string {
	if len(all) <= maxNames {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:maxNames], ", ") + " and " + strconv.Itoa(len(all)-maxNames) + " more"
}

// lasted is the time from first to last in its two largest units: 3d4h, 1h5m, 12m, 40s.
func lasted(last, first correlate.Time) string {
	d := max(last.Sub(first).Std(), 0).Truncate(time.Second)
	days, hours, minutes := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm", minutes)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func minute(t correlate.Time) string { return t.Std().Format("2006-01-02 15:04 UTC") }

func counted(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes n with a comma between thousands.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cut makes s one line of at most n characters; what is cut off shows as an ellipsis.
func cut(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	count := 0
	for i := range s {
		if count++; count > n {
			return strings.TrimRight(firstRunes(s[:i], n-1), " ") + "…"
		}
	}
	return s
}

func firstRunes(s string, n int) string {
	count := 0
	for i := range s {
		if count++; count > n {
			return s[:i]
		}
	}
	return s
}
