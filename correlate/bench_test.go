package correlate_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	. "quell/correlate"
)

const benchAlerts = 100_000

// benchRecord is a record about alert i of benchAlerts, 10 of which share a group.
func benchRecord(i int, offset int64, now Time) Record {
	a := &Alert{Scope: "default", Source: "prometheus", Service: fmt.Sprint("service-", i%200),
		Entity: fmt.Sprint("host-", i), Check: "latency", Summary: "latency above 500 ms",
		URL: "https://runbooks.example/latency", Value: "512", Severity: Error, Status: Firing,
		Verdict: VerdictNew, Labels: []Label{{Name: "cluster", Value: fmt.Sprint("c", i/10)}},
		First: now, Since: now, Last: now, Received: now, Count: 1, Episode: offset, FirstOffset: offset}
	binary.BigEndian.PutUint64(a.Fingerprint[:], uint64(i)*0x9e3779b97f4a7c15)
	a.Raw = RawPosition{RawPartition: RawPartition{Topic: "events", Partition: int32(i % 8)},
		Offset: offset}
	return Record{Offset: offset, Time: now, Kind: KindAlert, Alert: a}
}

func benchEngine(b *testing.B) (*Engine, []Record) {
	rule := newRule()
	rule.ResolveAfter, rule.Window.MaxLife = 24*Hour, 24*Hour
	e, err := New(Options{Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: rule}})
	if err != nil {
		b.Fatal(err)
	}
	records := make([]Record, benchAlerts)
	for i := range records {
		records[i] = benchRecord(i, int64(i), base.Add(Duration(i/100)))
	}
	if err := e.Step(records, new(Effects)); err != nil {
		b.Fatal(err)
	}
	return e, records
}

// BenchmarkUpdates: cumulative updates of 100,000 open alerts in 10,000 incidents, in batches.
func BenchmarkUpdates(b *testing.B) {
	e, records := benchEngine(b)
	fx := new(Effects)
	const batch = 500
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i * batch % len(records)
		part := records[at : at+batch]
		b.StopTimer()
		for j := range part {
			r := &part[j]
			r.Offset = e.Position() + int64(j)
			r.Time = base.Add(Duration(r.Offset / 500))
			r.Alert.Verdict, r.Alert.Last = VerdictUpdate, r.Time
			r.Alert.Count++
			r.Alert.Raw.Offset = r.Offset
		}
		fx.Reset()
		b.StartTimer()
		if err := e.Step(part, fx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/alert")
}

// BenchmarkNewAlerts: alerts that nobody has seen, ten to an incident.
func BenchmarkNewAlerts(b *testing.B) {
	rule := newRule()
	o := Options{Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: rule}}
	const batch = 20_000
	records := make([]Record, batch)
	for i := range records {
		records[i] = benchRecord(i, int64(i), base.Add(Duration(i/100)))
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		e, err := New(o)
		if err != nil {
			b.Fatal(err)
		}
		fx := new(Effects)
		b.StartTimer()
		if err := e.Step(records, fx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/alert")
}

// BenchmarkSnapshot: 100,000 alerts in 10,000 incidents.
func BenchmarkSnapshot(b *testing.B) {
	e, _ := benchEngine(b)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Snapshot(dst[:0])
	}
	b.ReportMetric(float64(len(dst)), "snapshot-bytes")
}

// BenchmarkRestore: the same snapshot.
func BenchmarkRestore(b *testing.B) {
	e, _ := benchEngine(b)
	src := e.Snapshot(nil)
	rule := newRule()
	o := Options{Clock: ClockAppend, RuleSet: &oneRule{name: "r1", rule: rule}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Restore(o, src); err != nil {
			b.Fatal(err)
		}
	}
}
