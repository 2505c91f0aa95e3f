package wire_test

import (
	"bytes"
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
			Raw: raw.RawPartition, At: 5, Finished: true, Next: 10,
			Of: []correlate.RawPartition{raw.RawPartition, {Topic: "x", Partition: 1}}}},
		"rule change": {Kind: correlate.KindRuleChange,
			RuleChange: correlate.RuleChange{Previous: correlate.RuleHash{1}, Hash: correlate.RuleHash{2}}},
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

func FuzzDecode(f *testing.F) {
	for _, r := range samples() {
		f.Add(wire.Append(nil, &r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := wire.Decode(b)
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
