package archive_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

// storm returns events as a storm has them: few services, some thousand alerts, four labels.
func storm(n int) []correlate.Event {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]correlate.Event, n)
	for i := range out {
		a := int(r.ExpFloat64()*300) % 5000
		out[i] = correlate.Event{ID: fmt.Sprintf("%08x-%d", r.Uint32(), i),
			Time: correlate.Time(1_700_000_000_000 + i/10), Scope: "default",
			Source:  []string{"prometheus", "zabbix"}[i&1],
			Service: fmt.Sprintf("service-%d", a%200),
			Entity:  fmt.Sprintf("host-%d.eu-west-1.example.internal", a%2000),
			Check:   fmt.Sprintf("check_%d", a%60), Severity: correlate.Severity(1 + a%4),
			Status:  correlate.Firing,
			Summary: fmt.Sprintf("p99 latency above threshold on host %d: %d ms", a%2000, a),
			Value:   fmt.Sprint(r.IntN(5000)),
			Labels: []correlate.Label{{Name: "env", Value: "production"},
				{Name: "pod", Value: fmt.Sprintf("pod-%x", a*7919)},
				{Name: "region", Value: "eu-west-1"}, {Name: "team", Value: fmt.Sprintf("team-%d", a%200)}}}
	}
	return out
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}

func BenchmarkBuildAndAppend(b *testing.B) {
	for _, batch := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			events, o := storm(batch), archivetest.Origin("raw", 0)
			eb := archive.NewEventsBuilder()
			var dst []byte
			sections := make([]archive.Section, 1)
			b.ReportAllocs()
			for b.Loop() {
				eb.Reset()
				for i := range events {
					eb.Append(&events[i], &archive.Stamp{Offset: int64(i), Received: events[i].Time,
						Verdict: correlate.VerdictDuplicate})
				}
				sections[0] = eb.Section(o)
				e := archive.Envelope{Origin: o, To: int64(batch), Sections: sections}
				dst = e.Append(dst[:0])
			}
			perRow(b, batch)
			b.ReportMetric(float64(len(dst))/float64(batch), "bytes/row")
		})
	}
}

// envelopes returns the record values of n storm events in batches.
func envelopes(n, batch int) (values [][]byte) {
	events, o := storm(n), archivetest.Origin("raw", 0)
	eb := archive.NewEventsBuilder()
	for from := 0; from < n; from += batch {
		eb.Reset()
		for i := from; i < from+batch; i++ {
			eb.Append(&events[i], &archive.Stamp{Offset: int64(i), Received: events[i].Time})
		}
		e := archive.Envelope{Origin: o, From: int64(from), To: int64(from + batch),
			Sections: []archive.Section{eb.Section(o)}}
		values = append(values, e.Append(nil))
	}
	return values
}

func BenchmarkDecode(b *testing.B) {
	for _, batch := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			values := envelopes(100_000, batch)
			b.ReportAllocs()
			for b.Loop() {
				for _, v := range values {
					if _, err := archive.Decode(v); err != nil {
						b.Fatal(err)
					}
				}
			}
			perRow(b, 100_000)
		})
	}
}

func BenchmarkNative(b *testing.B) {
	for _, batch := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			var sections []archive.Section
			for _, v := range envelopes(100_000, batch) {
				e, err := archive.Decode(v)
				if err != nil {
					b.Fatal(err)
				}
				sections = append(sections, e.Sections...)
			}
			var n archive.Native
			b.ReportAllocs()
			for b.Loop() {
				if err := n.Build(sections); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b, 100_000)
			size := 0
			for _, piece := range n.Pieces {
				size += len(piece)
			}
			b.ReportMetric(float64(size)/100_000, "bytes/row")
		})
	}
}
