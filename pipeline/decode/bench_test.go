package decode

import (
	"bytes"
	"testing"

	"quell/bench/workload"
	"quell/correlate"
)

// alert550 is a native event of about 550 bytes, as the design's numbers are for.
const alert550 = `{"id":"01JD3Q7S2V5K8Z4M9X1B6N0T7R","time":"2026-11-21T08:00:00.123Z",` +
	`"scope":"production","source":"prometheus-eu-1","service":"checkout","entity":"checkout-7d9f8b6c5-x2x9k",` +
	`"check":"http_5xx_rate","severity":"critical","status":"firing",` +
	`"summary":"5xx rate above 5 % for 10 minutes (7.42 %)",` +
	`"url":"https://grafana.example.com/d/abc123/checkout?orgId=1&from=now-1h","value":7.42,` +
	`"labels":{"region":"eu-central-1","cluster":"prod-eu-1","namespace":"checkout","team":"payments",` +
	`"pod":"checkout-7d9f8b6c5-x2x9k","replica":"2"}}`

var benchMeta = RecordMeta{Topic: "alerts.native", Time: 1795248000000}

func benchmarkDecode(b *testing.B, f *Format, payloads ...[]byte) {
	d := f.NewDecoder()
	var ev correlate.Event
	bytes := 0
	for _, p := range payloads {
		if _, rejection := d.Decode(p, benchMeta, &ev); rejection != nil {
			b.Fatalf("%s: %v", p, rejection)
		}
		bytes += len(p)
	}
	b.SetBytes(int64(bytes / len(payloads)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%512 == 0 {
			d.Reset()
		}
		d.Decode(payloads[n%len(payloads)], benchMeta, &ev)
	}
}

func BenchmarkNative(b *testing.B) {
	benchmarkDecode(b, Native(Options{}, KeepUnknown), []byte(alert550))
}

// BenchmarkStorm decodes the events of the storm workload.
func BenchmarkStorm(b *testing.B) {
	l, err := workload.NewLoad(workload.LoadOptions{Events: 2048})
	if err != nil {
		b.Fatal(err)
	}
	var payloads [][]byte
	for value, _, ok := l.Next(); ok; value, _, ok = l.Next() {
		payloads = append(payloads, bytes.Clone(value))
	}
	benchmarkDecode(b, Native(Options{Exact: []string{"cluster"}}, KeepUnknown), payloads...)
}

func BenchmarkWazuhMapping(b *testing.B) {
	var payloads [][]byte
	lines(b, func(line []byte) { payloads = append(payloads, append([]byte(nil), line...)) },
		"storms", "ait-ldsv1-wazuh-raw", "ossec_spiral.json")
	benchmarkDecode(b, compileYAML(b, wazuhSpec), payloads...)
}

func BenchmarkFaultMapping(b *testing.B) {
	var payloads [][]byte
	lines(b, func(line []byte) {
		if len(payloads) < 4096 {
			payloads = append(payloads, append([]byte(nil), line...))
		}
	}, "storms", "fault-alerts", "MicroSS", "alerts.jsonl.gz")
	benchmarkDecode(b, compileYAML(b, faultSpec), payloads...)
}

// BenchmarkUnmapped keeps everything that a real Wazuh line holds as labels: the worst that a
// mapping can ask for.
func BenchmarkUnmapped(b *testing.B) {
	var payloads [][]byte
	lines(b, func(line []byte) { payloads = append(payloads, append([]byte(nil), line...)) },
		"storms", "ait-ldsv1-wazuh-raw", "ossec_spiral.json")
	benchmarkDecode(b, compileYAML(b, "unmapped: labels\nfields: {check: {paths: rule.id}}"), payloads...)
}

// BenchmarkWideObject is the worst that names can do: 16,000 of them with one hash. Each compared
// with each would be 128 million comparisons.
func BenchmarkWideObject(b *testing.B) {
	p, s := []byte(wideObjectJSON(16000, -1)), wideScanner()
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if rejection := s.scan(p, nil); rejection != nil {
			b.Fatal(rejection)
		}
	}
}
