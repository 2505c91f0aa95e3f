//go:build goexperiment.jsonv2

package decode

import (
	"encoding/json/jsontext"
	"testing"
)

// TestOracleAgreesWithV2 holds our reading of strict JSON against encoding/json/v2's.
func TestOracleAgreesWithV2(t *testing.T) {
	for _, s := range strictSeeds {
		compareWithV2(t, []byte(s))
	}
}

// FuzzOracleAgreesWithV2 is the same on whatever the fuzzer finds.
func FuzzOracleAgreesWithV2(f *testing.F) {
	for _, s := range strictSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) { compareWithV2(t, p) })
}

func compareWithV2(t *testing.T, p []byte) {
	t.Helper()
	if len(p) > 4096 {
		return
	}
	_, err := readStrictly(p)
	if got, want := err == nil, jsontext.Value(p).IsValid(); got != want {
		t.Errorf("%q: our oracle accepts: %v (%v), encoding/json/v2: %v", p, got, err, want)
	}
	s := wideScanner()
	rejection := s.scan(p, nil)
	got := rejection == nil || rejection.Reason == NotAnObject
	if want := jsontext.Value(p).IsValid(); got != want {
		t.Errorf("%q: the scanner says %v, encoding/json/v2 accepts: %v", p, rejection, want)
	}
}
