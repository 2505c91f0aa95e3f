package correlate

import (
	"encoding/hex"
	"fmt"
)

// Fingerprint is the identity of an alert: the keyed SipHash-2-4-128 of its length-delimited
// dedup key. It is stable across processes, machines and releases.
type Fingerprint [16]byte

// String returns 32 lower-case hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText returns the hexadecimal form.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads the hexadecimal form.
func (f *Fingerprint) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(f[:], b[:min(len(b), 2*len(f))]); err != nil || n != len(f) || len(b) != 2*n {
		return fmt.Errorf("fingerprint %q: want %d hexadecimal digits", b, 2*len(f))
	}
	return nil
}

// RawPartition names one partition of a raw topic (or of the responses topic).
type RawPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// RawPosition names one record: a position in a raw partition. Positions name everything that
// quell emits, so that repeats are harmless.
type RawPosition struct {
	RawPartition
	Offset int64 `json:"offset"`
}

// Label is one name and value. Label lists are sorted by name and have no name twice.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Event is one statement by a monitoring system, decoded.
//
// The strings and labels of an event may be views into memory that its decoder owns; they live
// until the decoder's next batch. Whatever outlives that is copied.
type Event struct {
	ID       string // the producer's own id, or ""
	DedupKey string // explicit identity, or "": then scope, service, entity, check and labels
	Time     Time   // when it happened; clamped to record time +- max_skew
	Scope    string // tenant or environment that correlation stays inside
	Source   string // the system that said it
	Service  string
	Entity   string
	Check    string
	Severity Severity
	Status   Status
	Summary  string
	URL      string
	Value    string
	Labels   []Label // sorted by name, names unique
}
