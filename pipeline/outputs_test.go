package pipeline

import (
	"fmt"
	"testing"

	"quell/correlate"
	"quell/correlate/archive"
)

// A transaction is full before its block of rows is larger than a producer takes, also when no word
// comes twice.
func TestTransactionsAreFullInTime(t *testing.T) {
	out := newOutputs(&Options{Topics: Topics{Alerts: "quell.alerts", Dispositions: "quell.dispositions"}}, 0)
	for i := int64(0); !out.large(); i++ {
		word := fmt.Sprintf("%01000d", i)
		a := correlate.Alert{Scope: word, Source: word, Service: word, Check: word}
		fx := correlate.Effects{Disposed: []correlate.Disposed{{Offset: i, Alert: &a}}}
		if err := out.add(&fx, i+1); err != nil {
			t.Fatal(err)
		}
	}
	s := out.disposed.Section(archive.Origin{Topic: "quell.alerts"})
	if size := s.Size(); size < largeBytes/2 || size > 2*largeBytes {
		t.Errorf("full with %d bytes of rows, want about %d", size, largeBytes)
	}
}
