package pipeline

import (
	"fmt"
	"math/rand/v2"
	"strings"
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

// A block that the archive would refuse, or that no producer takes, is not made: the error names the
// records that it is about.
func TestBlocksThatNobodyTakesAreRefused(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, c := range []struct {
		name       string
		rows, text int
		want       string
	}{
		{"too many rows", archive.MaxRows + 1, 0, "1000001 rows of dispositions"},
		{"too many bytes to unpack", 60, 5 << 20, "when unpacked: at most 251658240"},
		{"too many bytes to produce", 12, 5 << 20, "a producer takes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := newOutputs(&Options{Topics: Topics{Alerts: "quell.alerts", Dispositions: "quell.dispositions"}}, 3)
			out.from = 7
			text := make([]byte, c.text)
			for range c.rows {
				_, _ = random.Read(text)
				fx := correlate.Effects{Disposed: []correlate.Disposed{{Offset: 7,
					Alert: &correlate.Alert{Entity: string(text)}}}}
				if err := out.add(&fx, 8); err != nil {
					t.Fatal(err)
				}
			}
			_, err := out.records()
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "the records [7, 8) of quell.alerts/3") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
