package decode

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"quell/correlate"
)

// kind says what a slot holds.
type kind uint8

const (
	kindAbsent kind = iota
	kindNull
	kindString
	kindEscaped // a string with escapes: the slot has it as written
	kindNumber
	kindTrue
	kindFalse
	kindObject
	kindArray
)

// slot is a value that a format wants: where it stands in the payload. Without pointers, and
// without building anything: most wanted strings stand there as they are, and of several paths
// only the first is read.
type slot struct {
	off, n uint32
	kind   kind
}

// scanner goes over one payload once: checks all of it and fills the slots and labels of a format.
type scanner struct {
	p       []byte
	limits  Limits
	fields  int // members so far
	keys    keys
	stencil stencil
	trail   trail
	slots   []slot
	labels  collector
	ready   []correlate.Label // by a stencil, instead of in labels
	mixed   bool              // the format makes labels beside those of the scan
	arena   arena
	failed  *Rejection
}

// scan checks the payload and fills slots and labels. It returns nil or why it is no JSON object.
func (s *scanner) scan(p []byte, root *node) *Rejection {
	s.begin(p)
	if len(s.stencil.holes) > 0 && len(p) <= s.limits.MaxBytes {
		if s.press() {
			s.stencil.fitted()
			return nil
		}
		s.stencil.missed()
		s.begin(p)
	}
	switch {
	case len(p) == 0:
		s.fail(EmptyPayload, -1, "the record has no value")
	case len(p) > s.limits.MaxBytes:
		s.fail(TooLarge, -1, "%d bytes are more than max_bytes %d", len(p), s.limits.MaxBytes)
	case !utf8.Valid(p):
		s.fail(InvalidUTF8, invalidAt(p), "the bytes from here on are not UTF-8")
	case bytes.HasPrefix(p, []byte("\xef\xbb\xbf")):
		s.fail(InvalidJSON, 0, "the payload begins with a byte order mark")
	default:
		s.trail.begin()
		s.document(root)
		s.trail.end(s.failed != nil)
		if s.failed == nil && s.stencil.due() {
			s.cut(root)
		}
	}
	return s.failed
}

// begin forgets the payload before.
func (s *scanner) begin(p []byte) {
	s.p, s.fields, s.failed, s.ready = p, 0, nil, nil
	s.keys.stack, s.keys.unescaped = s.keys.stack[:0], s.keys.unescaped[:0]
	clear(s.slots)
	s.labels.reset()
}

func (s *scanner) document(root *node) {
	i := space(s.p, 0)
	object := i < len(s.p) && s.p[i] == '{'
	if object {
		i = s.object(i, root, 1)
	} else {
		i = s.value(i, nil, 1)
	}
	if i < 0 {
		return
	}
	if i = space(s.p, i); i < len(s.p) {
		s.fail(TrailingBytes, i, "%d bytes follow the JSON value", len(s.p)-i)
	} else if !object {
		s.fail(NotAnObject, 0, "an event is a JSON object")
	}
}

// text returns what a slot holds as text, "" for null and for objects and arrays.
func (s *scanner) text(v slot) string {
	raw := s.p[v.off : v.off+v.n]
	switch v.kind {
	case kindString, kindNumber:
		return view(raw)
	case kindEscaped:
		return s.arena.take(unescape(s.arena.room(len(raw)), raw))
	case kindTrue:
		return "true"
	case kindFalse:
		return "false"
	}
	return ""
}

// fail keeps the first failure and returns -1.
func (s *scanner) fail(r Reason, at int, format string, args ...any) int {
	if s.failed == nil {
		s.failed = &Rejection{Reason: r, Offset: at, Detail: fmt.Sprintf(format, args...)}
	}
	return -1
}

func (s *scanner) unexpected(i int, want string) int {
	if i >= len(s.p) {
		return s.fail(InvalidJSON, len(s.p), "the payload ends where %s should be", want)
	}
	r, _ := utf8.DecodeRune(s.p[i:])
	return s.fail(InvalidJSON, i, "%s where %s should be", strconv.QuoteRune(r), want)
}

// invalidAt returns the position of the first byte that is not UTF-8.
func invalidAt(p []byte) int {
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(p)
}
