package pipeline

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/wire"
)

// slate is memory for records of the alerts topic and their values, which are produced together and
// so acknowledged together: when the last one is, all of it is used again. A storm makes a hundred
// thousand alerts a second; memory of their own for all would be a quarter of intake's garbage.
type slate struct {
	records [slateRecords]kgo.Record
	values  []byte
	used    int          // records
	open    atomic.Int32 // records that are not acknowledged, and one while it is written to
	promise [2]func(*kgo.Record, error)
}

const (
	slateRecords = 256
	slateBytes   = 64 << 10
	slatesKept   = 16 // of those that wait to be used again
)

// slates is the slate of a reader, and those that it may use next.
type slates struct {
	now  *slate
	free chan *slate // filled by whoever acknowledges
}

func newSlates() slates { return slates{free: make(chan *slate, slatesKept)} }

// write returns a record that says c. It is to be produced before the next one is written.
func (s *slates) write(c *correlate.Record) *kgo.Record {
	if s.now == nil || s.now.used == slateRecords || cap(s.now.values)-len(s.now.values) < slateBytes/16 {
		s.turn()
	}
	n := len(s.now.values)
	s.now.values = wire.Append(s.now.values, c)
	rec := &s.now.records[s.now.used]
	s.now.used++
	*rec = kgo.Record{Value: s.now.values[n:len(s.now.values):len(s.now.values)]}
	return rec
}

// turn begins with an empty slate.
func (s *slates) turn() {
	if s.now != nil {
		s.settle(s.now)
	}
	select {
	case s.now = <-s.free:
		s.now.used, s.now.values = 0, s.now.values[:0]
	default:
		s.now = &slate{values: make([]byte, 0, slateBytes)}
	}
	s.now.open.Store(1)
}

// settle notes that a record of it, or its writer, needs it no more.
func (s *slates) settle(one *slate) {
	if one.open.Add(-1) > 0 || cap(one.values) > 4*slateBytes {
		return
	}
	select {
	case s.free <- one:
	default:
	}
}

// produce hands the record that was written last to the outbox.
func (s *slates) produce(out *outbox, rec *kgo.Record) {
	one := s.now
	if one.promise[out.now] == nil {
		g := out.now
		one.promise[g] = func(r *kgo.Record, err error) {
			out.acknowledged(g, r, err)
			s.settle(one)
		}
	}
	one.open.Add(1)
	if !out.produceWith(rec, one.promise[out.now]) {
		s.settle(one)
	}
}
