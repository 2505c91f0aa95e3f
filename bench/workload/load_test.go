package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"quell/correlate"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
)

func load(t *testing.T, o LoadOptions) *Load {
	t.Helper()
	l, err := NewLoad(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func loadSum(t *testing.T, o LoadOptions) string {
	t.Helper()
	h := sha256.New()
	l := load(t, o)
	for {
		value, key, ok := l.Next()
		if !ok {
			return hex.EncodeToString(h.Sum(nil)[:8])
		}
		h.Write(value)
		h.Write(key)
	}
}

// The bytes are pinned: figures of two releases are figures of the same events.
func TestLoadsAreStable(t *testing.T) {
	golden := map[string]string{
		"storm": "e0299c68f21136be", "distinct": "f474222745bdda3a", "trickle": "20a8c685000c05df", "flapping": "5029bd52eff0bcf0", "huge": "e7aea9d5acc9dc3b", "adversarial": "61a420c1ec077a84",
	}
	for _, k := range LoadKinds() {
		t.Run(k.Name, func(t *testing.T) {
			o := LoadOptions{Name: k.Name, Seed: 7, Events: 2000}
			got := loadSum(t, o)
			if got != golden[k.Name] {
				t.Errorf("seed 7 gives %s, and gave %s", got, golden[k.Name])
			}
			if o.Seed = 8; loadSum(t, o) == got {
				t.Error("another seed gives the same bytes")
			}
		})
	}
}

// told is what a load's events are to quell's own decoder and table.
type told struct {
	events, rejected, bytes, least, most int

	verdicts map[correlate.Verdict]int
	keys     map[correlate.Fingerprint]string
	indexes  map[uint64]int // fingerprints by xxHash64
}

func tell(t *testing.T, o LoadOptions) told {
	t.Helper()
	id, err := dedup.NewIdentity(dedup.IdentityConfig{})
	if err != nil {
		t.Fatal(err)
	}
	table, err := dedup.NewTable(dedup.Config{Window: 5 * correlate.Minute, UpdateInterval: correlate.Minute})
	if err != nil {
		t.Fatal(err)
	}
	decoder := decode.Native(decode.Options{Limits: decode.DefaultLimits()}, decode.KeepUnknown).NewDecoder()
	out := told{least: 1 << 30, verdicts: map[correlate.Verdict]int{},
		keys: map[correlate.Fingerprint]string{}, indexes: map[uint64]int{}}
	l := load(t, o)
	for {
		value, key, ok := l.Next()
		if !ok {
			return out
		}
		out.events++
		out.bytes += len(value)
		out.least, out.most = min(out.least, len(value)), max(out.most, len(value))
		if !json.Valid(value) {
			t.Fatalf("not JSON: %s", value)
		}
		decoder.Reset()
		var ev correlate.Event
		now := defaultStart.Add(correlate.Duration(out.events / 100))
		if _, no := decoder.Decode(value, decode.RecordMeta{Topic: "t", Time: now}, &ev); no != nil {
			out.rejected++
			continue
		}
		fp, index := id.Fingerprint(&ev)
		if was, ok := out.keys[fp]; ok && was != string(key) && !strings.Contains(string(value), "dedup_key") {
			t.Fatalf("one alert, two record keys: %s and %s", was, key)
		} else if !ok {
			out.indexes[index]++
		}
		out.keys[fp] = string(key)
		at, _ := table.Advance(now)
		out.verdicts[table.Observe(&dedup.Sighting{Now: at, Offset: int64(out.events), Fingerprint: fp}, &ev).Verdict]++
	}
}

func TestStormLoad(t *testing.T) {
	got := tell(t, LoadOptions{Seed: 1, Events: 20_000})
	if got.verdicts[correlate.VerdictNew] != 2000 || got.verdicts[correlate.VerdictDuplicate] != 18_000 {
		t.Errorf("not 2,000 new ones and 18,000 duplicates: %v", got.verdicts)
	}
	if got.least < 360 || got.most > 440 || got.bytes/got.events < 380 || got.bytes/got.events > 420 {
		t.Errorf("%d to %d bytes, on average %d; want 400 within a tenth", got.least, got.most, got.bytes/got.events)
	}
	got = tell(t, LoadOptions{Seed: 1, Events: 5000, Fingerprints: 1234})
	if got.verdicts[correlate.VerdictNew] != 1234 {
		t.Errorf("not the 1,234 fingerprints that were asked for: %v", got.verdicts)
	}
}

func TestOtherLoads(t *testing.T) {
	got := tell(t, LoadOptions{Name: "distinct", Events: 3000})
	if got.verdicts[correlate.VerdictNew] != 3000 {
		t.Errorf("distinct: %v", got.verdicts)
	}
	got = tell(t, LoadOptions{Name: "flapping", Events: 3000})
	if got.verdicts[correlate.VerdictNew] != 30 || got.verdicts[correlate.VerdictChanged] != 2970 {
		t.Errorf("flapping: %v", got.verdicts)
	}
	got = tell(t, LoadOptions{Name: "huge", Events: 300})
	if got.rejected > 0 || got.least < 8_000 || got.most > 12_000 {
		t.Errorf("huge: %d rejected, %d to %d bytes", got.rejected, got.least, got.most)
	}
	if l := load(t, LoadOptions{Name: "trickle"}); l.Together() != 10 {
		t.Errorf("trickle: %d records together", l.Together())
	}
}

func TestAdversarialLoad(t *testing.T) {
	got := tell(t, LoadOptions{Name: "adversarial", Events: 20_000})
	if most := slices.Max(slices.Collect(maps.Values(got.indexes))); most != colliders {
		t.Errorf("at most %d fingerprints have one xxHash64, want %d", most, colliders)
	}
	if got.rejected < got.events/10 || got.rejected > got.events/6 {
		t.Errorf("%d of %d were rejected, want one in eight: too deep", got.rejected, got.events)
	}
}

func TestLoadRefuses(t *testing.T) {
	if _, err := NewLoad(LoadOptions{Name: "tempest"}); err == nil || !strings.Contains(err.Error(), "flapping") {
		t.Errorf("a name that is none: %v", err)
	}
	if _, err := NewLoad(LoadOptions{Events: 10, Fingerprints: 11}); err == nil {
		t.Error("more fingerprints than events")
	}
}

func BenchmarkLoad(b *testing.B) {
	l, err := NewLoad(LoadOptions{Events: 1 << 40, Fingerprints: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Next()
	}
}
