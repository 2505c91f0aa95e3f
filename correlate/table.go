package correlate

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// alertTable finds alerts by fingerprint. It is open addressing with linear probing; an alert's home
// is given by the first bits of its fingerprint, which is a keyed hash already. So lookups need no
// hash, a look at the home of an alert can be made ahead of time (see warm), and the table itself is
// in the order of fingerprints but for neighbours that had to move: a snapshot sorts next to nothing.
//
// Fingerprints that begin alike make lookups slow and nothing else.
type alertTable struct {
	slots []alertSlot // a power of two of them
	shift uint        // of a fingerprint's first word, to its home
	n     int
}

// alertSlot holds the first word of a fingerprint beside the alert, so that passing a stranger needs
// no look at it. It is free if its alert is nil.
type alertSlot struct {
	word  uint64
	alert *liveAlert
}

const leastSlotBits = 4

func newAlertTable() alertTable {
	return alertTable{slots: make([]alertSlot, 1<<leastSlotBits), shift: 64 - leastSlotBits}
}

func firstWord(fp *Fingerprint) uint64 { return binary.BigEndian.Uint64(fp[:]) }

// home returns the slot where the search for a fingerprint begins.
func (t *alertTable) home(fp *Fingerprint) *alertSlot { return &t.slots[firstWord(fp)>>t.shift] }

// get returns the alert, or nil.
func (t *alertTable) get(fp *Fingerprint) *liveAlert {
	word, mask := firstWord(fp), len(t.slots)-1
	for i := int(word >> t.shift); ; i = (i + 1) & mask {
		switch s := &t.slots[i&mask]; {
		case s.alert == nil:
			return nil
		case s.word == word && s.alert.fingerprint == *fp:
			return s.alert
		}
	}
}

// put adds an alert that is not there yet.
func (t *alertTable) put(l *liveAlert) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	t.n++
	t.place(alertSlot{firstWord(&l.fingerprint), l})
}

func (t *alertTable) place(s alertSlot) {
	mask := len(t.slots) - 1
	i := int(s.word >> t.shift)
	for t.slots[i].alert != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// reserve makes room for n alerts in an empty table.
func (t *alertTable) reserve(n int) {
	size := len(t.slots)
	for 3*size < 4*(n+1) {
		size *= 2
	}
	t.resize(size)
}

func (t *alertTable) resize(size int) {
	old := t.slots
	t.slots = make([]alertSlot, size)
	for t.shift = 64; size > 1; size /= 2 {
		t.shift--
	}
	for _, s := range old {
		if s.alert != nil {
			t.place(s)
		}
	}
}

// remove takes an alert out that is there, and moves those back that had to make room for it.
func (t *alertTable) remove(l *liveAlert) {
	mask := len(t.slots) - 1
	i := int(firstWord(&l.fingerprint) >> t.shift)
	for t.slots[i].alert != l {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].alert != nil; j = (j + 1) & mask {
		home := int(t.slots[j].word >> t.shift)
		if (j-home)&mask >= (j-i)&mask { // its search passes i
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = alertSlot{}
	t.n--
}

// inOrder yields the alerts in the order of their fingerprints.
//
// Between two free slots lies a run of alerts whose homes are in that run, so the runs are in order
// and each is sorted by itself. The run at the end of the table may go on at its beginning.
func (t *alertTable) inOrder() iter.Seq[*liveAlert] {
	return func(yield func(*liveAlert) bool) {
		var run, wrapped []*liveAlert
		flush := func() bool {
			sortAlerts(run)
			for _, l := range run {
				if !yield(l) {
					return false
				}
			}
			run = run[:0]
			return true
		}
		for i := range t.slots {
			switch s := &t.slots[i]; {
			case s.alert == nil:
				if len(run) > 0 && !flush() {
					return
				}
			case int(s.word>>t.shift) > i:
				wrapped = append(wrapped, s.alert)
			default:
				run = append(run, s.alert)
			}
		}
		run = append(run, wrapped...)
		flush()
	}
}

func sortAlerts(run []*liveAlert) {
	if len(run) < 2 {
		return
	}
	slices.SortFunc(run, func(a, b *liveAlert) int {
		return bytes.Compare(a.fingerprint[:], b.fingerprint[:])
	})
}

// alertBlocks is where alerts live: together in blocks, because there are a million of them, and what
// the garbage collector does it does for each block then. Forgotten alerts leave their place to new
// ones.
type alertBlocks struct {
	block []liveAlert // what is left of the newest
	free  []*liveAlert
}

const blockAlerts = 64

// take returns an alert of which nothing is known.
func (b *alertBlocks) take(fp *Fingerprint) *liveAlert {
	if n := len(b.free); n > 0 {
		l := b.free[n-1]
		b.free = b.free[:n-1]
		l.fingerprint = *fp
		return l
	}
	if len(b.block) == 0 {
		b.block = make([]liveAlert, blockAlerts)
	}
	l := &b.block[0]
	b.block = b.block[1:]
	l.fingerprint = *fp
	return l
}

// put takes back an alert that nothing refers to. Entries of its timer in the queue may be left: that
// is a thing of its own.
func (b *alertBlocks) put(l *liveAlert) {
	*l = liveAlert{}
	b.free = append(b.free, l)
}
