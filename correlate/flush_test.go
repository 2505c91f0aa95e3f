package correlate

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The memory of flushes does what a map and a list do, until it is full and far beyond, and a
// snapshot of it goes on alike.
func TestFlushesAreRemembered(t *testing.T) {
	type name struct {
		raw    uint32
		offset int64
	}
	var rs raws
	for i := range int32(3) {
		rs.find(RawPartition{Topic: "raw", Partition: i})
	}
	rs.sorted()
	rnd := rand.New(rand.NewPCG(3, 4))
	var f flushes
	known, order := map[name]bool{}, []name(nil)
	for i := range int64(3 * mostFlushes) {
		it := name{rnd.Uint32N(3), i}
		if rnd.IntN(4) == 0 { // one that is known, or has just been forgotten
			it.offset = max(0, i-int64(rnd.IntN(3*mostFlushes/2)))
		}
		if got := f.receive(it.raw, it.offset); got == known[it] {
			t.Fatalf("flush %d, %+v: new %v", i, it, got)
		}
		if !known[it] {
			known[it], order = true, append(order, it)
		}
		if len(order) > mostFlushes {
			delete(known, order[0])
			order = order[1:]
		}
		if i%mostFlushes != 5 {
			continue
		}
		var again flushes
		for _, it := range order {
			again.receive(it.raw, it.offset)
		}
		if !bytes.Equal(f.append(nil, &rs), again.append(nil, &rs)) {
			t.Fatalf("after %d the snapshot depends on what was forgotten", i)
		}
		f = again
	}
	if len(order) != mostFlushes || len(f.ring) != mostFlushes {
		t.Errorf("%d are known, want %d", len(f.ring), mostFlushes)
	}
}

// BenchmarkFlush: a flush is noted where as many are remembered as may be.
func BenchmarkFlush(b *testing.B) {
	var f flushes
	next := int64(0)
	note := func() {
		f.receive(uint32(next&7), next*5/3)
		next++
	}
	for range 2 * mostFlushes {
		note()
	}
	b.ReportAllocs()
	for b.Loop() {
		note()
	}
}
