package clickhouse_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/sinks/clickhouse"
)

const (
	isNew, isUpdate  = correlate.VerdictNew, correlate.VerdictUpdate
	isDuplicate      = correlate.VerdictDuplicate
	isChanged, isCut = correlate.VerdictChanged, correlate.VerdictDropped
)

// attributed is a history of two incidents, A until second 100 and B from 200 on, and five alerts
// whose events show each way in which an event finds its incident.
func attributed() *history {
	h := newHistory()
	a := incident("0-a", "r1", "s", correlate.Critical, 10, 10)
	h.revise(a, 10, correlate.Pending, correlate.CauseOpened, 0)
	a.Paged = at(40)
	h.revise(a, 40, correlate.Open, correlate.CauseGroupWait, correlate.ReasonFirst)
	a.ResolvedAt = at(100)
	h.revise(a, 100, correlate.ResolvedDone, correlate.CauseAllResolved, 0)
	b := incident("0-b", "r1", "s", correlate.Error, 60, 200)
	h.revise(b, 200, correlate.Pending, correlate.CauseOpened, 0)

	for _, e := range []struct {
		offset  int64
		seconds int
		fp      byte
		verdict correlate.Verdict
	}{
		{0, 10, 1, isNew},        // makes the record of A
		{1, 20, 1, isDuplicate},  // came while A was its incident
		{2, 30, 1, isDuplicate},  //
		{3, 40, 1, isUpdate},     // makes a record of A
		{4, 50, 1, isDuplicate},  // covered by the record of B, but A was not over
		{5, 150, 1, isDuplicate}, // A was over: B, which counts it
		{6, 200, 1, isChanged},   // makes the record of B
		{7, 210, 1, isDuplicate}, // no record covers it yet: B
		{8, 220, 1, isCut},       // dropped: nowhere
		{10, 10, 2, isNew},       // an orphan resolve: nowhere
		{11, 11, 2, isDuplicate}, //
		{20, 20, 3, isNew},       // late evidence of A
		{21, 30, 3, isDuplicate}, // a trailing count covers it
		{22, 40, 3, isDuplicate}, // and this not
		{30, 20, 4, isNew},       // makes the record of A
		{31, 60, 4, isChanged},   // makes the record of B, while A is not over
		{40, 50, 5, isNew},       // only the record of B covers it: B counts it
	} {
		h.event(e.offset, e.seconds, e.fp, "s", correlate.Error, e.verdict)
	}
	for _, r := range []struct {
		upTo     int64
		seconds  int
		fp       byte
		became   correlate.Disposition
		incident string
		flush    bool
	}{
		{0, 10, 1, correlate.Joined, "0-a", false},
		{3, 40, 1, correlate.Joined, "0-a", false},
		{6, 200, 1, correlate.Joined, "0-b", false},
		{10, 10, 2, correlate.OrphanResolve, "", false},
		{20, 20, 3, correlate.Late, "0-a", false},
		{21, 30, 3, correlate.Late, "0-a", true},
		{30, 20, 4, correlate.Transient, "0-a", false},
		{31, 60, 4, correlate.BelowSeverity, "0-b", false},
		{40, 50, 5, correlate.OverLimit, "0-b", false},
	} {
		h.record(correlate.Disposed{At: at(r.seconds), Disposition: r.became, Incident: r.incident},
			r.upTo, r.fp, "s", correlate.Error, r.flush)
	}
	return h
}

func exported(t testing.TB, c *clickhouse.Client) (out []*clickhouse.ExportedIncident) {
	t.Helper()
	all, err := c.Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for in := range all {
		out = append(out, in)
	}
	return out
}

func TestEventsFindTheirIncident(t *testing.T) {
	for _, way := range ways[:3:3] {
		t.Run(way.name, func(t *testing.T) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			c := migrated(t, o)
			attributed().insert(t, c)
			got := exported(t, c)
			if len(got) != 2 {
				t.Fatalf("%d incidents, want 2", len(got))
			}
			raw := correlate.RawPartition{Topic: "raw"}
			for i, want := range [][]int64{{0, 1, 2, 3, 4, 20, 21, 22, 30}, {5, 6, 7, 31, 40}} {
				if !reflect.DeepEqual(got[i].Positions[raw], want) || len(got[i].Positions) != 1 {
					t.Errorf("events of %s: %v, want %v", got[i].ID, got[i].Positions, want)
				}
			}
		})
	}
}

const wantA = `{"id":"0-a","scope":"default","rule":"r1","group":[{"name":"service","value":"s"},` +
	`{"name":"entity","value":"x"}],"severity":"critical","state":"resolved",` +
	`"first_event":"2026-11-02T10:00:10.000Z","opened":"2026-11-02T10:00:10.000Z",` +
	`"paged":"2026-11-02T10:00:40.000Z","acknowledged":null,"resolved":"2026-11-02T10:01:40.000Z",` +
	`"revisions":[` +
	`{"revision":1,"at":"2026-11-02T10:00:10.000Z","state":"pending","severity":"critical"},` +
	`{"revision":2,"at":"2026-11-02T10:00:40.000Z","state":"open","severity":"critical"},` +
	`{"revision":3,"at":"2026-11-02T10:01:40.000Z","state":"resolved","severity":"critical"}],` +
	`"pages":[{"at":"2026-11-02T10:00:40.000Z","reason":"first","revision":2,` +
	`"severity":"critical"}],"alerts":[` +
	`{"fingerprint":"01000000000000000000000000000000","service":"s","entity":"pod-s",` +
	`"check":"latency","first":"2026-11-02T10:00:10.000Z","last":"2026-11-02T10:00:50.000Z",` +
	`"events":5,"late":0},` +
	`{"fingerprint":"03000000000000000000000000000000","service":"s","entity":"pod-s",` +
	`"check":"latency","first":"2026-11-02T10:00:20.000Z","last":"2026-11-02T10:00:40.000Z",` +
	`"events":3,"late":2},` +
	`{"fingerprint":"04000000000000000000000000000000","service":"s","entity":"pod-s",` +
	`"check":"latency","first":"2026-11-02T10:00:20.000Z","last":"2026-11-02T10:00:20.000Z",` +
	`"events":1,"late":0}]}`

func TestExportedForm(t *testing.T) {
	c := migrated(t, options())
	attributed().insert(t, c)
	got, err := json.Marshal(exported(t, c)[0])
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != wantA {
		t.Errorf("got  %s\nwant %s", got, wantA)
	}
}

func TestIncidentsAreInTheOrderOfOpening(t *testing.T) {
	c := migrated(t, options())
	h := newHistory()
	for _, in := range []struct {
		id     string
		opened int
	}{{"0-c", 5}, {"1-a", 9}, {"0-b", 9}, {"0-z", 1}} {
		h.revise(incident(in.id, "r", "s", correlate.Info, 0, in.opened), in.opened,
			correlate.Pending, correlate.CauseOpened, 0)
	}
	h.insert(t, c)
	var got []string
	for _, in := range exported(t, c) {
		got = append(got, in.ID)
	}
	if want := []string{"0-z", "0-c", "0-b", "1-a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// BenchmarkIncidents exports 600,000 events of 20,000 alerts in 200 incidents.
func BenchmarkIncidents(b *testing.B) {
	c := migrated(b, options())
	h := newHistory()
	for i := range 200 {
		in := incident(fmt.Sprintf("0-%d", i), "r", "s", correlate.Error, i, i)
		h.revise(in, i, correlate.Pending, correlate.CauseOpened, 0)
	}
	var fp correlate.Fingerprint
	for i := range int64(600_000) {
		fp[0], fp[1], fp[2] = byte(i%20_000), byte(i%20_000>>8), byte(i%7)
		ev := correlate.Event{Time: at(int(i)), Service: "s"}
		s := archive.Stamp{Offset: i, Received: at(int(i)), Verdict: isDuplicate, Fingerprint: fp}
		h.events.Append(&ev, &s)
		if i%6 == 0 {
			a := &correlate.Alert{Fingerprint: fp, Service: "s"}
			a.Raw.Topic, a.Raw.Offset = "raw", i
			h.dispositions.Append(&correlate.Disposed{Offset: i, Alert: a,
				Disposition: correlate.Joined, Incident: fmt.Sprintf("0-%d", i%200)})
		}
	}
	h.rejected.Append(&archive.Rejection{})
	h.pages.Append(&correlate.Page{}, 0)
	h.insert(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(exported(b, c)); n != 200 {
			b.Fatal(n)
		}
	}
}

// BenchmarkInsert is the way from sections to the engine's parts, in inserts of 100,000 rows.
func BenchmarkInsert(b *testing.B) {
	const rows = 100_000
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			o := options()
			o.Address, o.Compress = way.address(), way.compress
			c := migrated(b, o)
			sections := make([]archive.Section, 100)
			for i := range sections {
				sections[i] = archivetest.Events(archivetest.Origin("raw", 0), int64(i)*1000, 1000)
			}
			n := 0
			for b.Loop() {
				n++
				batch := archive.Batch{Table: archive.TableEvents, Token: fmt.Sprint("t", n),
					Sections: sections}
				if err := c.Insert(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
