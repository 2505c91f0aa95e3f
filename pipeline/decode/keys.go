package decode

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
)

// wideObject is how many names an object may have before its names are sorted to find one that
// occurs twice. Below that a bloom filter of one word and a linear search do.
const wideObject = 32

// key is a name that was seen in an object: without pointers, so that keeping thousands costs the
// garbage collector nothing.
type key struct {
	hash uint64
	off  uint32 // in the payload, or in keys.unescaped
	n    uint32 // bytes; with the top bit when in keys.unescaped
}

const unescapedKey = 1 << 31

// keys holds the names of the objects that are open, those of the innermost last.
type keys struct {
	stack     []key
	unescaped []byte // the names that were written with escapes
}

// keyMul spreads a hash to its top bits; the odd number is 2^64 divided by the golden ratio.
const keyMul = 0x9e3779b97f4a7c15

// hashAt hashes the name p[i:i+n]: its length and its bytes, of a long one the first and last
// eight. It is cheap, and not more: long names that differ in the middle share a hash, so whoever
// finds equal hashes compares the bytes.
func hashAt(p []byte, i, n int) uint64 {
	if n >= 8 {
		first, last := binary.LittleEndian.Uint64(p[i:]), binary.LittleEndian.Uint64(p[i+n-8:])
		return (first ^ bits.RotateLeft64(last, 29) ^ uint64(n)<<56) * keyMul
	}
	var w uint64
	for j := n - 1; j >= 0; j-- {
		w = w<<8 | uint64(p[i+j])
	}
	return hashShort(w, n)
}

// hashShort hashes a name of n < 8 bytes that are the low bytes of w.
func hashShort(w uint64, n int) uint64 {
	return (w&(1<<(8*n)-1) ^ uint64(n)<<56) * keyMul
}

// name returns the text of k.
func (k *keys) name(p []byte, x key) string {
	if x.n&unescapedKey != 0 {
		return view(k.unescaped[x.off : x.off+x.n&^unescapedKey])
	}
	return view(p[x.off : x.off+x.n])
}

// seen tells whether the innermost object, whose names begin at base, has x already. It gives up
// on wide objects: those are sorted when they end.
func (k *keys) seen(p []byte, base int, x key) bool {
	open := k.stack[base:]
	if len(open) > wideObject {
		return false
	}
	for _, y := range open {
		if x.hash == y.hash && k.name(p, x) == k.name(p, y) {
			return true
		}
	}
	return false
}

// repeated looks for a name that occurs twice in a wide object and returns it. Sorting bounds the
// work to n log n, whatever the names are.
func (k *keys) repeated(p []byte, base int) (key, bool) {
	open := k.stack[base:]
	if len(open) <= wideObject {
		return key{}, false
	}
	slices.SortFunc(open, func(x, y key) int {
		switch {
		case x.hash < y.hash:
			return -1
		case x.hash > y.hash:
			return 1
		}
		return strings.Compare(k.name(p, x), k.name(p, y))
	})
	for i := 1; i < len(open); i++ {
		if open[i-1].hash == open[i].hash && k.name(p, open[i-1]) == k.name(p, open[i]) {
			return open[i], true
		}
	}
	return key{}, false
}
