package decode

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escape reads the escape sequence whose backslash stands at i and returns the character and the
// position behind. A reason other than zero says that it is malformed (InvalidJSON) or half of a
// surrogate pair (InvalidUTF8).
func escape(p []byte, i int) (rune, int, Reason) {
	if i+1 >= len(p) {
		return 0, i, InvalidJSON
	}
	switch c := p[i+1]; c {
	case '"', '\\', '/':
		return rune(c), i + 2, 0
	case 'b':
		return '\b', i + 2, 0
	case 'f':
		return '\f', i + 2, 0
	case 'n':
		return '\n', i + 2, 0
	case 'r':
		return '\r', i + 2, 0
	case 't':
		return '\t', i + 2, 0
	case 'u':
		return escapeUnicode(p, i)
	}
	return 0, i, InvalidJSON
}

func escapeUnicode(p []byte, i int) (rune, int, Reason) {
	r := hex4(p, i+2)
	switch {
	case r < 0:
		return 0, i, InvalidJSON
	case !utf16.IsSurrogate(r):
		return r, i + 6, 0
	case i+8 > len(p) || p[i+6] != '\\' || p[i+7] != 'u':
		return 0, i, InvalidUTF8
	}
	low := hex4(p, i+8)
	if low < 0 {
		return 0, i + 6, InvalidJSON
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, i, InvalidUTF8
	}
	return r, i + 12, 0
}

// unescape appends the text of a string whose escapes were checked before.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		end := run(raw, i)
		dst = append(dst, raw[i:end]...)
		if i = end; i == len(raw) {
			break
		}
		r, next, _ := escape(raw, i)
		dst, i = utf8.AppendRune(dst, r), next
	}
	return dst
}
