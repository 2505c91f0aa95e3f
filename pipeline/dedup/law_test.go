package dedup

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"quell/correlate"
)

// told keeps the books that the engine keeps: how many events of each episode it was told of.
type told struct {
	counts map[episodeOf]uint64
	sum    uint64
}

type episodeOf struct {
	fp    correlate.Fingerprint
	first int64
}

func (b *told) add(fp correlate.Fingerprint, episode int64, count uint64) {
	at := episodeOf{fp, episode}
	if before := b.counts[at]; count > before {
		b.sum += count - before
		b.counts[at] = count
	}
}

// Law: what alerts and flushes tell adds up to the events, redelivered ones left out, and each
// offset is covered.
func TestNoCountIsLost(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		c := stormConfig(rng)
		x, books := table(t, c), told{counts: map[episodeOf]uint64{}}
		covered := map[int64]bool{}
		records, events := storm(rng, c, 3000), uint64(0)
		cover := func(fp correlate.Fingerprint, from, to int64) {
			for o := from; o <= to; o++ {
				if records[o].fp == fp {
					covered[o] = true
				}
			}
		}
		emit := func(o Owed) {
			books.add(o.Fingerprint, o.Episode, o.Count)
			cover(o.Fingerprint, o.FirstOffset, o.Offset)
		}
		var redelivered []int64
		for i, r := range records {
			seen := r.step(x, int64(i), emit)
			switch seen.Verdict {
			case correlate.VerdictRedelivered:
				redelivered = append(redelivered, int64(i))
				continue
			case correlate.VerdictDuplicate:
			default:
				books.add(r.fp, seen.Episode, seen.Count)
				cover(r.fp, seen.FirstOffset, int64(i))
			}
			events++
		}
		x.Drain(emit)
		if books.sum != events {
			t.Fatalf("seed %d: %d events, the engine was told of %d", seed, events, books.sum)
		}
		for i := range records {
			if !covered[int64(i)] && !slices.Contains(redelivered, int64(i)) {
				t.Fatalf("seed %d: no record covers offset %d", seed, i)
			}
		}
	}
}

// output is what one record or the end of input brought about.
type output struct {
	seen    Seen
	flushes []Owed
}

func run(x *Table, records []record, from int64) (out []output) {
	for i := range records {
		var o output
		o.seen = records[i].step(x, from+int64(i), func(f Owed) { o.flushes = append(o.flushes, f) })
		out = append(out, o)
	}
	var end output
	x.Drain(func(f Owed) { end.flushes = append(end.flushes, f) })
	return append(out, end)
}

// Law: a table restored from a snapshot, at any point, does what the original does from there on,
// and its snapshots have the same bytes.
func TestRestoredTableBehavesIdentically(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := stormConfig(rng)
		records := storm(rng, c, 300)
		want := run(table(t, c), records, 0)
		x := table(t, c)
		for i := range records {
			snapshot := x.AppendSnapshot(nil)
			y, err := RestoreTable(c, snapshot)
			if err != nil {
				t.Fatalf("seed %d, record %d: %v", seed, i, err)
			}
			if again := y.AppendSnapshot(nil); !bytes.Equal(again, snapshot) {
				t.Fatalf("seed %d, record %d: a restored table has another snapshot", seed, i)
			}
			got := run(y, records[i:], int64(i))
			for j := range got {
				if got[j].seen != want[i+j].seen || !slices.Equal(got[j].flushes, want[i+j].flushes) {
					t.Fatalf("seed %d, restored at %d, record %d:\n got  %+v\n want %+v", seed, i, i+j,
						got[j], want[i+j])
				}
			}
			records[i].step(x, int64(i), func(Owed) {})
		}
	}
}

// Law: a caller's timer that runs ahead of the log changes no verdict and no snapshot, and what it
// flushed early is flushed again after a restore at most.
func TestEarlyFlushesLeaveNoTrace(t *testing.T) {
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 4))
		c := stormConfig(rng)
		plain, eager := table(t, c), table(t, c)
		for i, r := range storm(rng, c, 2000) {
			if rng.IntN(3) == 0 {
				eager.Due(eager.Now().Add(correlate.Duration(rng.Int64N(int64(c.Window)))), func(Owed) {})
			}
			a := r.step(plain, int64(i), func(Owed) {})
			b := r.step(eager, int64(i), func(Owed) {})
			if a != b {
				t.Fatalf("seed %d, record %d: %+v, with early flushes %+v", seed, i, a, b)
			}
			if i%7 == 0 && !bytes.Equal(plain.AppendSnapshot(nil), eager.AppendSnapshot(nil)) {
				t.Fatalf("seed %d, record %d: early flushes changed the snapshot", seed, i)
			}
		}
	}
}

// Law: under one clock (files in the order of their times) passes and flushes are the same for any
// number of partitions.
func TestPartitionsDoNotMatter(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c := stormConfig(rng)
		c.MaxEntries = 1000 // a bound of each partition, so that one does matter
		records := storm(rng, c, 2000)
		for i := range records {
			records[i].stamp = clampTime(records[i].stamp) % (1 << 42)
		}
		slices.SortFunc(records, func(a, b record) int { return int(a.stamp - b.stamp) })
		want := spread(t, c, records, 1)
		for _, partitions := range []int{2, 7} {
			if got := spread(t, c, records, partitions); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %d partitions give another %d passes and flushes than one with %d",
					seed, partitions, len(got), len(want))
			}
		}
	}
}

// passed is a pass or a flush without its offsets, which depend on the partition.
type passed struct {
	at       correlate.Time
	fp       correlate.Fingerprint
	verdict  correlate.Verdict // 0 for a flush
	count    uint64
	severity correlate.Severity
	status   correlate.Status
	first    correlate.Time
	since    correlate.Time
	last     correlate.Time
}

func spread(t *testing.T, c Config, records []record, partitions int) (out []passed) {
	tables, offsets := make([]*Table, partitions), make([]int64, partitions)
	for i := range tables {
		tables[i] = table(t, c)
	}
	emit := func(o Owed) {
		out = append(out, passed{o.Due, o.Fingerprint, 0, o.Count, o.Severity, o.Status, o.First,
			o.Since, o.Last})
	}
	for _, r := range records {
		p := int(r.fp[15]) % partitions
		seen := r.step(tables[p], offsets[p], emit)
		offsets[p]++
		if seen.Verdict <= correlate.VerdictUpdate {
			out = append(out, passed{tables[p].Now(), r.fp, seen.Verdict, seen.Count, r.event.Severity,
				r.event.Status, seen.First, seen.Since, seen.Last})
		}
	}
	for _, x := range tables {
		x.Drain(emit)
	}
	slices.SortStableFunc(out, func(a, b passed) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return bytes.Compare(a.fp[:], b.fp[:])
	})
	return out
}
