package archivetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"quell/correlate/archive"
)

// Memory is an archive in memory: for the tests of what uses an archive. It keeps every promise of
// [archive.Archive] but durability.
type Memory struct {
	mu     sync.Mutex
	tokens map[[2]string]bool
	tables map[string][]archive.Section
	down   error
}

var _ archive.Archive = (*Memory)(nil)

// NewMemory returns an empty archive.
func NewMemory() *Memory {
	return &Memory{tokens: map[[2]string]bool{}, tables: map[string][]archive.Section{}}
}

// SetDown makes every call fail with err, as an unreachable archive does; nil ends it.
func (m *Memory) SetDown(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Insert adds the rows, once a (table, token).
func (m *Memory) Insert(ctx context.Context, b archive.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	if _, known := archive.TableNamed(b.Table); !known {
		return &archive.Error{Fault: archive.FaultStop,
			Err: fmt.Errorf("memory: there is no table %q", b.Table)}
	}
	if b.Rows() == 0 {
		return nil
	}
	if err := b.Check(); err != nil {
		return &archive.Error{Fault: archive.FaultReject, Err: err}
	}
	if b.Repeated && m.has(&b) {
		return nil
	}
	for n := range archive.Tokens {
		key := [2]string{b.Table, b.TokenAfter(n)}
		if !m.tokens[key] {
			return m.keep(&b, key)
		}
		if !b.Repeated || m.has(&b) {
			return nil
		}
	}
	return &archive.Error{Fault: archive.FaultStop, Err: errors.New("memory: all tokens are taken")}
}

// Forget removes the rows of a table. Their tokens stay taken.
func (m *Memory) Forget(table string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tables, table)
}

// Take takes the token that the next Insert of b would take, and not the rows: what a crash between
// the two leaves behind.
func (m *Memory) Take(b archive.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := 0; ; n++ {
		if key := [2]string{b.Table, b.TokenAfter(n)}; !m.tokens[key] {
			m.tokens[key] = true
			return
		} else if m.has(&b) {
			return
		}
	}
}

func (m *Memory) has(b *archive.Batch) bool {
	s := &b.Sections[0]
	topic, partition := s.Source()
	return slices.ContainsFunc(m.offsets(b.Table, topic, partition),
		func(o int64) bool { return o >= s.FirstOffset() && o <= s.LastOffset() })
}

func (m *Memory) keep(b *archive.Batch, key [2]string) error {
	for i := range b.Sections {
		s, err := clone(&b.Sections[i])
		if err != nil {
			return &archive.Error{Fault: archive.FaultReject, Err: err}
		}
		m.tables[b.Table] = append(m.tables[b.Table], s)
	}
	m.tokens[key] = true
	return nil
}

// clone copies a section through its stored form, which checks it as well.
func clone(s *archive.Section) (archive.Section, error) {
	e := archive.Envelope{From: s.FirstOffset(), To: s.LastOffset() + 1,
		Sections: []archive.Section{*s}}
	e.Topic, e.Partition = s.Source()
	e.Day = s.Day()
	out, err := archive.Decode(e.Append(nil))
	if err != nil {
		return archive.Section{}, err
	}
	return out.Sections[0], nil
}

// HighWater returns the highest position of the partition in the table, or -1.
func (m *Memory) HighWater(ctx context.Context, table, topic string, partition int32) (int64,
	error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return 0, err
	}
	high := int64(-1)
	for _, o := range m.offsets(table, topic, partition) {
		high = max(high, o)
	}
	return high, nil
}

// Ping returns what SetDown set.
func (m *Memory) Ping(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usable(ctx)
}

func (m *Memory) usable(ctx context.Context) error {
	if err := errors.Join(ctx.Err(), m.down); err != nil {
		return &archive.Error{Fault: archive.FaultRetry, Err: err}
	}
	return nil
}

// Rows returns the rows of a table in the order of their insertion, each by column name, with the
// values that archive.Section.All yields.
func (m *Memory) Rows(table string) []map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []map[string]any
	for i := range m.tables[table] {
		s := &m.tables[table][i]
		for _, row := range s.All() {
			named := make(map[string]any, len(row))
			for k := range row {
				named[s.Columns[k].Name] = row[k]
			}
			out = append(out, named)
		}
	}
	return out
}

// Offsets returns the positions that a table holds of a partition, ascending, repeats included.
func (m *Memory) Offsets(table, topic string, partition int32) []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.offsets(table, topic, partition)
	slices.Sort(out)
	return out
}

func (m *Memory) offsets(table, topic string, partition int32) (out []int64) {
	for i := range m.tables[table] {
		for _, row := range m.tables[table][i].All() {
			if row[0] == topic && row[1] == int64(partition) {
				out = append(out, row[2].(int64))
			}
		}
	}
	return out
}
