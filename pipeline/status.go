package pipeline

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"quell/correlate"
)

// recentPages is how many pages a Status shows.
const recentPages = 8

// Status is a picture of what a service has done since it started.
type Status struct {
	Verdicts map[correlate.Verdict]int64 // events by verdict
	Passed   int64                       // alert records sent by intake
	Pages    int64
	Newest   []correlate.Page // oldest first, at most 8
	Rows     map[string]int64 // archived rows by table
	LastRow  time.Time        // when ClickHouse last acknowledged an insert

	Read       map[string]map[int32]int64 // next offset of raw and responses partitions
	Correlated map[int32]int64            // committed position of alerts partitions
	Engines    map[int32]correlate.Stats
	Archived   map[string]map[int32]int64 // position below which all is in ClickHouse
	Halted     map[string]error           // partitions ("topic/3") that stand still for good, and why
}

// Open is the number of incidents that are not resolved.
func (s *Status) Open() (n int) {
	for _, e := range s.Engines {
		n += e.Pending + e.Open + e.Acknowledged
	}
	return n
}

// status gathers what the workers tell, cheaply: once a batch.
type status struct {
	verdicts [16]atomic.Int64
	passed   atomic.Int64

	mu     sync.Mutex
	s      Status
	clocks map[int32]correlate.Time
}

func newStatus() *status {
	return &status{clocks: map[int32]correlate.Time{}, s: Status{Rows: map[string]int64{},
		Read: map[string]map[int32]int64{}, Correlated: map[int32]int64{},
		Engines: map[int32]correlate.Stats{}, Archived: map[string]map[int32]int64{},
		Halted: map[string]error{}}}
}

func (s *status) snapshot() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.s
	out.Verdicts = map[correlate.Verdict]int64{}
	for v := range s.verdicts {
		if n := s.verdicts[v].Load(); n > 0 {
			out.Verdicts[correlate.Verdict(v)] = n
		}
	}
	out.Passed = s.passed.Load()
	out.Newest = append([]correlate.Page(nil), s.s.Newest...)
	out.Rows, out.Correlated, out.Engines = maps.Clone(s.s.Rows), maps.Clone(s.s.Correlated), maps.Clone(s.s.Engines)
	out.Halted = maps.Clone(s.s.Halted)
	out.Read, out.Archived = cloneDeep(s.s.Read), cloneDeep(s.s.Archived)
	return out
}

func cloneDeep(m map[string]map[int32]int64) map[string]map[int32]int64 {
	out := make(map[string]map[int32]int64, len(m))
	for k, v := range m {
		out[k] = maps.Clone(v)
	}
	return out
}

func (s *status) read(p partition, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s.s.Read, p, next)
}

func (s *status) halt(p partition, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Halted[fmt.Sprintf("%s/%d", p.topic, p.id)] = err
}

func (s *status) archived(p partition, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s.s.Archived, p, next)
}

func set(m map[string]map[int32]int64, p partition, next int64) {
	if m[p.topic] == nil {
		m[p.topic] = map[int32]int64{}
	}
	m[p.topic][p.id] = next
}

func (s *status) inserted(table string, rows int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Rows[table] += rows
	s.s.LastRow = time.Now()
}

func (s *status) page(p *correlate.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Pages++
	if len(s.s.Newest) == recentPages {
		s.s.Newest = append(s.s.Newest[:0], s.s.Newest[1:]...)
	}
	s.s.Newest = append(s.s.Newest, *p)
}

func (s *status) correlated(id int32, position int64, e *correlate.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Correlated[id] = position
	s.s.Engines[id] = e.Stats()
}

// forget drops a partition that is not ours any more.
func (s *status) forget(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.s.Correlated, id)
	delete(s.s.Engines, id)
	delete(s.clocks, id)
}

func (s *status) clockAt(id int32, t correlate.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clocks[id] = t
}

func (s *status) clockOf(id int32) correlate.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clocks[id]
}
