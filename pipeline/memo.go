package pipeline

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/dgraph-io/ristretto/v2"

	"quell/correlate"
)

// memoised remembers what a rule set said about a label set, so that a storm of repeats evaluates
// its matchers once.
//
// The memory is Ristretto's: it may forget anything at any time, and a Set may never arrive. That
// is why it may remember and must not decide: a forgotten entry is evaluated again, with the same
// answer. The key is xxHash64 over everything that a rule can read and the rule set's hash, so no
// entry outlives a rule change; because two label sets can be made to share a 64-bit hash, an entry
// carries what it was made of, and is used only if that is equal.
type memoised struct {
	correlate.RuleSet
	memo *ristretto.Cache[uint64, memoEntry]
}

type memoEntry struct {
	of         string
	resolution correlate.Resolution
}

// defaultMemoBytes bounds the memo of a process when the configuration does not.
const defaultMemoBytes = 32 << 20

func newMemo(bytes int64) (*ristretto.Cache[uint64, memoEntry], error) {
	if bytes <= 0 {
		bytes = defaultMemoBytes
	}
	memo, err := ristretto.NewCache(&ristretto.Config[uint64, memoEntry]{
		NumCounters: bytes / 32, MaxCost: bytes, BufferItems: 64})
	if err != nil {
		return nil, fmt.Errorf("label set memo of %d bytes: %w", bytes, err)
	}
	return memo, nil
}

// Resolve returns what the rule set says about a.
func (m *memoised) Resolve(a *correlate.Alert) correlate.Resolution {
	var room [512]byte
	of := m.appendKey(room[:0], a)
	key := xxhash.Sum64(of)
	if e, ok := m.memo.Get(key); ok && e.of == string(of) {
		return e.resolution
	}
	r := m.RuleSet.Resolve(a)
	m.memo.Set(key, memoEntry{of: string(of), resolution: r}, int64(len(of))+128)
	return r
}

// appendKey writes all that a rule may read, each part behind its length.
func (m *memoised) appendKey(dst []byte, a *correlate.Alert) []byte {
	h := m.Hash()
	dst = append(dst, h[:]...)
	dst = append(dst, byte(a.Severity), byte(a.Status))
	for _, s := range [...]string{a.Scope, a.Service, a.Entity, a.Check} {
		dst = appendPart(dst, s)
	}
	for _, l := range a.Labels {
		dst = appendPart(dst, l.Name)
		dst = appendPart(dst, l.Value)
	}
	return dst
}

func appendPart(dst []byte, s string) []byte {
	dst = append(dst, byte(len(s)), byte(len(s)>>8), byte(len(s)>>16))
	return append(dst, s...)
}
