package clickhouse_test

import (
	"reflect"
	"testing"

	"quell/sinks/clickhouse"
)

func wantRows(t *testing.T, c *clickhouse.Client, statement string, want ...[]any) {
	t.Helper()
	if got := ask(t, c, statement); !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %v\nwant %v", statement, got, want)
	}
}

func u(n int) uint64 { return uint64(n) }

func TestResponseTimes(t *testing.T) {
	c := migrated(t, options())
	fourIncidents().insert(t, c)

	wantRows(t, c, "SELECT incident, to_detect, to_acknowledge, to_resolve, never_acknowledged "+
		"FROM incident_times ORDER BY incident",
		[]any{"0-a", 2.0, 60.0, 600.0, uint8(0)},
		[]any{"0-b", 4.0, nil, 1000.0, uint8(1)}, // the last resolution counts
		[]any{"0-c", 6.0, nil, nil, uint8(0)},    // transient: paged by nobody, resolved by itself
		[]any{"0-d", 0.0, 0.0, nil, uint8(0)})    // taken before the page; not over

	const times = "SELECT value, incidents, transients, unresolved, unacknowledged, reopenings, " +
		"mttd_mean, mttd_p50, mttd_p90, mttd_p99, mtta_mean, mtta_p50, mttr_mean, mttr_p50, mttr_p90, " +
		"mttr_p99 FROM response_times WHERE dimension = "
	wantRows(t, c, times+"'all'", []any{"", u(4), u(1), u(1), u(1), u(1),
		3.0, 4.0, 6.0, 6.0, 30.0, 60.0, 800.0, 1000.0, 1000.0, 1000.0})
	wantRows(t, c, times+"'service'",
		[]any{"checkout", u(2), u(1), u(0), u(0), u(0),
			4.0, 6.0, 6.0, 6.0, 60.0, 60.0, 600.0, 600.0, 600.0, 600.0},
		[]any{"payment", u(1), u(0), u(0), u(1), u(1),
			4.0, 4.0, 4.0, 4.0, nil, nil, 1000.0, 1000.0, 1000.0, 1000.0},
		[]any{"search", u(1), u(0), u(1), u(0), u(0),
			0.0, 0.0, 0.0, 0.0, 0.0, 0.0, nil, nil, nil, nil})
	wantRows(t, c, "SELECT dimension, value, incidents FROM response_times "+
		"WHERE dimension IN ('week', 'severity', 'rule')",
		[]any{"rule", "r1", u(2)}, []any{"rule", "r2", u(2)},
		[]any{"severity", "critical", u(2)}, []any{"severity", "error", u(1)},
		[]any{"severity", "warning", u(1)},
		[]any{"week", "2026-11-02", u(3)}, []any{"week", "2026-11-09", u(1)})
}

func TestIncidentsAndTransitions(t *testing.T) {
	c := migrated(t, options())
	fourIncidents().insert(t, c)
	wantRows(t, c, "SELECT incident, revision, state, pages, paged IS NULL FROM incidents "+
		"ORDER BY incident",
		[]any{"0-a", uint32(4), "resolved", uint32(2), uint8(0)},
		[]any{"0-b", uint32(6), "resolved", uint32(2), uint8(0)},
		[]any{"0-c", uint32(2), "resolved", uint32(0), uint8(1)},
		[]any{"0-d", uint32(3), "acknowledged", uint32(1), uint8(0)})
	// The note (revision 5) is a revision, not a transition.
	wantRows(t, c, "SELECT revision, from_state, to_state, cause FROM incident_transitions "+
		"WHERE incident = '0-b' ORDER BY revision",
		[]any{uint32(1), "", "pending", "opened"},
		[]any{uint32(2), "pending", "open", "group_wait"},
		[]any{uint32(3), "open", "resolved", "all_resolved"},
		[]any{uint32(4), "resolved", "open", "reopened"},
		[]any{uint32(6), "open", "resolved", "quiet"})
}

func TestFunnel(t *testing.T) {
	c := migrated(t, options())
	h := fourIncidents()
	h.fillFunnel()
	h.insert(t, c)
	wantRows(t, c, "SELECT dimension, value, events, rejected, duplicates, alerts, incidents, pages, "+
		"round(compression, 4) FROM funnel WHERE dimension != 'severity'",
		[]any{"all", "", u(12), u(2), u(4), u(5), u(4), u(5), 0.6667},
		[]any{"rule", "", u(0), u(0), u(0), u(1), u(0), u(0), 0.0},
		[]any{"rule", "r1", u(7), u(0), u(0), u(2), u(2), u(4), 0.7143},
		[]any{"rule", "r2", u(2), u(0), u(0), u(2), u(2), u(1), 0.0},
		[]any{"scope", "default", u(10), u(0), u(4), u(5), u(4), u(5), 0.6},
		[]any{"service", "checkout", u(6), u(0), u(3), u(2), u(2), u(2), 0.6667},
		[]any{"service", "payment", u(3), u(0), u(1), u(1), u(1), u(2), 0.6667},
		[]any{"service", "search", u(1), u(0), u(0), u(2), u(1), u(1), 0.0})
	wantRows(t, c, "SELECT incident, service, entity, events, records, late FROM incident_alerts "+
		"ORDER BY incident",
		[]any{"0-a", "checkout", "pod-checkout", u(5), u(2), u(0)},
		[]any{"0-b", "payment", "pod-payment", u(2), u(1), u(1)},
		[]any{"0-c", "checkout", "pod-checkout", u(1), u(1), u(0)},
		[]any{"0-d", "search", "pod-search", u(1), u(1), u(0)})

	f, err := c.Funnel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	detect, acknowledge, resolve, third := 4.0, 60.0, 1000.0, 4.0/12
	want := clickhouse.Funnel{Events: 12, Archived: 10, Rejected: 2, Duplicates: 4, Dropped: 1,
		AlertRecords: 6, Alerts: 5, Incidents: 4, Transient: 1, Pages: 5, Compression: 1 - third,
		MTTDp50: &detect, MTTAp50: &acknowledge, MTTRp50: &resolve,
		FirstReceived: at(0), LastReceived: at(401)}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v\nwant %+v", f, want)
	}
}

func TestFunnelOfNothing(t *testing.T) {
	c := migrated(t, options())
	f, err := c.Funnel(t.Context())
	if err != nil || f != (clickhouse.Funnel{}) {
		t.Fatalf("%+v, %v; want zeros, and no figure that does not exist", f, err)
	}
	wantRows(t, c, "SELECT dimension, events, compression FROM funnel", []any{"all", u(0), 0.0})
	wantRows(t, c, "SELECT * FROM response_times")
}
