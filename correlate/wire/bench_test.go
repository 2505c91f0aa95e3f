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

// BenchmarkDecoder: a batch of them, as the engine's owner reads it.
func BenchmarkDecoder(b *testing.B) {
	r := samples()["alert"]
	a := r.Alert
	a.Entity, a.URL = "checkout-7d9f8b6c5-x2x9k", "https://grafana.example/d/checkout"
	a.Labels = []correlate.Label{{Name: "cluster", Value: "prod-eu-1"}, {Name: "region", Value: "eu-central-1"}}
	a.First, a.Since, a.Last, a.Received = 1763700000000, 1763700010000, 1763700012345, 1763700012400
	a.Raw.Offset, a.FirstOffset, a.Episode, a.Epoch = 1234567, 1234000, 123456, 0x1234567890abcdef
	value := wire.Append(nil, &r)
	var d wire.Decoder
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%1024 == 0 {
			d.Reset()
		}
		if _, err := d.Decode(value); err != nil {
			b.Fatal(err)
		}
	}
}
