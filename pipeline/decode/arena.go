package decode

import (
	"unicode/utf8"
	"unsafe"

	"quell/correlate"
)

const (
	arenaBlock  = 16 << 10 // first block, bytes
	arenaRetain = 4 << 20  // a bigger block is given back at reset
	labelBlock  = 1024     // first block of labels
	labelRetain = 1 << 17
)

// arena hands out memory that lives until reset. A full block is left to the views into it and a
// bigger one takes its place, so that after a few batches one block holds a whole batch.
type arena struct {
	bytes  []byte
	labels []correlate.Label
}

// reset takes everything back.
func (a *arena) reset() {
	a.bytes, a.labels = a.bytes[:0], a.labels[:0]
	if cap(a.bytes) > arenaRetain {
		a.bytes = nil
	}
	if cap(a.labels) > labelRetain {
		a.labels = nil
	}
}

// room returns an empty slice with capacity for at least n bytes. What is appended to it within
// that capacity is kept by take.
func (a *arena) room(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, max(arenaBlock, 2*cap(a.bytes), n))
	}
	return a.bytes[len(a.bytes):]
}

// take keeps b, which room returned and the caller filled, and returns it as a string.
func (a *arena) take(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	a.bytes = a.bytes[:len(a.bytes)+len(b)]
	return unsafe.String(&b[0], len(b))
}

// copy returns a copy of s that lives until reset.
func (a *arena) copy(s string) string { return a.take(append(a.room(len(s)), s...)) }

// roomLabels returns an empty slice with capacity for n labels.
func (a *arena) roomLabels(n int) []correlate.Label {
	if cap(a.labels)-len(a.labels) < n {
		a.labels = make([]correlate.Label, 0, max(labelBlock, 2*cap(a.labels), n))
	}
	return a.labels[len(a.labels):]
}

// takeLabels keeps l, which roomLabels returned and the caller filled.
func (a *arena) takeLabels(l []correlate.Label) []correlate.Label {
	a.labels = a.labels[:len(a.labels)+len(l)]
	return l[:len(l):len(l)]
}

// view returns b as a string that shares its memory.
func view(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// cutRunes returns the longest prefix of s that has at most n bytes and splits no rune.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
