package dedup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// ErrSnapshot is the class of all errors of [RestoreTable] but those of the configuration. The way
// out is an older snapshot, or an empty table and the records of one window read again.
var ErrSnapshot = errors.New("deduplication snapshot is not usable")

// ErrVersion is the [ErrSnapshot] of a snapshot that another version of quell wrote.
var ErrVersion = fmt.Errorf("%w: another version wrote it", ErrSnapshot)

const trailer = 16 // number of entries and checksum

// RestoreTable returns the table that src is a snapshot of: it does what that table would have
// done. The configuration may have changed: a shorter window forgets at once, a smaller table
// admits nothing until it has shrunk, other pass_on labels make every fingerprint changed once,
// and another key makes every fingerprint new.
func RestoreTable(c Config, src []byte) (*Table, error) {
	t, err := NewTable(c)
	if err != nil {
		return nil, err
	}
	const version = len(magic) - 1
	if len(src) < len(magic)+trailer || string(src[:version]) != magic[:version] {
		return nil, fmt.Errorf("%w: %d bytes do not begin with %q",
			ErrSnapshot, len(src), magic[:version])
	}
	if src[version] != magic[version] {
		return nil, fmt.Errorf("%w: %d; this quell reads %d", ErrVersion, src[version], magic[version])
	}
	body, end := src[:len(src)-8], src[len(src)-trailer:]
	if xxhash.Sum64(body) != binary.LittleEndian.Uint64(end[8:]) {
		return nil, fmt.Errorf("%w: the checksum of %d bytes does not fit", ErrSnapshot, len(src))
	}
	r := reader{src: src[len(magic) : len(src)-trailer]}
	r.stream(&t.stream)
	t.clock = clampTime(correlate.Time(r.int()))
	number := binary.LittleEndian.Uint64(end)
	if number > uint64(len(src)) || number > maxEntries {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", ErrSnapshot, number, len(src))
	}
	t.index = newIndex(int(number) + int(number)/2 + minIndex)
	if t.load(&r, number); r.failed != "" {
		return nil, fmt.Errorf("%w: %s, %d bytes before its end", ErrSnapshot, r.failed, len(r.src))
	}
	t.order()
	return t, nil
}

// load reads the entries into slots, index and queue.
func (t *Table) load(r *reader, number uint64) {
	var n entry
	for before := n.fp; ; before = n.fp {
		head := r.byte()
		if head == 0 {
			break
		}
		n = r.entry(head, t.clock)
		if number == 0 || bytes.Compare(n.fp[:], before[:]) <= 0 && t.slab.fresh > 0 {
			r.fail("too many entries, or not sorted")
			return
		}
		number--
		if t.forgotten(&n) {
			continue
		}
		slot := t.slab.take()
		*t.slab.entry(slot) = n
		t.index.add(prefixOf(&n.fp)<<32 | uint64(slot+1))
		t.live++
		if n.owed > 0 {
			t.slab.entry(slot).flags |= flagQueued
			t.queue.push(due{t.dueOf(&n), slot})
		}
	}
	if number > 0 || len(r.src) > 0 {
		r.fail("entries or bytes are left over")
	}
}

// order links the entries by their last sighting.
func (t *Table) order() {
	type seen struct {
		last correlate.Time
		slot uint32
	}
	all := make([]seen, t.slab.fresh)
	for slot := range t.slab.fresh {
		all[slot] = seen{t.slab.entry(slot).last, slot}
	}
	slices.SortFunc(all, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.slot, b.slot))
	})
	for _, s := range all {
		t.slab.append(s.slot)
	}
	t.schedule()
}

// reader reads a snapshot's fields. After the first failure every read returns zero.
type reader struct {
	src    []byte
	failed string
}

func (r *reader) fail(why string) {
	if r.failed == "" {
		r.failed = why
	}
	r.src = nil
}

func (r *reader) take(n int) []byte {
	if len(r.src) < n {
		r.fail("it ends too early")
		return make([]byte, n)
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 || v > most {
		r.fail("a number is out of range")
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail("a number is out of range")
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) entry(head byte, clock correlate.Time) (n entry) {
	n.fp = correlate.Fingerprint(r.take(len(n.fp)))
	n.last = clock - correlate.Time(r.uint(uint64(maxWindow)))
	n.sincePass = uint32(r.uint(uint64(maxWindow)))
	n.first = n.last + correlate.Time(r.int())
	n.until = n.first + correlate.Time(r.int())
	n.count = r.uint(math.MaxUint64)
	n.lastOffset = r.int()
	n.episode = n.lastOffset - r.int()
	n.home = uint16(r.uint(math.MaxUint16))
	n.severity, n.status = correlate.Severity(r.byte()), correlate.Status(r.byte())
	if head&headFired != 0 {
		n.flags = flagFired
	}
	if head&headOwed != 0 {
		n.owed = uint32(r.uint(math.MaxUint32))
		n.since = n.first + correlate.Time(r.int())
		n.owedFrom = n.lastOffset - r.int()
	}
	if head&headLabels != 0 {
		n.labels = r.uint64()
	}
	if head&headEntry == 0 || head&headIDs > byte(len(n.ids)) {
		r.fail("an entry's head byte is wrong")
	}
	for range head & headIDs {
		n.remember(r.uint64())
	}
	return n
}

func (r *reader) stream(c *StreamClock) {
	c.now = clampTime(correlate.Time(r.int()))
	c.tail = uint32(r.uint(streamWindow))
	c.seq = streamWindow
	above := correlate.Time(0)
	for i := range c.tail {
		c.seqs[i%streamWindow] = c.seq - r.uint(streamWindow)
		above = clampTime(above - correlate.Time(r.int()))
		c.times[i%streamWindow] = above
	}
}
