package wire_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"quell/correlate"
	"quell/correlate/wire"
)

func samples() map[string]correlate.Record {
	raw := correlate.RawPosition{Offset: 9}
	raw.Topic, raw.Partition = "raw", 3
	return map[string]correlate.Record{
		"alert": {Kind: correlate.KindAlert, Alert: &correlate.Alert{
			Fingerprint: correlate.Fingerprint{1, 2, 3}, Raw: raw, FirstOffset: 4, Episode: 1,
			Epoch: 77, Verdict: correlate.VerdictUpdate, Flush: true, Scope: "default",
			Source: "prom", Service: "checkout", Entity: "pod-1", Check: "latency",
			Severity: correlate.Critical, Status: correlate.Firing, Summary: "sümmary",
			Labels: []correlate.Label{{Name: "a", Value: "b"}, {Name: "c", Value: ""}},
			First:  -5, Since: 6, Last: 7, Received: 8, Count: 10, Behind: 2}},
		"tick": {Kind: correlate.KindTick, Tick: correlate.Tick{At: 123}},
		"response": {Kind: correlate.KindResponse, Response: &correlate.Response{Raw: raw,
			Incident: "0-ab", Action: correlate.ActionAssign, By: "ada", At: 1, Note: "n", To: "bo"}},
		"watermark": {Kind: correlate.KindWatermark, Watermark: &correlate.Watermark{
			Raw: raw.RawPartition, At: 5, Finished: true, Next: 10, Said: 1_700_000_000_000,
			Of: []correlate.RawPartition{raw.RawPartition, {Topic: "x", Partition: 1}}}},
		"old watermark": {Kind: correlate.KindWatermark, Watermark: &correlate.Watermark{
			Raw: raw.RawPartition, At: 5, Idle: true, Next: 10}},
		"rule change": {Kind: correlate.KindRuleChange,
			RuleChange: correlate.RuleChange{Previous: correlate.RuleHash{1}, Hash: correlate.RuleHash{2}}},
		"rule command": {Kind: correlate.KindRuleChange, RuleChange: correlate.RuleChange{
			Previous: correlate.RuleHash{1}, Hash: correlate.RuleHash{2}, Explicit: true}},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) {
			b := wire.Append(nil, &r)
			got, err := wire.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, r) {
				t.Fatalf("got %+v, want %+v", got, r)
			}
			for n := range b {
				if _, err := wire.Decode(b[:n]); err == nil {
					t.Fatalf("the first %d of %d bytes were accepted", n, len(b))
				}
			}
			if _, err := wire.Decode(append(b, 0)); err == nil {
				t.Fatal("a trailing byte was accepted")
			}
		})
	}
}

// The form of a rule change is older than commands: what was written before must be read.
func TestARuleChangeKeepsItsForm(t *testing.T) {
	change := samples()["rule change"]
	want := append(append([]byte{1, 5, 1}, make([]byte, 15)...), append([]byte{2}, make([]byte, 15)...)...)
	if got := wire.Append(nil, &change); !bytes.Equal(got, want) {
		t.Fatalf("% x, want % x", got, want)
	}
}

// A Decoder reads what Decode reads, into the same memory again and again.
func TestADecoderUsesItsMemoryAgain(t *testing.T) {
	var d wire.Decoder
	var values [][]byte
	for range 300 {
		for _, r := range samples() {
			if r.Kind == correlate.KindAlert {
				values = append(values, wire.Append(nil, &r))
			}
		}
	}
	batch := func() {
		d.Reset()
		for _, v := range values {
			if _, err := d.Decode(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	batch()
	batch()
	if n := testing.AllocsPerRun(5, batch); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Integers of every length are read as encoding/binary reads them, with and without bytes behind.
func TestIntegers(t *testing.T) {
	for shift := range 64 {
		for _, v := range []uint64{1 << shift, 1<<shift - 1, 1<<shift + 1, 0x5555555555555555 >> shift, ^uint64(0) >> shift} {
			for _, behind := range []int{0, 1, 7, 20} {
				b := append(binary.AppendUvarint(nil, v), bytes.Repeat([]byte{0xff}, behind)...)
				d := wire.Reader{Src: b}
				if got := d.Uint(); got != v || d.Err != nil || len(d.Src) != behind {
					t.Fatalf("%x: %x, %v, %d bytes left of %d", b, got, d.Err, len(d.Src), behind)
				}
				b = append(binary.AppendVarint(nil, -int64(v)), b...)
				d = wire.Reader{Src: b}
				if got := d.Int(); got != -int64(v) || d.Err != nil {
					t.Fatalf("%x: %d, %v", b, got, d.Err)
				}
			}
		}
	}
	for _, b := range [][]byte{{}, {0x80}, bytes.Repeat([]byte{0x80}, 9), bytes.Repeat([]byte{0xff}, 11)} {
		d := wire.Reader{Src: b}
		if got := d.Uint(); got != 0 || d.Err == nil || d.Int() != 0 || d.Byte() != 0 || d.String() != "" {
			t.Errorf("%x: %d, %v", b, got, d.Err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range samples() {
		f.Add(wire.Append(nil, &r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := wire.Decode(b)
		var d wire.Decoder
		for range 2 {
			d.Reset()
			view, same := d.Decode(b)
			if (err == nil) != (same == nil) || err == nil && !reflect.DeepEqual(r, view) {
				t.Fatalf("%x: decoded %+v, %v, as a view %+v, %v", b, r, err, view, same)
			}
		}
		if err != nil {
			return
		}
		again, err := wire.Decode(wire.Append(nil, &r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%x: decoded %+v, again %+v, %v", b, r, again, err)
		}
		if !bytes.Equal(wire.Append(nil, &r), wire.Append(nil, &again)) {
			t.Fatal("not canonical")
		}
	})
}
