package correlate

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// The table does what a map does, and yields in order, whatever fingerprints look like.
func TestAlertTable(t *testing.T) {
	random := func(rnd *rand.Rand, fp *Fingerprint) {
		for i := range fp {
			fp[i] = byte(rnd.Uint32())
		}
	}
	for _, c := range []struct {
		name string
		n    int
		make func(*rand.Rand, *Fingerprint)
	}{
		{"hashes", 5000, random},
		{"few homes", 300, func(rnd *rand.Rand, fp *Fingerprint) {
			random(rnd, fp)
			clear(fp[1:8])
			fp[0] = 0x3f * byte(rnd.UintN(3))
		}},
		{"all at the end, going on at the beginning", 300, func(rnd *rand.Rand, fp *Fingerprint) {
			random(rnd, fp)
			fp[0], fp[1] = 0xff, 0xff
		}},
		{"both ends", 300, func(rnd *rand.Rand, fp *Fingerprint) {
			random(rnd, fp)
			fp[0], fp[1] = -byte(rnd.UintN(2)), 0
			if fp[0] != 0 {
				fp[1] = 0xff
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			table, blocks := newAlertTable(), alertBlocks{}
			want := map[Fingerprint]*liveAlert{}
			var all []Fingerprint
			for i := range 6 * c.n {
				var fp Fingerprint
				if c.make(rnd, &fp); i%3 == 0 && len(all) > 0 {
					fp = all[rnd.IntN(len(all))]
				}
				if have := table.get(&fp); have != want[fp] {
					t.Fatalf("step %d: %p, want %p", i, have, want[fp])
				}
				if l := want[fp]; l != nil {
					table.remove(l)
					blocks.put(l)
					delete(want, fp)
				} else if len(want) < c.n {
					want[fp] = blocks.take(&fp)
					table.put(want[fp])
					all = append(all, fp)
				}
				if i%(c.n/2) == 0 {
					checkTable(t, &table, want)
				}
			}
			checkTable(t, &table, want)
		})
	}
}

func checkTable(t *testing.T, table *alertTable, want map[Fingerprint]*liveAlert) {
	t.Helper()
	order := slices.Collect(table.inOrder())
	if len(order) != len(want) || table.n != len(want) {
		t.Fatalf("%d in order, %d counted, want %d", len(order), table.n, len(want))
	}
	for i, l := range order {
		if want[l.fingerprint] != l || table.get(&l.fingerprint) != l {
			t.Fatalf("%s is another one", l.fingerprint)
		}
		if i > 0 && bytes.Compare(order[i-1].fingerprint[:], l.fingerprint[:]) >= 0 {
			t.Fatalf("%s comes behind %s", l.fingerprint, order[i-1].fingerprint)
		}
	}
}

func TestTexts(t *testing.T) {
	var x texts
	for i, a := range []Alert{
		{},
		{Service: "s", Entity: "e", Check: "c", Summary: "at 97 %", URL: "u", Value: "97"},
		{Service: "s", Entity: "e", Check: "c", Summary: "at 9 %", URL: "u", Value: "9"},
		{Service: "s", Entity: "e", Check: "c", Summary: "at 100 %, which is much", URL: "u", Value: "100"},
		{Service: "se", Entity: "", Check: "c", Summary: "at 100 %, which is much", URL: "u", Value: "100"},
		{Service: "s", Entity: "e", Check: "c"},
		{Value: "v"},
	} {
		before := x.strings(textParts)
		kept := textsOf(&a)
		x.adopt(&a)
		if x.strings(textParts) != kept || !x.equal(&kept) {
			t.Errorf("%d: %q, want %q", i, x.strings(textParts), kept)
		}
		if i > 0 && x.equal(&before) {
			t.Errorf("%d: still equal to %q", i, before)
		}
		names := x.strings(nameParts)
		if names[0] != a.Service || names[1] != a.Entity || names[2] != a.Check || names[3] != "" {
			t.Errorf("%d: names %q", i, names)
		}
		d := newDecoder(x.append(nil))
		var again texts
		if again.restore(d); d.err != nil || len(d.src) > 0 || !again.equal(&kept) {
			t.Errorf("%d: restored %q (%v)", i, again.strings(textParts), d.err)
		}
	}
}
