package dedup

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// FuzzTable runs a storm that the input spells out, four bytes a record, through table and twin.
func FuzzTable(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 8 {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(uint8(rng.Uint32()), b)
	}
	f.Fuzz(func(t *testing.T, shape uint8, in []byte) {
		c := Config{UpdateInterval: correlate.Duration(1 + shape%8), PassOn: []string{"state"},
			MaxEntries: 1 + int(shape>>6), MaxSkew: 40}
		c.Window = c.UpdateInterval + correlate.Duration(shape/8%8)
		x, w := table(t, c), newTwin(t, c)
		ts := correlate.Time(1_000_000)
		for i := 0; len(in) >= 4; i, in = i+1, in[4:] {
			ts = ts.Add(correlate.Duration(int8(in[0]) / 8))
			e := correlate.Event{Time: ts.Add(correlate.Duration(int8(in[1]))),
				Severity: correlate.Severity(1 + in[2]&1), Status: correlate.Status(1 + in[2]>>1&1)}
			if in[2]&4 != 0 {
				e.ID = string(rune('a' + in[2]>>3&7))
			}
			if in[2]&64 != 0 {
				e.Labels = []correlate.Label{{Name: "state", Value: "x"}}
			}
			if in[2]&128 != 0 {
				compareFlushes(t, 0, i, x, w, x.Now().Add(correlate.Duration(in[1])))
			}
			now, _ := x.Advance(ts)
			w.advance(ts)
			compareFlushes(t, 0, i, x, w, now)
			s := Sighting{now, int64(i), correlate.Fingerprint{in[3] & 7}, uint16(in[3]), nil}
			if got, want := *x.Observe(&s, &e), w.observe(s, &e); got != want {
				t.Fatalf("record %d: table %+v, twin %+v", i, got, want)
			}
			if in[3]&8 != 0 && !slices.ContainsFunc(x.flushed(), earlier(x)) {
				x = restored(t, c, x)
			}
		}
		compareFlushes(t, 0, -1, x, w, never)
	})
}

// flushed returns the entries of which a flush told all that is owed.
func (t *Table) flushed() (out []*entry) {
	for _, place := range t.index.places {
		if place == 0 {
			continue
		}
		if n := t.slab.entry(uint32(place) - 1); n.owed > 0 && n.flags&flagFlushed != 0 {
			out = append(out, n)
		}
	}
	return out
}

// earlier reports of an entry that its flush went out before it was due in the log's time: that
// one is flushed again after a restore, which the twin does not know of.
func earlier(t *Table) func(*entry) bool {
	return func(n *entry) bool { return t.dueOf(n) > t.clock }
}

func restored(t *testing.T, c Config, x *Table) *Table {
	t.Helper()
	snapshot := x.AppendSnapshot(nil)
	y, err := RestoreTable(c, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(y.AppendSnapshot(nil), snapshot) {
		t.Fatal("a restored table has another snapshot")
	}
	return y
}

// FuzzRestore feeds anything with a right checksum to RestoreTable: it is refused, or makes a
// table that works.
func FuzzRestore(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		b := crowd(f, n, 1).AppendSnapshot(nil)
		f.Add(b[len(magic) : len(b)-8])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(magic), body...)
		b = binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
		x, err := RestoreTable(Config{}, b)
		if err != nil {
			return
		}
		r := record{stamp: x.Now().Add(5), event: golden}
		for i := range 10 {
			r.stamp = r.stamp.Add(correlate.Minute)
			r.fp = nthFingerprint(i % 3)
			r.step(x, int64(i), func(Owed) {})
		}
		x.Drain(func(Owed) {})
		if _, err := RestoreTable(Config{}, x.AppendSnapshot(nil)); err != nil {
			t.Fatalf("the snapshot of an accepted snapshot is refused: %v", err)
		}
	})
}
