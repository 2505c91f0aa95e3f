package page

import (
	"strings"

	"quell/correlate"
)

// Bounds of PagerDuty's Events API v2, in characters. It refuses longer summaries; the bounds of
// the other texts are ours.
const (
	maxPagerDutySummary = 1024
	maxPagerDutyField   = 255
)

// pagerDutyForm is an event of the Events API v2
// (https://developer.pagerduty.com/docs/events-api-v2/trigger-events/).
type pagerDutyForm struct {
	RoutingKey string           `json:"routing_key,omitempty"`
	Action     string           `json:"event_action"`
	DedupKey   string           `json:"dedup_key"`
	Client     string           `json:"client"`
	Payload    pagerDutyPayload `json:"payload"`
	Links      []pagerDutyLink  `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string           `json:"summary"`
	Source    string           `json:"source"`
	Severity  string           `json:"severity"`
	Timestamp correlate.Time   `json:"timestamp"`
	Component string           `json:"component,omitempty"`
	Group     string           `json:"group,omitempty"`
	Class     string           `json:"class,omitempty"`
	Details   pagerDutyDetails `json:"custom_details"`
}

// pagerDutyDetails is shown as a table of names and values.
type pagerDutyDetails struct {
	Reason     string         `json:"reason"`
	Firing     string         `json:"firing"`
	Events     uint64         `json:"events"`
	Alerts     uint64         `json:"alerts"`
	Since      correlate.Time `json:"since"`
	Services   string         `json:"services,omitempty"`
	TopAlerts  []string       `json:"top_alerts,omitempty"`
	Owner      string         `json:"owner,omitempty"`
	Priority   string         `json:"priority,omitempty"`
	Runbook    string         `json:"runbook,omitempty"`
	Note       string         `json:"note,omitempty"`
	Scope      string         `json:"scope"`
	Rule       string         `json:"rule"`
	State      string         `json:"state"`
	Incident   string         `json:"incident"`
	Revision   uint32         `json:"revision"`
	DetectedAt correlate.Time `json:"detected"`
	OpenedAt   correlate.Time `json:"opened"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func pagerDutyEvent(p *correlate.Page, routingKey string) *pagerDutyForm {
	out := &pagerDutyForm{
		RoutingKey: routingKey,
		Action:     pagerDutyAction(p),
		DedupKey:   p.ID,
		Client:     "quell",
		Payload: pagerDutyPayload{
			Summary:   pagerDutySummary(p),
			Source:    pagerDutySource(p),
			Severity:  p.Severity.String(),
			Timestamp: p.At,
			Component: cut(p.Service, maxPagerDutyField),
			Group:     cut(p.Scope, maxPagerDutyField),
			Details:   details(p),
		},
	}
	if len(p.Top) > 0 {
		out.Payload.Class = cut(p.Top[0].Check, maxPagerDutyField)
	}
	out.Links = links(p)
	return out
}

// pagerDutyAction maps what quell says to what PagerDuty understands. A page about an acknowledged
// incident that is not over is a trigger: PagerDuty adds it to the open incident without notifying
// again.
func pagerDutyAction(p *correlate.Page) string {
	switch {
	case over(p):
		return "resolve"
	case p.Reason == correlate.ReasonAcknowledged:
		return "acknowledge"
	}
	return "trigger"
}

// pagerDutySummary is the title without the severity, which PagerDuty shows itself.
func pagerDutySummary(p *correlate.Page) string {
	summary := p.Summary
	if summary == "" {
		summary = counted(p.Alerts, "alert", "alerts")
	}
	line := cut(where(p), maxPagerDutyField) + ": " + summary
	if tail := tail(p); tail != "" {
		return cut(line, maxPagerDutySummary-len(tail)-3) + " (" + tail + ")"
	}
	return cut(line, maxPagerDutySummary)
}

// pagerDutySource is where it happens: the entity of the worst alert, else its service.
func pagerDutySource(p *correlate.Page) string {
	for _, a := range p.Top {
		if a.Entity != "" {
			return cut(a.Entity, maxPagerDutyField)
		}
	}
	if source := cut(where(p), maxPagerDutyField); source != "" {
		return source
	}
	return "quell"
}

func details(p *correlate.Page) pagerDutyDetails {
	d := pagerDutyDetails{
		Reason: why(p.Reason), Firing: firing(p), Events: p.Events, Alerts: p.Alerts,
		Since: p.FirstEvent, Owner: p.Owner, Priority: p.Priority, Runbook: p.Runbook,
		Note: p.Note, Scope: p.Scope, Rule: p.Rule, State: p.State.String(), Incident: p.ID,
		Revision: p.Revision, DetectedAt: p.Detected, OpenedAt: p.Opened,
		Services: strings.Join(p.Services, ", "),
	}
	for _, a := range p.Top {
		d.TopAlerts = append(d.TopAlerts, alertLine(&a))
	}
	return d
}

// links are the runbook and the addresses that the top alerts gave, each once. Addresses of events
// come from outside: only web addresses become links.
func links(p *correlate.Page) []pagerDutyLink {
	var out []pagerDutyLink
	seen := map[string]bool{}
	add := func(href, text string) {
		web := strings.HasPrefix(href, "https://") || strings.HasPrefix(href, "http://")
		if web && !seen[href] {
			seen[href] = true
			out = append(out, pagerDutyLink{Href: href, Text: cut(text, maxPagerDutyField)})
		}
	}
	add(p.Runbook, "runbook")
	for _, a := range p.Top {
		add(a.URL, strings.TrimSpace("alert: "+a.Service+" "+a.Check))
	}
	return out
}
