package correlate

import "slices"

// texts are what a page tells about an alert: service, entity, check, summary, URL and value, one
// after the other in memory that is the alert's own. The last three often differ from one record to
// the next (there is a figure in them), so they are written over in place.
type texts struct {
	bytes []byte
	ends  [textParts - 1]uint32 // the last one ends with bytes
}

const (
	textParts = 6
	nameParts = 3 // that name what the alert is about
)

func textsOf(a *Alert) [textParts]string {
	return [...]string{a.Service, a.Entity, a.Check, a.Summary, a.URL, a.Value}
}

// adopt takes the strings of a over. The batch that a lives in may be reused after Step, so they are
// copied; what is equal, nearly always everything, costs a comparison.
func (t *texts) adopt(a *Alert) {
	from := textsOf(a)
	if t.equal(&from) {
		return
	}
	n := 0
	for i := range from {
		n += len(from[i])
	}
	if n > cap(t.bytes) {
		t.bytes = slices.Grow([]byte(nil), n)
	}
	t.bytes = t.bytes[:0]
	for i := range from {
		t.bytes = append(t.bytes, from[i]...)
		if i < len(t.ends) {
			t.ends[i] = uint32(len(t.bytes))
		}
	}
}

func (t *texts) equal(parts *[textParts]string) bool {
	at := 0
	for i, s := range parts {
		end := t.end(i)
		if end-at != len(s) || string(t.bytes[at:end]) != s {
			return false
		}
		at = end
	}
	return true
}

func (t *texts) end(i int) int {
	if i < len(t.ends) {
		return int(t.ends[i])
	}
	return len(t.bytes)
}

// strings returns copies of the first n parts, in one allocation.
func (t *texts) strings(n int) (parts [textParts]string) {
	all, at := string(t.bytes[:t.end(n-1)]), 0
	for i := range n {
		end := t.end(i)
		parts[i], at = all[at:end], end
	}
	return parts
}

// append writes the lengths of the parts and the parts.
func (t *texts) append(dst []byte) []byte {
	at := 0
	for i := range textParts {
		end := t.end(i)
		dst = appendUint(dst, uint64(end-at))
		at = end
	}
	return append(dst, t.bytes...)
}

func (t *texts) restore(d *decoder) {
	n := 0
	for i := range textParts {
		n += d.count(1)
		if i < len(t.ends) {
			t.ends[i] = uint32(n)
		}
	}
	t.bytes = slices.Clone(d.take(n))
}
