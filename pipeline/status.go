package pipeline

import (
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
	Failing    map[string]error           // those whose owners have failed for a minute, and the last error
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
	metrics  *metrics // which know of partitions what status knows; see halt
	verdicts [16]atomic.Int64
	passed   atomic.Int64

	mu       sync.Mutex
	s        Status
	failures failures
	clocks   map[int32]correlate.Time
}

func newStatus() *status {
	return &status{clocks: map[int32]correlate.Time{}, failures: failures{}, s: Status{Rows: map[string]int64{},
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
	out.Halted, out.Failing = maps.Clone(s.s.Halted), s.failures.lasting(time.Now())
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

// read is told between polls, while everything that was produced is acknowledged.
func (s *status) read(p partition, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set(s.s.Read, p, next)
	s.failures.works(p, time.Now())
}

// works notes that the owner of a partition has recovered.
func (s *status) works(p partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures.works(p, time.Now())
}

// halt notes that the owner of a partition failed, or, without an error, that the partition is not
// ours any more.
func (s *status) halt(role string, p partition, err error) {
	if err == nil {
		s.metrics.forget(role, p)
	} else {
		s.metrics.failed(role, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refused, diverged := final(err)
	switch {
	case err == nil:
		delete(s.failures, p)
	case refused || diverged:
		delete(s.failures, p)
		s.s.Halted[p.String()] = err
	default:
		s.failures.failed(p, err, time.Now())
	}
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
