package clickhouse

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"quell/correlate"
)

// ExportedIncident is an incident with its history, its alerts and the positions of its events.
type ExportedIncident struct {
	ID           string             `json:"id"`
	Scope        string             `json:"scope"`
	Rule         string             `json:"rule"`
	Group        []correlate.Label  `json:"group"`
	Severity     string             `json:"severity"`
	State        string             `json:"state"`
	FirstEvent   correlate.Time     `json:"first_event"`
	Opened       correlate.Time     `json:"opened"`
	Paged        correlate.Time     `json:"paged"` // null when never, as the two below
	Acknowledged correlate.Time     `json:"acknowledged"`
	Resolved     correlate.Time     `json:"resolved"`
	Revisions    []ExportedRevision `json:"revisions"`
	Pages        []ExportedPage     `json:"pages"`
	Alerts       []ExportedAlert    `json:"alerts"`

	// Positions are the raw positions of the incident's events, ascending.
	Positions map[correlate.RawPartition][]int64 `json:"-"`
}

// ExportedRevision is one revision of an incident.
type ExportedRevision struct {
	Revision uint32         `json:"revision"`
	At       correlate.Time `json:"at"`
	State    string         `json:"state"`
	Severity string         `json:"severity"`
}

// ExportedPage is one page about an incident.
type ExportedPage struct {
	At       correlate.Time `json:"at"`
	Reason   string         `json:"reason"`
	Revision uint32         `json:"revision"`
	Severity string         `json:"severity"`
}

// ExportedAlert is one member of an incident. First and last are event times of the events that
// came while it was a member (of its records, when all of those went to another incident); late is
// how many of its records came as late evidence.
type ExportedAlert struct {
	Fingerprint correlate.Fingerprint `json:"fingerprint"`
	Service     string                `json:"service"`
	Entity      string                `json:"entity"`
	Check       string                `json:"check"`
	First       correlate.Time        `json:"first"`
	Last        correlate.Time        `json:"last"`
	Events      uint64                `json:"events"`
	Late        uint64                `json:"late"`
}

// Incidents reads all incidents, attributes all events (see attribute.go) and returns the incidents
// in the order of (opened, id). It holds them in memory, with eight bytes an event.
func (c *Client) Incidents(ctx context.Context) (iter.Seq[*ExportedIncident], error) {
	x := export{byID: map[string]int{}, client: c}
	for _, step := range []func(context.Context) error{x.incidents, x.pages, x.covers, x.events} {
		if err := step(ctx); err != nil {
			return nil, c.fault("incidents", err)
		}
	}
	x.finish()
	return func(yield func(*ExportedIncident) bool) {
		for i := range x.all {
			if !yield(&x.all[i].ExportedIncident) {
				return
			}
		}
	}, nil
}

// export is the state of one export.
type export struct {
	client *Client
	all    []exporting
	byID   map[string]int // index into all
	spans  map[span][]cover
}

// exporting is an incident while its events are attributed.
type exporting struct {
	ExportedIncident
	members map[correlate.Fingerprint]*member
	over    correlate.Time // when it was resolved, or the end of time
}

// member is an alert of an incident while its events are attributed.
type member struct {
	ExportedAlert
	since, last correlate.Time // of its records
}

const endOfTime = correlate.Time(1<<63 - 1)

// incidents reads all revisions.
func (x *export) incidents(ctx context.Context) error {
	rows, err := x.client.root.Query(ctx, "SELECT incident, revision, at, scope, rule, "+
		"mapKeys(`group`), mapValues(`group`), toString(state), toString(severity), first_event, "+
		"opened, paged, acknowledged, resolved FROM "+x.client.table("incident_revisions")+
		" ORDER BY incident, revision")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var in ExportedIncident
		var rev ExportedRevision
		var keys, values []string
		var at, first, opened time.Time
		var paged, acknowledged, resolved *time.Time
		if err := rows.Scan(&in.ID, &rev.Revision, &at, &in.Scope, &in.Rule, &keys, &values,
			&in.State, &in.Severity, &first, &opened, &paged, &acknowledged, &resolved); err != nil {
			return err
		}
		in.Group = make([]correlate.Label, len(keys))
		for i := range keys {
			in.Group[i] = correlate.Label{Name: keys[i], Value: values[i]}
		}
		in.FirstEvent, in.Opened = correlate.TimeOf(first), correlate.TimeOf(opened)
		in.Paged, in.Acknowledged, in.Resolved = timeOf(paged), timeOf(acknowledged), timeOf(resolved)
		rev.At, rev.State, rev.Severity = correlate.TimeOf(at), in.State, in.Severity
		x.add(in, rev)
	}
	return rows.Err()
}

func timeOf(t *time.Time) correlate.Time {
	if t == nil {
		return 0
	}
	return correlate.TimeOf(*t)
}

// add keeps the latest revision of an incident and the list of all.
func (x *export) add(in ExportedIncident, rev ExportedRevision) {
	i, ok := x.byID[in.ID]
	if !ok {
		i = len(x.all)
		x.byID[in.ID] = i
		x.all = append(x.all, exporting{members: map[correlate.Fingerprint]*member{}})
		in.Positions = map[correlate.RawPartition][]int64{}
		in.Pages = []ExportedPage{}
	} else {
		in.Positions, in.Pages = x.all[i].Positions, x.all[i].Pages
	}
	in.Revisions = append(x.all[i].Revisions, rev)
	x.all[i].ExportedIncident = in
	x.all[i].over = endOfTime
	if in.State == correlate.ResolvedDone.String() && in.Resolved != 0 {
		x.all[i].over = in.Resolved
	}
}

func (x *export) pages(ctx context.Context) error {
	rows, err := x.client.root.Query(ctx, "SELECT incident, at, toString(reason), revision, "+
		"toString(severity) FROM "+x.client.table("pages")+" ORDER BY incident, revision")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at time.Time
		var p ExportedPage
		if err := rows.Scan(&id, &at, &p.Reason, &p.Revision, &p.Severity); err != nil {
			return err
		}
		p.At = correlate.TimeOf(at)
		if i, ok := x.byID[id]; ok {
			x.all[i].Pages = append(x.all[i].Pages, p)
		}
	}
	return rows.Err()
}

// finish puts everything in its order.
func (x *export) finish() {
	for i := range x.all {
		in := &x.all[i]
		in.Alerts = make([]ExportedAlert, 0, len(in.members))
		for _, m := range in.members {
			if m.Events == 0 {
				m.First, m.Last = m.since, m.last
			}
			in.Alerts = append(in.Alerts, m.ExportedAlert)
		}
		slices.SortFunc(in.Alerts, func(a, b ExportedAlert) int {
			return cmp.Or(cmp.Compare(a.First, b.First),
				slices.Compare(a.Fingerprint[:], b.Fingerprint[:]))
		})
		for _, offsets := range in.Positions {
			slices.Sort(offsets)
		}
	}
	slices.SortFunc(x.all, func(a, b exporting) int {
		return cmp.Or(cmp.Compare(a.Opened, b.Opened), strings.Compare(a.ID, b.ID))
	})
}
