package fetch

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Part is what one answer brought of one partition, or why it brings no more. It belongs to the
// goroutine that polled it, which calls Next until there is no record left, and then Close. One without
// any record says up to where the partition can be read, when that is news.
type Part struct {
	Topic     string
	Partition int32
	High      int64 // up to where the partition could be read when it was asked; see Options.Committed

	// Err is why the partition brings nothing more, until it is removed and added again. A Part that has
	// it from the beginning has no records; Next may find one.
	Err error

	memory  Memory
	of      *cursor // that asked
	from    int64   // offset to go on at
	end     int64   // behind the last batch
	unread  int64   // see Unread
	src     []byte  // batches that were not opened yet
	open    records // of the batch that is being read
	behind  int64   // that batch
	held    [][]byte
	free    []byte // memory of the batch that is being read
	aborted map[int64][]int64
}

// End is the position behind everything that the answer brought, records or not. It is reached when
// Next has returned nothing and Err is nil.
func (p *Part) End() int64 { return p.end }

// Unread is High without the ends of transactions that the log closes with: to them,
// nothing is behind the last record.
func (p *Part) Unread() int64 { return p.unread }

// survey finds out, from the headers of the batches alone, where they end.
func (p *Part) survey() (epoch int32) {
	epoch = -1
	last := p.from // behind the last batch with records
	for rest := p.src; ; {
		b, more, err := cut(rest)
		if err == nil && b == nil {
			p.src = p.src[:len(p.src)-len(rest)] // it is not whole, and comes again
		}
		if err != nil || b == nil {
			break // what is wrong is told when reading gets there
		}
		p.end, epoch = max(p.end, b.end()), b.epoch()
		if !b.control() {
			last = p.end
		}
		rest = more
	}
	p.unread = p.High
	if p.end == p.High {
		p.unread = last
	}
	return epoch
}

// sound reports that nothing is left that reading would find fault with.
func (p *Part) sound() bool {
	_, _, err := cut(p.src)
	return err == nil
}

// Next reads the records that follow: at most len(to), and none behind the first that makes their
// values more than size bytes. They live until the next call. It returns none at the end, and when Err
// has been set.
func (p *Part) Next(to []Record, size int) []Record {
	p.forget()
	n := 0
	for n < len(to) && p.Err == nil {
		if p.open.left == 0 {
			if !p.advance() {
				break
			}
			continue
		}
		r := &to[n]
		if err := p.open.next(r); err != nil {
			p.fail(err)
			break
		}
		if r.Offset < p.from {
			continue // the batch begins before what was asked for
		}
		p.from = r.Offset + 1
		n++
		if size -= len(r.Value); size < 0 {
			break
		}
	}
	return to[:n]
}

// forget gives back the memory of batches whose records were returned.
func (p *Part) forget() {
	for _, b := range p.held {
		p.memory.Free(b)
	}
	p.held = p.held[:0]
}

// Close gives back the memory that p holds.
func (p *Part) Close() {
	p.forget()
	if p.free != nil {
		p.memory.Free(p.free)
		p.free = nil
	}
	p.src, p.open = nil, records{}
}

// advance opens the next batch that may have records to read; false if there is none.
func (p *Part) advance() bool {
	if p.free != nil {
		p.held = append(p.held, p.free)
		p.free = nil
	}
	p.from = max(p.from, p.behind)
	b, rest, err := cut(p.src)
	if err == nil && b != nil {
		p.src = rest
		err = p.enter(b)
	}
	if err != nil {
		p.fail(err)
	}
	return err == nil && b != nil
}

// enter opens b, unless nobody wants its records.
func (p *Part) enter(b batch) error {
	p.open = records{}
	if b.end() <= p.from {
		return nil
	}
	p.behind = b.end()
	if err := b.check(); err != nil {
		return err
	}
	if b.control() {
		p.marker(b)
		return nil
	}
	if p.abort(b) {
		return nil
	}
	src := []byte(b[batchHeader:])
	if codec := kgo.CompressionCodecType(b.attributes() & codecMask); codec != kgo.CodecNone {
		var err error
		if src, err = p.memory.Decompress(src, codec); err != nil {
			return err
		}
		p.free = src
	}
	return p.open.open(b, src)
}

func (p *Part) fail(err error) {
	p.behind = p.from
	p.Err = fmt.Errorf("the batch behind position %d: %w", p.from, err)
	p.open = records{}
}

// abortedOf returns where the aborted transactions of each producer begin, in order. Brokers do not all
// give them in order.
func abortedOf(of []kmsg.FetchResponseTopicPartitionAbortedTransaction) map[int64][]int64 {
	if len(of) == 0 {
		return nil
	}
	m := make(map[int64][]int64)
	for _, a := range of {
		m[a.ProducerID] = append(m[a.ProducerID], a.FirstOffset)
	}
	for _, firsts := range m {
		slices.Sort(firsts)
	}
	return m
}

// abort reports whether b belongs to a transaction that was aborted: one of its producer's has begun,
// and its marker has not come yet.
func (p *Part) abort(b batch) bool {
	if b.attributes()&transactional == 0 {
		return false
	}
	firsts := p.aborted[b.producer()]
	return len(firsts) > 0 && b.first() >= firsts[0]
}

// marker ends an aborted transaction of its producer. The key of the record in it is its version
// and its type, which is 0 for an abort.
func (p *Part) marker(b batch) {
	firsts := p.aborted[b.producer()]
	if len(firsts) == 0 || b.first() < firsts[0] {
		return
	}
	if key := markerKey(b[batchHeader:]); len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0 {
		p.aborted[b.producer()] = firsts[1:]
	}
}

// markerKey returns the key of the first record.
func markerKey(src []byte) []byte {
	_, n := varint(src) // length
	if n <= 0 || n >= len(src) {
		return nil
	}
	src = src[n+1:] // attributes
	for range 2 {   // differences of time and offset
		if _, n = varint(src); n <= 0 {
			return nil
		}
		src = src[n:]
	}
	key, _ := text(src)
	return key
}
