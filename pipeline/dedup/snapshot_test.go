package dedup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// crowd is a table of n live entries, inserted in an order of seed.
func crowd(t testing.TB, n int, seed uint64) *Table {
	x := table(t, Config{})
	rng := rand.New(rand.NewPCG(seed, 7))
	e := golden
	now, _ := x.Advance(1_700_000_000_000)
	for _, i := range rng.Perm(n) {
		e.ID = string(binary.AppendUvarint(nil, uint64(i)))
		x.Observe(&Sighting{now, int64(i), nthFingerprint(i), uint16(i), nil}, &e)
	}
	return x
}

func nthFingerprint(i int) (fp correlate.Fingerprint) {
	binary.LittleEndian.PutUint64(fp[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(fp[8:], uint64(i))
	return fp
}

func TestSnapshotIsCanonical(t *testing.T) {
	a, b := crowd(t, 3000, 1), crowd(t, 3000, 2)
	want := a.AppendSnapshot(nil)
	if !bytes.Equal(want, b.AppendSnapshot(nil)) {
		t.Error("the order of insertion changes the snapshot")
	}
	big, err := RestoreTable(Config{}, crowd(t, 9000, 3).AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	now, _ := big.Advance(big.Now().Add(DefaultWindow)) // forgets all, keeps the storage
	e := golden
	for i := range 3000 {
		e.ID = string(binary.AppendUvarint(nil, uint64(i)))
		big.Observe(&Sighting{now, int64(i), nthFingerprint(i), uint16(i), nil}, &e)
	}
	small := table(t, Config{})
	small.Advance(1_700_000_000_000)
	small.Advance(now)
	for i := range 3000 {
		e.ID = string(binary.AppendUvarint(nil, uint64(i)))
		small.Observe(&Sighting{now, int64(i), nthFingerprint(i), uint16(i), nil}, &e)
	}
	if !bytes.Equal(big.AppendSnapshot(nil), small.AppendSnapshot(nil)) {
		t.Error("what a table once held changes the snapshot")
	}
}

func TestSnapshotInPieces(t *testing.T) {
	x := crowd(t, 2000, 1)
	var joined []byte
	pieces := 0
	for piece := range x.Snapshot(1000) {
		if len(piece) > 1300 {
			t.Errorf("a piece has %d bytes", len(piece))
		}
		joined = append(joined, piece...)
		pieces++
	}
	if !bytes.Equal(joined, x.AppendSnapshot(nil)) || pieces < 50 {
		t.Errorf("%d pieces do not make the snapshot", pieces)
	}
	for range x.Snapshot(1000) {
		break // a consumer may stop early
	}
}

func TestRestoreRefuses(t *testing.T) {
	good := crowd(t, 5, 1).AppendSnapshot(nil)
	// sealed returns a copy of good that edit changed, with a checksum that fits.
	sealed := func(edit func([]byte) []byte) []byte {
		b := edit(slices.Clone(good[:len(good)-8]))
		return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
	}
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, src := range map[string][]byte{
		"nothing":       nil,
		"a flipped bit": flipped,
		"a part":        good[:len(good)-1],
		"another version": sealed(func(b []byte) []byte {
			b[len(magic)-1]++
			return b
		}),
		"one entry too few": sealed(func(b []byte) []byte {
			b[len(b)-8]--
			return b
		}),
		"an absurd number": sealed(func(b []byte) []byte {
			return append(b[:len(b)-8], 255, 255, 255, 255, 255, 255, 255, 255)
		}),
		"nothing in it": sealed(func(b []byte) []byte { return b[:len(magic)] }),
	} {
		_, err := RestoreTable(Config{}, src)
		if !errors.Is(err, ErrSnapshot) || errors.Is(err, ErrVersion) != (name == "another version") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := RestoreTable(Config{Window: -1}, good); err == nil || errors.Is(err, ErrSnapshot) {
		t.Errorf("a wrong configuration is %v", err)
	}
}

// A restored table takes another configuration as the comment of RestoreTable says.
func TestRestoreWithAnotherConfiguration(t *testing.T) {
	src := crowd(t, 100, 1).AppendSnapshot(nil)
	next := func(c Config, i int, later correlate.Duration) correlate.Verdict {
		x, err := RestoreTable(c, src)
		if err != nil {
			t.Fatal(err)
		}
		r := record{stamp: x.Now().Add(later), fp: nthFingerprint(i), event: golden}
		r.event.ID = ""
		return r.step(x, 1000, func(Owed) {}).Verdict
	}
	minute := correlate.Minute
	for _, c := range []struct {
		name   string
		config Config
		i      int
		later  correlate.Duration
		want   correlate.Verdict
	}{
		{"same", Config{}, 1, minute, correlate.VerdictUpdate},
		{"shorter window", Config{Window: minute}, 1, minute, correlate.VerdictNew},
		{"smaller table", Config{MaxEntries: 50}, 200, minute, correlate.VerdictOverLimit},
		{"smaller table, old one", Config{MaxEntries: 50}, 1, minute, correlate.VerdictUpdate},
		{"smaller table, later", Config{MaxEntries: 50}, 200, 5 * minute, correlate.VerdictNew},
		{"another label", Config{PassOn: []string{"zone"}}, 1, minute, correlate.VerdictChanged},
	} {
		if got := next(c.config, c.i, c.later); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
