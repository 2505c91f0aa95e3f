package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quell/correlate"
)

// checkpointWithin is longer than what lies between two checkpoints of a raw partition.
const checkpointWithin = 14 * time.Second

// victim draws a process that owns something in a role, and what it owns.
func (w *world) victim(ctx context.Context, role string) (*node, partitions, error) {
	var n *node
	var parts partitions
	err := until(ctx, 30*time.Second, "somebody owns partitions of "+role, func() (bool, error) {
		o, err := w.owners(ctx, role)
		if err != nil {
			return false, err
		}
		var all []*node
		for _, one := range w.running() {
			if len(o[one.name]) > 0 {
				all = append(all, one)
			}
		}
		if len(all) == 0 {
			return false, fmt.Errorf("members are %v", slices.Sorted(maps.Keys(o)))
		}
		n = all[w.random.IntN(len(all))]
		parts = o[n.name]
		return true, nil
	})
	return n, parts, err
}

// succeeded waits until others own what a paused process had.
func (w *world) succeeded(ctx context.Context, role string, n *node, parts partitions) error {
	return until(ctx, 30*time.Second, n.name+" has successors", func() (bool, error) {
		o, err := w.owners(ctx, role)
		if err != nil {
			return false, err
		}
		left := len(parts)
		for name, theirs := range o {
			for p := range theirs {
				if name != n.name && parts[p] {
					left--
				}
			}
		}
		if left > 0 {
			return false, fmt.Errorf("%d of its partitions are nobody else's", left)
		}
		return true, nil
	})
}

// stale pauses an owner of raw or alerts partitions until others have taken over and work, and then
// wakes it. What it still has to say must change nothing. Of intake, the successor has written
// checkpoints by then, which the stale owner would set back. One time in three it wakes early: while
// its successors, named by the group, still recover.
func (w *world) stale(ctx context.Context, role string) (woken time.Time, err error) {
	n, parts, err := w.victim(ctx, role)
	if err != nil {
		return woken, err
	}
	before, err := w.checkpointsOf(ctx)
	if err != nil {
		return woken, err
	}
	began := time.Now()
	n.pause()
	w.book.note("SIGSTOP %s with %d partitions of %s", n.name, len(parts), role)
	err = w.succeeded(ctx, role, n, parts)
	w.book.detail("its successors own everything after %v", time.Since(began).Round(time.Millisecond))
	early := w.random.IntN(3) == 0
	if err == nil && !early {
		err = w.flows(ctx, "while "+n.name+" is paused")
		w.book.recovered(takeover, time.Since(began))
	}
	if err == nil && role == intake && !early {
		w.newCheckpoint(ctx, parts, before)
	}
	n.resume()
	w.book.note("SIGCONT %s after %v", n.name, time.Since(began).Round(100*time.Millisecond))
	w.reborn = true
	return time.Now(), err
}

// newCheckpoint waits until a successor has written a checkpoint of one of the partitions. If none
// comes in time the act is weaker, not wrong.
func (w *world) newCheckpoint(ctx context.Context, parts partitions, before map[string][]int64) {
	err := until(ctx, checkpointWithin, "a successor has written a checkpoint", func() (bool, error) {
		now, err := w.checkpointsOf(ctx)
		if err != nil {
			return false, err
		}
		for p := range parts {
			unit := fmt.Sprintf("intake/%s/%d", p.Topic, p.Partition)
			if p.Topic == w.load.topic && len(now[unit]) > len(before[unit]) {
				return true, nil
			}
		}
		pauseFor(ctx, 500*time.Millisecond)
		return false, nil
	})
	if err != nil {
		w.book.detail("%v", err)
	}
}

// staleArchive pauses an archiver in the middle of an insert, lets its successor take over and
// insert what comes later (under the event clock, an hour of log time later), lets the insert reach
// ClickHouse only then, and wakes the archiver.
func (w *world) staleArchive(ctx context.Context) (woken time.Time, err error) {
	n, parts, err := w.victimOfArchive(ctx)
	if err != nil {
		return woken, err
	}
	after := w.random.IntN(3) == 0
	h := n.gate.hold(after)
	select {
	case <-h.reached:
	case <-time.After(20 * time.Second):
		n.gate.disarm()
		return woken, fmt.Errorf("%s owns %v and inserts nothing", n.name, slices.Collect(maps.Keys(parts)))
	}
	began := time.Now()
	n.pause()
	where := "on its way"
	if after {
		where = "done and not acknowledged"
	}
	w.book.note("SIGSTOP %s, its insert %s", n.name, where)
	err = w.succeeded(ctx, archiving, n, parts)
	if w.Clock == correlate.ClockEvent {
		w.load.jump.Store(true)
	}
	if err == nil {
		err = w.goesOn(ctx)
		w.book.recovered(takeover, time.Since(began))
	}
	if w.random.IntN(2) == 0 {
		n.resume()
		pauseFor(ctx, w.between(0, 300*time.Millisecond))
	}
	close(h.release)
	if !after {
		<-h.done
	}
	if n.paused {
		pauseFor(ctx, w.between(0, 300*time.Millisecond))
		n.resume()
	}
	w.book.note("the insert arrives and SIGCONT %s after %v", n.name,
		time.Since(began).Round(100*time.Millisecond))
	w.reborn = true
	return time.Now(), err
}

// victimOfArchive draws an owner of archive partitions: dispositions may be few.
func (w *world) victimOfArchive(ctx context.Context) (*node, partitions, error) {
	for range 20 {
		n, parts, err := w.victim(ctx, archiving)
		if err != nil {
			return nil, nil, err
		}
		for p := range parts {
			if strings.HasSuffix(p.Topic, ".archive") {
				return n, parts, nil
			}
		}
	}
	return nil, nil, errors.New("nobody owns a partition of the archive topic")
}

// goesOn waits until the archive has grown well beyond what it holds now, in every raw partition.
func (w *world) goesOn(ctx context.Context) error {
	grown := func() (map[string]int64, error) {
		rows, err := w.store.query(ctx, fmt.Sprintf(
			"SELECT partition, max(offset) FROM %s.events GROUP BY partition", w.database()))
		out := map[string]int64{}
		for _, r := range rows {
			var n int64
			if _, err := fmt.Sscan(r[1], &n); err != nil {
				return nil, err
			}
			out[r[0]] = n
		}
		return out, err
	}
	before, err := grown()
	if err != nil {
		return err
	}
	return until(ctx, 30*time.Second, "the successor inserts", func() (bool, error) {
		now, err := grown()
		if err != nil {
			return false, err
		}
		for p, n := range before {
			if now[p] < n+int64(w.Rate/rawPartitions) {
				return false, fmt.Errorf("raw partition %s: %d after %d", p, now[p], n)
			}
		}
		return len(now) == rawPartitions, nil
	})
}
