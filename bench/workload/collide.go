package workload

import (
	"encoding/binary"
	"math/bits"
)

// XXH64 reads 32 bytes at a time, eight for each of four lanes, and a lane takes a word by
//
//	lane' = rotl(lane + word*prime2, 31) * prime1
//
// which can be undone: whatever one word did to the lane, the lane's next word can set right. So a
// word is drawn, the word 32 bytes behind it is computed, and the pair is taken if it is printable,
// as one in some thousands is. A seed does not help; that is why quell's identity is a keyed hash
// and xxHash64 decides nothing.
const (
	prime1 uint64 = 11400714785074694791
	prime2 uint64 = 14029467366897019727
)

func lane(acc, word uint64) uint64 { return bits.RotateLeft64(acc+word*prime2, 31) * prime1 }

// inverse returns x with x*odd = 1 modulo 2^64.
func inverse(odd uint64) uint64 {
	x := odd
	for range 6 { // each step doubles the bits that are right; odd itself has three
		x *= 2 - odd*x
	}
	return x
}

// colliderSize is the length of a colliding key: together with what quell hashes before it (a tag, the
// scope and the key, each behind its length) it fills three times 32 bytes.
const colliderSize = 96

// colliding returns n different dedup keys that, in that scope, have one xxHash64.
func colliding(d *dice, scope string, n int) []string {
	const printable = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&'()*+,-./:;<=>?@[]^_`{|}~"
	var allowed [256]bool
	for i := range len(printable) {
		allowed[printable[i]] = true
	}
	b := append([]byte{1, byte(len(scope))}, scope...)
	b = append(b, colliderSize)
	from := len(b)
	for len(b) < from+colliderSize {
		b = append(b, printable[d.IntN(len(printable))])
	}
	first, second := b[32:40], b[64:72]
	before, prime := lane(acc0(), binary.LittleEndian.Uint64(b)), inverse(prime2)
	// What stands there now is the first key; all others must leave the lane as it does.
	want := lane(before, binary.LittleEndian.Uint64(first)) + binary.LittleEndian.Uint64(second)*prime2
	keys := []string{string(b[from:])}
	for len(keys) < n {
		r := d.Uint64()
		for i := range first {
			first[i] = printable[r>>(8*i)&0xff%uint64(len(printable))]
		}
		w := (want - lane(before, binary.LittleEndian.Uint64(first))) * prime
		binary.LittleEndian.PutUint64(second, w)
		ok := true
		for _, c := range second {
			ok = ok && allowed[c]
		}
		if ok {
			keys = append(keys, string(b[from:]))
		}
	}
	return keys
}

// acc0 is what the first lane begins with, for seed 0.
func acc0() uint64 {
	p := prime1 // a variable: the sum wraps around, which constants may not
	return p + prime2
}
