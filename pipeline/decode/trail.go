package decode

import (
	"encoding/binary"
	"unsafe"
)

// A monitoring system writes the members of its events in one order. trail is the order in which
// an earlier payload had them; the next payload's names are compared with it first. Where a name
// stands that was expected, one comparison replaces finding its end, hashing it, looking it up and
// looking for its double. What is found without the trail is found with it: a step is taken only
// for the same bytes and the same node, and what a node has for a name depends on nothing else.
//
// Names that follow the steps of one object of the earlier payload differ from each other, since
// they did there. So only a name that was not expected, and those behind it in its object, are
// compared with the names before.
type trail struct {
	steps     []step
	text      []byte // of the steps' names; never moves, so that steps refer to it
	next      int    // the step that is expected
	objects   int32  // so far, in the payload that is recorded
	recording bool
	misses    int // names that were not expected, since the last recording
}

// step is one member of the recorded payload.
type step struct {
	text   string // the name as it stood there, from its quote to the colon
	of     *node  // what the format wanted of its object
	child  *node  // and of the member
	hash   uint64
	word   uint64 // the text's first eight bytes
	mask   uint64 // of those that it has
	object int32  // which object of the payload
	after  int32  // the step behind the member's value
}

const (
	trailSteps  = 128
	trailText   = 4096
	trailMisses = 64 // so many names that were not expected make a new recording worth it
	trailAhead  = 2  // so many members may be missing in a row
)

// begin prepares for a payload.
func (t *trail) begin() {
	t.next, t.objects = 0, 0
	if t.recording = len(t.steps) == 0 || t.misses >= trailMisses; t.recording {
		if t.text == nil {
			t.text, t.steps = make([]byte, 0, trailText), make([]step, 0, trailSteps)
		}
		t.misses, t.text, t.steps = 0, t.text[:0], t.steps[:0]
	}
}

// enter returns the number of the object that begins.
func (t *trail) enter() int32 {
	t.objects++
	return t.objects
}

// expect returns the step of the name at i of an object of which the format wants n, nil if the
// name was not expected. object is the recorded object that its earlier names are of, 0 for any.
func (t *trail) expect(p []byte, i int, n *node, object int32) *step {
	if t.recording {
		return nil
	}
	at := t.next
	for range trailAhead + 1 {
		if at >= len(t.steps) {
			break
		}
		st := &t.steps[at]
		if st.of != n || object != 0 && st.object != object {
			break
		}
		if st.stands(p, i) {
			t.next = at + 1
			return st
		}
		at = int(st.after)
	}
	t.misses++
	return nil
}

// stands tells whether the step's text stands at i. Most texts are decided by their first word.
func (st *step) stands(p []byte, i int) bool {
	if len(p)-i < 8 {
		return false // nothing that can follow such a name is worth a step
	}
	if (binary.LittleEndian.Uint64(p[i:])^st.word)&st.mask != 0 {
		return false
	}
	end := i + len(st.text)
	return len(st.text) <= 8 || end <= len(p) && string(p[i+8:end]) == st.text[8:]
}

// record adds the member x, which stands in p as text and a colon, and returns the number of its
// step. Names that are written in another way are not worth a step: there is -1.
func (t *trail) record(p []byte, x key, n, c *node, object int32) int {
	from, to := int(x.off)-1, int(x.off+x.n&^unescapedKey)+2
	if x.n&unescapedKey != 0 || to > len(p) || p[to-1] != ':' || len(t.steps) == cap(t.steps) ||
		to-from > cap(t.text)-len(t.text) {
		return -1
	}
	begin, mask := len(t.text), ^uint64(0)
	t.text = append(t.text, p[from:to]...)
	var first [8]byte
	if n := copy(first[:], t.text[begin:]); n < 8 {
		mask = 1<<(8*n) - 1
	}
	t.steps = append(t.steps, step{text: unsafe.String(&t.text[begin], to-from), of: n, child: c,
		hash: x.hash, word: binary.LittleEndian.Uint64(first[:]), mask: mask, object: object})
	return len(t.steps) - 1
}

// left notes where the value of a recorded member ends.
func (t *trail) left(recorded int) {
	if recorded >= 0 {
		t.steps[recorded].after = int32(len(t.steps))
	}
}

// end is called behind the payload. What was no event is no example.
func (t *trail) end(failed bool) {
	if t.recording && failed {
		t.steps = t.steps[:0]
	}
	t.recording = false
}
