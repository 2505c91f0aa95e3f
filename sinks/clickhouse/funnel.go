package clickhouse

import (
	"context"
	"time"

	"quell/correlate"
)

// Funnel is what became of all that is archived.
type Funnel struct {
	Events       uint64 `json:"events"`        // archived and rejected
	Archived     uint64 `json:"archived"`      // rows of events
	Rejected     uint64 `json:"rejected"`      // rows of rejected
	Duplicates   uint64 `json:"duplicates"`    // events with the verdict duplicate or redelivered
	Dropped      uint64 `json:"dropped"`       // events that a drop rule matched
	AlertRecords uint64 `json:"alert_records"` // statements about alerts that the engine got
	Alerts       uint64 `json:"alerts"`        // distinct fingerprints among them
	Incidents    uint64 `json:"incidents"`
	Transient    uint64 `json:"transient"` // of them, over before anybody was to be paged
	Pages        uint64 `json:"pages"`

	// Compression is 1 - incidents/events, 0 without events.
	Compression float64 `json:"compression"`
	// The means' robust sisters, in seconds; nil without a single such incident.
	MTTDp50 *float64 `json:"mttd_seconds_p50"`
	MTTAp50 *float64 `json:"mtta_seconds_p50"`
	MTTRp50 *float64 `json:"mttr_seconds_p50"`

	// Record timestamps of the first and the last event or rejected record; 0 without any.
	FirstReceived correlate.Time `json:"first_received"`
	LastReceived  correlate.Time `json:"last_received"`
}

// Funnel counts what is in the archive now.
func (c *Client) Funnel(ctx context.Context) (Funnel, error) {
	f, err := c.funnel(ctx)
	if err != nil {
		return Funnel{}, c.fault("funnel", err)
	}
	f.Events = f.Archived + f.Rejected
	if f.Events > 0 {
		f.Compression = 1 - float64(f.Incidents)/float64(f.Events)
	}
	return f, nil
}

func (c *Client) funnel(ctx context.Context) (f Funnel, err error) {
	var first, last, firstRejected, lastRejected *time.Time
	for _, q := range []struct {
		sql  string
		into []any
	}{
		{"SELECT count(), countIf(verdict IN ('duplicate', 'redelivered')), " +
			"countIf(verdict = 'dropped'), minOrNull(received), maxOrNull(received) FROM " +
			c.table("events"), []any{&f.Archived, &f.Duplicates, &f.Dropped, &first, &last}},
		{"SELECT count(), minOrNull(received), maxOrNull(received) FROM " + c.table("rejected"),
			[]any{&f.Rejected, &firstRejected, &lastRejected}},
		{"SELECT count(), uniqExact(fingerprint) FROM " + c.table("dispositions"),
			[]any{&f.AlertRecords, &f.Alerts}},
		{"SELECT count(), countIf(transient), quantileExactOrNull(0.5)(to_detect), " +
			"quantileExactOrNull(0.5)(to_acknowledge), quantileExactOrNull(0.5)(to_resolve) FROM " +
			c.table("incident_times"),
			[]any{&f.Incidents, &f.Transient, &f.MTTDp50, &f.MTTAp50, &f.MTTRp50}},
		{"SELECT count() FROM " + c.table("pages"), []any{&f.Pages}},
	} {
		if err := c.root.QueryRow(ctx, q.sql).Scan(q.into...); err != nil {
			return f, err
		}
	}
	f.FirstReceived = extreme(first, firstRejected, time.Time.Before)
	f.LastReceived = extreme(last, lastRejected, time.Time.After)
	return f, nil
}

// extreme returns the one of a and b that comes first in the order of better; either may be nil.
func extreme(a, b *time.Time, better func(time.Time, time.Time) bool) correlate.Time {
	if a == nil || (b != nil && better(*b, *a)) {
		a = b
	}
	if a == nil {
		return 0
	}
	return correlate.TimeOf(*a)
}
