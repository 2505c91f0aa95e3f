package pipeline

import (
	"slices"
	"testing"
	"time"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

// eventsBlock is a block of the archive topic with a row for each position of [from, to).
func eventsBlock(day uint16, from, to int64) *archive.Envelope {
	b := archive.NewEventsBuilder()
	ev := &correlate.Event{Service: "shop", Severity: correlate.Error, Status: correlate.Firing}
	for o := from; o < to; o++ {
		b.Append(ev, &archive.Stamp{Offset: o, Verdict: correlate.VerdictNew})
	}
	origin := archive.Origin{Topic: "events", Day: day}
	return &archive.Envelope{Origin: origin, From: from, To: to,
		Sections: []archive.Section{b.Section(origin)}}
}

func TestPending(t *testing.T) {
	type block struct {
		day      uint16
		from, to int64
	}
	cases := []struct {
		name    string
		blocks  []block
		inserts int
		want    int64 // positions 0 to want, each once
	}{
		{"one day is one insert", []block{{7, 0, 10}, {7, 10, 20}}, 1, 20},
		{"a day is an insert of its own", []block{{7, 0, 10}, {8, 10, 20}}, 2, 20},
		{"a clock that is set back over midnight loses no rows", []block{{8, 0, 10}, {7, 10, 20}, {8, 20, 30}}, 3, 30},
		{"repeated positions are cut away", []block{{7, 0, 10}, {7, 5, 15}}, 1, 15},
		{"also when they come with another day", []block{{7, 0, 10}, {8, 0, 12}}, 2, 12},
		{"also when nothing new comes with them", []block{{7, 0, 10}, {8, 0, 10}, {8, 10, 12}}, 2, 12},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, to := newPending(), archivetest.NewMemory()
			for _, b := range c.blocks {
				p.add(eventsBlock(b.day, b.from, b.to), time.Now())
			}
			if len(p.groups) != c.inserts {
				t.Errorf("%d inserts, want %d", len(p.groups), c.inserts)
			}
			insertPending(t, p, to)
			got := to.Offsets("events", "events", 0)
			want := make([]int64, c.want)
			for i := range want {
				want[i] = int64(i)
			}
			if !slices.Equal(got, want) {
				t.Errorf("positions %v, want %v", got, want)
			}
		})
	}
}

// from says that a block comes from another raw partition.
func from(partition int32, env *archive.Envelope) *archive.Envelope {
	env.Partition = partition
	b := archive.NewEventsBuilder()
	for o := env.From; o < env.To; o++ {
		b.Append(&correlate.Event{Service: "shop"}, &archive.Stamp{Offset: o})
	}
	day := env.Day
	env.Sections[0] = b.Section(archive.Origin{Topic: env.Topic, Partition: partition, Day: day})
	return env
}

// Rows of all source partitions go in together, in the order of the table, and what is repeated is cut
// away of each on its own.
func TestPendingJoins(t *testing.T) {
	p, to := newPending(), archivetest.NewMemory()
	for _, env := range []*archive.Envelope{from(2, eventsBlock(7, 0, 5)), eventsBlock(7, 3, 9), from(2, eventsBlock(7, 5, 8)),
		from(1, eventsBlock(8, 0, 4)), eventsBlock(7, 5, 12)} {
		p.add(env, time.Now())
	}
	if len(p.groups) != 3 { // day 7, day 8, and day 7 again: positions only rise
		t.Fatalf("%d inserts, want 3", len(p.groups))
	}
	tokens := map[string]bool{}
	for _, g := range p.groups {
		b, _ := g.batch(nil)
		tokens[b.Token] = true
	}
	if len(tokens) != 3 {
		t.Errorf("three inserts of one table have the tokens %v", tokens)
	}
	p.standing[origin{"events", "events", 0}] = standing{Covered: 3, Row: 3}
	insertPending(t, p, to)
	for partition, want := range [][]int64{{4, 5, 6, 7, 8, 9, 10, 11}, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7}} {
		if got := to.Offsets("events", "events", int32(partition)); !slices.Equal(got, want) {
			t.Errorf("partition %d: positions %v, want %v", partition, got, want)
		}
		got := p.standing[origin{"events", "events", int32(partition)}]
		if last := want[len(want)-1]; got != (standing{last, last}) {
			t.Errorf("partition %d stands at %+v, want %d", partition, got, last)
		}
	}
	last := int32(-1)
	for _, row := range to.Rows("events")[:12] { // of the first insert
		last = max(last, int32(row["partition"].(int64)))
		if row["partition"] != int64(last) {
			t.Fatalf("a row of partition %d behind one of %d: the engine would have to sort", row["partition"], last)
		}
	}
}

// insertPending does what an archiver does with what is pending.
func insertPending(t *testing.T, p *pending, to *archivetest.Memory) {
	t.Helper()
	for _, g := range p.groups {
		b, rows := g.batch(p.standing)
		if rows > 0 {
			if err := to.Insert(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		p.raise(g)
	}
}

// No insert may be larger than what ClickHouse takes as one block, whatever the configured size is.
func TestPendingBounds(t *testing.T) {
	p := newPending()
	const rows = archive.MaxRows/2 + 1
	for i := range int64(3) {
		p.add(eventsBlock(7, i*rows, (i+1)*rows), time.Now())
	}
	if len(p.groups) != 3 {
		t.Errorf("%d inserts of %d rows, want 3", len(p.groups), rows)
	}
	for _, g := range p.groups {
		b, _ := g.batch(nil)
		if err := b.Check(); err != nil {
			t.Error(err)
		}
	}
	if !p.ready(1<<30, time.Hour, 1) {
		t.Errorf("%d bytes wait for more rows", p.bytes)
	}
}

func TestPendingReady(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name                string
		rows                int64
		came, latest, every time.Duration
		partitions          int
		want                bool
	}{
		{"few and new", 10, 0, 0, time.Minute, 1, false},
		{"few and old", 10, time.Minute, 0, time.Minute, 1, true},
		{"many", 1000, 0, 0, time.Minute, 1, true},
		{"a storm's, not five times as old", 100, 4 * time.Minute, 0, time.Minute, 1, false},
		{"a storm's, five times as old", 100, 5 * time.Minute, 0, time.Minute, 1, true},
		{"a storm's that has ended", 100, time.Minute, time.Minute, time.Minute, 1, true},
		{"few, but of one of very many partitions", 80_000, 0, 0, time.Minute, 1 << 20, true},
	} {
		p := newPending()
		p.add(eventsBlock(7, 0, c.rows), now)
		p.since, p.latest = now.Add(-c.came), now.Add(-c.latest)
		most := 1000
		if c.rows > 1000 {
			most = 1 << 30
		}
		if got := p.ready(most, c.every, c.partitions); got != c.want {
			t.Errorf("%s: ready %v", c.name, got)
		}
	}
}

// A block of an older quell has other columns: it is an insert of its own.
func TestPendingLayouts(t *testing.T) {
	p := newPending()
	older := eventsBlock(7, 0, 10)
	older.Sections[0].Columns[5].Name = "tenant"
	p.add(older, time.Now())
	p.add(eventsBlock(7, 10, 20), time.Now())
	if len(p.groups) != 2 {
		t.Errorf("%d inserts of two layouts, want 2", len(p.groups))
	}
}
