package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quell/correlate/archive"
)

// insertGroup is the sections of one insert: of one table and one day.
type insertGroup struct {
	table   string
	number  int             // of the round's groups, which names it: a round follows from its log
	sources []*insertSource // in the order of topic and partition, which is that of the tables
	rows    int
	bytes   int
	oldest  time.Time // append time of the oldest block
}

// insertSource is what an insert has of one source partition.
type insertSource struct {
	origin
	from, to int64             // positions covered
	sections []archive.Section // in the order of their positions
	last     int64             // the highest position of which the batch has a row; -1: none
}

// add takes a section of a block.
func (g *insertGroup) add(of origin, env *archive.Envelope, s *archive.Section, size int) {
	i, found := slices.BinarySearchFunc(g.sources, of, func(src *insertSource, of origin) int {
		return cmp.Or(cmp.Compare(src.topic, of.topic), cmp.Compare(src.partition, of.partition))
	})
	if !found {
		g.sources = slices.Insert(g.sources, i, &insertSource{origin: of, from: env.From, last: -1})
	}
	src := g.sources[i]
	src.to = max(src.to, env.To)
	src.sections = append(src.sections, *s)
	g.rows += s.Rows
	g.bytes += size
}

// takes reports whether s can be part of the same insert: of the same day and layout (blocks of an
// older quell may have other columns), and within the bounds of one block.
func (g *insertGroup) takes(s *archive.Section, size int) bool {
	first := &g.sources[0].sections[0]
	if s.Day() != first.Day() || len(s.Columns) != len(first.Columns) {
		return false
	}
	for i := range s.Columns {
		if s.Columns[i].Name != first.Columns[i].Name || s.Columns[i].Type != first.Columns[i].Type {
			return false
		}
	}
	return g.rows+s.Rows <= archive.MaxRows && g.bytes+size <= archive.MaxBytes
}

// batch returns the insert of the rows above the marks, and how many they are. Blocks repeat
// positions after a crash of intake; the first archived row of a position stays. The rows are in the
// order of the tables of events, so that the engine need not sort them.
func (g *insertGroup) batch(marks map[origin]standing) (b archive.Batch, rows int) {
	b = archive.Batch{Table: g.table, Token: strconv.Itoa(g.number)}
	for _, src := range g.sources {
		mark := int64(-1)
		if s, ok := marks[src.origin]; ok {
			mark = s.Covered
		}
		src.last = -1
		for i := range src.sections {
			s := src.sections[i].TrimBefore(mark + 1)
			if s.Rows == 0 {
				continue
			}
			src.last = s.LastOffset()
			mark = max(mark, src.last)
			rows += s.Rows
			b.Sections = append(b.Sections, s)
		}
	}
	return b, rows
}

// String tells whose positions the group covers, for people.
func (g *insertGroup) String() string {
	const most = 4
	var b strings.Builder
	for i, src := range g.sources[:min(len(g.sources), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s/%d [%d, %d)", src.topic, src.partition, src.from, src.to)
	}
	if more := len(g.sources) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
