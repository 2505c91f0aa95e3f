package dedup

import (
	"encoding/binary"
	"math/bits"
)

// sipKey is a 128-bit key in SipHash's little-endian halves.
type sipKey struct{ k0, k1 uint64 }

func sipKeyOf(key [16]byte) sipKey {
	return sipKey{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

// sip is the state of SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012; the 128-bit variant is the one of the authors' reference implementation).
type sip struct{ v0, v1, v2, v3 uint64 }

// start xors the key into the constants "somepseudorandomlygeneratedbytes".
func (k sipKey) start() sip {
	return sip{k.k0 ^ 0x736f6d6570736575, k.k1 ^ 0x646f72616e646f6d,
		k.k0 ^ 0x6c7967656e657261, k.k1 ^ 0x7465646279746573}
}

// sum128 writes SipHash-2-4-128 of b, 16 bytes, to out.
func (k sipKey) sum128(out *[16]byte, b []byte) {
	s := k.start()
	s.v1 ^= 0xee
	s = s.absorb(b)
	s.v2 ^= 0xee
	s = s.rounds(4)
	binary.LittleEndian.PutUint64(out[:8], s.v0^s.v1^s.v2^s.v3)
	s.v1 ^= 0xdd
	s = s.rounds(4)
	binary.LittleEndian.PutUint64(out[8:], s.v0^s.v1^s.v2^s.v3)
}

// sum64 returns SipHash-1-3 of b: what the authors recommend where no digest leaves the process, as
// in Rust's and Python's hash tables.
func (k sipKey) sum64(b []byte) uint64 {
	s := k.start()
	v0, v1, v2, v3 := s.v0, s.v1, s.v2, s.v3
	last := uint64(len(b)) << 56
	for more := true; more; {
		m := last
		if len(b) >= 8 {
			m = binary.LittleEndian.Uint64(b)
			b = b[8:]
		} else {
			m |= tail(b)
			more = false
		}
		v3 ^= m
		v0 += v1
		v2 += v3
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v1
		v0 += v3
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 = bits.RotateLeft64(v2, 32)
		v0 ^= m
	}
	s = sip{v0, v1, v2 ^ 0xff, v3}.rounds(3)
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// tail returns b, of fewer than eight bytes, as the low bytes of a word.
func tail(b []byte) (m uint64) {
	if cap(b) >= 8 {
		return binary.LittleEndian.Uint64(b[:8]) & (1<<(8*len(b)) - 1)
	}
	for i, c := range b {
		m |= uint64(c) << (8 * i)
	}
	return m
}

// absorb takes in all of b and the last word, which ends in the length's low byte, with two rounds a
// word. They are written out: as a function they are too dear for the compiler's inliner.
func (s sip) absorb(b []byte) sip {
	v0, v1, v2, v3 := s.v0, s.v1, s.v2, s.v3
	last := uint64(len(b)) << 56
	for more := true; more; {
		m := last
		if len(b) >= 8 {
			m = binary.LittleEndian.Uint64(b)
			b = b[8:]
		} else {
			m |= tail(b)
			more = false
		}
		v3 ^= m
		v0 += v1
		v2 += v3
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v1
		v0 += v3
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 = bits.RotateLeft64(v2, 32)

		v0 += v1
		v2 += v3
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v1
		v0 += v3
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 = bits.RotateLeft64(v2, 32)
		v0 ^= m
	}
	return sip{v0, v1, v2, v3}
}

// rounds runs n SipRounds.
func (s sip) rounds(n int) sip {
	v0, v1, v2, v3 := s.v0, s.v1, s.v2, s.v3
	for range n {
		v0 += v1
		v2 += v3
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v1
		v0 += v3
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 = bits.RotateLeft64(v2, 32)
	}
	return sip{v0, v1, v2, v3}
}
