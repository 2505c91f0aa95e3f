package wire_test

import (
	"testing"

	"quell/correlate"
	"quell/correlate/wire"
)

// BenchmarkAppend and BenchmarkDecode: an alert as intake sends it.
func BenchmarkAppend(b *testing.B) {
	r := samples()["alert"]
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = wire.Append(dst[:0], &r)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecode(b *testing.B) {
	r := samples()["alert"]
	r.Alert.Entity, r.Alert.URL = "checkout-7d9f8b6c5-x2x9k", "https://grafana.example/d/checkout"
	r.Alert.Labels = []correlate.Label{{Name: "cluster", Value: "prod-eu-1"}, {Name: "region", Value: "eu-central-1"}}
	value := wire.Append(nil, &r)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(value); err != nil {
			b.Fatal(err)
		}
	}
}
