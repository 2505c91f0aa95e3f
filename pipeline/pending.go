package pipeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
)

// pending gathers sections until they are worth an insert. One insert holds one table and one day:
// ClickHouse makes it one part, and that is what is atomic there. It holds rows of all source
// partitions: a part costs by its number of columns and files too, so twenty inserts of 10,000 rows
// cost the engine several times what one of 200,000 does.
type pending struct {
	// groups are in the order in which their first sections came. So the positions of one source
	// rise from group to group, whatever their days: two processes that archive for one raw
	// partition, one after the other, need not agree on when midnight is, and marks only rise.
	groups []*insertGroup
	newest map[string]*insertGroup // by table
	// standing says, per table and source partition, up to where it is archived; checked, of which
	// that was compared with the table.
	standing map[origin]standing
	checked  map[origin]bool
	rows     int
	bytes    int
	since    time.Time // the first of them came
	latest   time.Time // the last one did
	// The memory that the sections lie in: records, and what their columns were unpacked to.
	records  []*kgo.Record
	unpacked [][]byte
	memory   classes[byte]
}

// origin is what positions are counted by: rows of one table, of one source partition.
type origin struct {
	table, topic string
	partition    int32
}

// standing is up to where an origin is archived.
type standing struct {
	Covered int64 `json:"covered"` // no position up to it needs a row any more
	Row     int64 `json:"row"`     // the highest position that has one; -1: none
}

// insertLog is what the manifest says about a round of inserts: it ends before Until, and these are
// the standings before it.
type insertLog struct {
	Until int64  `json:"until"`
	Marks []mark `json:"marks,omitempty"`
}

type mark struct {
	Table     string `json:"table"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	standing
}

// standings returns what the log says, by origin.
func (l *insertLog) standings() map[origin]standing {
	out := map[origin]standing{}
	if l != nil {
		for _, m := range l.Marks {
			out[origin{m.Table, m.Topic, m.Partition}] = m.standing
		}
	}
	return out
}

// marks returns the standings in the log's form.
func (p *pending) marks() []mark {
	out := make([]mark, 0, len(p.standing))
	for o, s := range p.standing {
		out = append(out, mark{o.table, o.topic, o.partition, s})
	}
	slices.SortFunc(out, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// What a partition gathers is bounded in bytes, whatever the configuration says about rows: events
// may be large. A process that has many partitions gathers less of each.
const (
	pendingBytes = 64 << 20
	leastBytes   = 4 << 20
	processBytes = 192 << 20
)

// A storm's rows may wait longer than others: an insert of 50,000 rows costs the engine twice as much
// a row as one of 200,000. It is a storm when within the age limit there are a stormPart of the rows
// that make an insert, and more keep coming; then the limit is stormPatience times that.
const (
	stormPart     = 16
	stormPatience = 5
)

func newPending() *pending {
	return &pending{newest: map[string]*insertGroup{}, standing: map[origin]standing{},
		checked: map[origin]bool{}}
}

func (p *pending) empty() bool { return len(p.groups) == 0 }

// ready reports whether the rows are many or old enough, for one of so many partitions.
func (p *pending) ready(rows int, age time.Duration, partitions int) bool {
	if p.empty() {
		return false
	}
	bytes := min(max(processBytes/max(partitions, 1), leastBytes), pendingBytes)
	if p.rows >= max(rows/stormPart, 1) && time.Since(p.latest) < age/2 {
		age *= stormPatience
	}
	return p.rows >= rows || p.bytes >= bytes || time.Since(p.since) >= age
}

// add takes the sections of a block that was appended at the given time.
func (p *pending) add(env *archive.Envelope, at time.Time) {
	p.latest = time.Now()
	if p.empty() {
		p.since = p.latest
	}
	for i := range env.Sections {
		s, size := &env.Sections[i], env.Sections[i].Size()
		of := origin{s.Table, env.Topic, env.Partition}
		g := p.newest[s.Table]
		if g == nil || !g.takes(s, size) {
			g = &insertGroup{table: s.Table, number: len(p.groups), oldest: at}
			p.newest[s.Table] = g
			p.groups = append(p.groups, g)
		}
		g.add(of, env, s, size)
		p.rows += s.Rows
		p.bytes += size
	}
}

// room returns memory to unpack columns to; it goes back with the next reset.
func (p *pending) room(n int) []byte {
	b := p.memory.get(n)
	p.unpacked = append(p.unpacked, b)
	return b[:n]
}

// reset forgets everything and gives the memory of the records back.
func (p *pending) reset() {
	p.groups, p.rows, p.bytes = nil, 0, 0
	clear(p.newest)
	for i, r := range p.records {
		r.Recycle()
		p.records[i] = nil
	}
	p.records = p.records[:0]
	for i, b := range p.unpacked {
		p.memory.put(b)
		p.unpacked[i] = nil
	}
	p.unpacked = p.unpacked[:0]
}

// log returns the log of a round of what is pending, which ends before until.
func (p *pending) log(until int64) *insertLog {
	return &insertLog{Until: until, Marks: p.marks()}
}

// raise notes that all rows of a group are archived, after its batch was inserted or had none.
func (p *pending) raise(g *insertGroup) {
	for _, src := range g.sources {
		s := p.standing[src.origin]
		p.standing[src.origin] = standing{Covered: max(s.Covered, src.to-1), Row: max(s.Row, src.last)}
	}
}
