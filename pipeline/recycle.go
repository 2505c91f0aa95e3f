package pipeline

import (
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Intake reads a million records a second and keeps none of them. recycled lends the client the
// memory of batches whose records are all recycled, so that reading makes no garbage: the records'
// values, and the records themselves.
//
// Who uses a client with these pools calls Record.Recycle when nothing refers to the record's key
// and value any more; a record that is not recycled is left to the garbage collector. The client
// clears all of a slice that comes back, so slices are made in narrow size classes: with powers of
// two, up to half of the clearing, and of the memory, would be for nothing.
type recycled struct {
	bytes   classes[byte]
	records classes[kgo.Record]
}

// GetRecords returns a slice with capacity n at least. It implements kgo.PoolRecords.
func (p *recycled) GetRecords(n int) []kgo.Record { return p.records.get(n) }

// PutRecords takes a slice back.
func (p *recycled) PutRecords(r []kgo.Record) { p.records.put(r) }

// GetDecompressBytes returns a slice for what a batch decompresses to, by a guess: text that
// machines wrote shrinks to a quarter. It implements kgo.PoolDecompressBytes, for the codecs that
// the unpacker leaves to the client's own decompressor.
func (p *recycled) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	return p.bytes.get(4 * len(compressed))
}

// PutDecompressBytes takes a slice back.
func (p *recycled) PutDecompressBytes(b []byte) { p.bytes.put(b) }

// classes are pools of slices by capacity, eight classes from one power of two to the next: a slice
// has at most an eighth more than was asked for. The garbage collector empties them when they are
// not used.
type classes[T any] struct {
	pools [8 * 32]sync.Pool // of *[]T
	bare  sync.Pool         // of *[]T that point to nothing: what a pool keeps must be a pointer
}

// leastClass is the smallest capacity that is worth a class.
const leastClass = 16

// classOf returns the class of the smallest capacity that holds n, and that capacity.
func classOf(n int) (class, capacity int) {
	n = max(n, leastClass)
	shift := bits.Len(uint(n-1)) - 4 // n-1 is 8..15 times 2^shift, and a rest
	eighths := (n-1)>>shift + 1
	return 8*shift + eighths - 9, eighths << shift
}

func (c *classes[T]) get(n int) []T {
	class, capacity := classOf(n)
	if class >= len(c.pools) {
		return make([]T, n)
	}
	if p, ok := c.pools[class].Get().(*[]T); ok {
		s := *p
		*p = nil
		c.bare.Put(p)
		return s[:capacity]
	}
	return make([]T, capacity)
}

// put takes back a slice of any origin, into the largest class that it can serve.
func (c *classes[T]) put(s []T) {
	class, capacity := classOf(cap(s))
	if capacity > cap(s) {
		class--
	}
	if cap(s) < leastClass || class >= len(c.pools) {
		return
	}
	p, ok := c.bare.Get().(*[]T)
	if !ok {
		p = new([]T)
	}
	*p = s[:0]
	c.pools[class].Put(p)
}
