package decode

import (
	"encoding/binary"
	"math/bits"
)

// The lexer: functions over a payload and a position. A position is an index; -1 means that what
// should be there is not.

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// run returns the first position from i on that ends a run of plain characters in a string: a
// quote, a backslash, a control character or the end of p.
func run(p []byte, i int) int {
	q := p[i:]
	for len(q) >= 8 {
		if m := ends(binary.LittleEndian.Uint64(q)); m != 0 {
			return len(p) - len(q) + bits.TrailingZeros64(m)>>3
		}
		q = q[8:]
	}
	for len(q) > 0 && q[0] >= 0x20 && q[0] != '"' && q[0] != '\\' {
		q = q[1:]
	}
	return len(p) - len(q)
}

// ends marks, with its high bit, the first of the eight bytes in w that ends a run; bytes behind
// the first may be marked wrongly.
//
// Subtracting one from (b xor c) borrows into the high bit exactly when b is c, and subtracting
// 0x20 from b when b is a control character; a borrow that runs on can only mark bytes behind the
// first true one. Bytes that had the high bit set (UTF-8, checked before) are masked out.
func ends(w uint64) uint64 {
	quotes, slashes := w^(eachByte*'"'), w^(eachByte*'\\')
	return ((quotes - eachByte) | (slashes - eachByte) | (w - eachByte*0x20)) & ^w & highBits
}

// space returns the first position from i on that is no JSON white space.
func space(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r') {
		i++
	}
	return i
}

// number returns the end of the JSON number that begins at i, or -1 if none does.
func number(p []byte, i int) int {
	if i < len(p) && p[i] == '-' {
		i++
	}
	switch {
	case i < len(p) && p[i] == '0':
		i++
	case i < len(p) && p[i]-'1' < 9:
		i = digits(p, i+1)
	default:
		return -1
	}
	if i < len(p) && p[i] == '.' {
		start := i + 1
		if i = digits(p, start); i == start {
			return -1
		}
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		start := i
		if i = digits(p, start); i == start {
			return -1
		}
	}
	return i
}

// digits returns the first position from i on that is no decimal digit.
func digits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' < 10 {
		i++
	}
	return i
}

// literal returns the end of word at i, or -1 if it does not stand there.
func literal(p []byte, i int, word string) int {
	if len(p)-i >= len(word) && string(p[i:i+len(word)]) == word {
		return i + len(word)
	}
	return -1
}

// hex4 returns the number that four hexadecimal digits at i give, or -1.
func hex4(p []byte, i int) rune {
	if len(p)-i < 4 {
		return -1
	}
	var r rune
	for _, c := range p[i : i+4] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
