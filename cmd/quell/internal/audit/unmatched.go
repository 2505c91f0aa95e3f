package audit

import (
	"context"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What one side has and the other has not: whether that is wrong depends on retention, compaction,
// the archive's TTL and what is on its way.

// unarchived takes a record without a row.
func (c *bookCheck) unarchived(k Kind, e *entry) {
	switch {
	case !c.inTime(e):
	case !e.at.Before(c.a.outlived):
		c.waiting = append(c.waiting, c.of(k, e))
	case k == MissingPageRow:
		c.pages.Aged++
	default:
		c.revisions.Aged++
	}
}

// unseen takes a row without a record; lost says that retention may have taken that.
func (c *bookCheck) unseen(k Kind, topic string, row *entry, lost bool) {
	if !c.inTime(row) {
		return
	}
	if lost {
		if k == MissingPage {
			c.pages.Expired++
		} else {
			c.revisions.Expired++
		}
		return
	}
	w := c.of(k, row)
	w.Topic, w.Partition = topic, &row.partition
	c.unsent = append(c.unsent, w)
}

// reach notes that the archive has a record's row.
func (c *bookCheck) reach(e *entry) {
	if c.reached[e.topic] == nil {
		c.reached[e.topic] = map[int32]int64{}
	}
	if at, ok := c.reached[e.topic][e.partition]; !ok || at < e.offset {
		c.reached[e.topic][e.partition] = e.offset
	}
}

// settle judges the records without a row, now that it is known how far the archive is.
func (c *bookCheck) settle() {
	for _, w := range c.waiting {
		top, ok := c.reached[w.Topic][*w.Partition]
		behind := !ok || w.Offsets[0] > top
		switch {
		case behind && c.a.o.Wait == 0 && w.Kind == MissingPageRow:
			c.pages.Pending++
		case behind && c.a.o.Wait == 0 && w.Kind == MissingRevisionRow:
			c.revisions.Pending++
		default:
			c.late = max(c.late, unsettle)
			if behind {
				c.late = onItsWay
			}
			c.wrong.add(w, 1)
		}
	}
}

// sentSince drops what is missing from the topics and came after their ends were noted, and states
// the rest.
func (c *bookCheck) sentSince(ctx context.Context) error {
	if len(c.unsent)+len(c.lost) == 0 {
		return nil
	}
	later, err := c.later(ctx)
	if err != nil {
		return err
	}
	for _, w := range c.unsent {
		if !later[sent{w.Topic, w.Incident, w.Revision}] {
			c.wrong.add(w, 1)
		}
	}
	for _, l := range c.lost {
		if l.Kind == LostPage && later[sent{c.a.o.Topics.Pages, l.Incident, l.Revision}] {
			continue
		}
		c.late = max(c.late, unsettle)
		c.wrong.add(l.Wrong, l.n)
	}
	return nil
}

// sent names a revision or a page in its topic.
type sent struct {
	topic, id string
	revision  uint32
}

// later are the revisions and pages that came after the ends of the topics were noted.
func (c *bookCheck) later(ctx context.Context) (map[sent]bool, error) {
	later := map[sent]bool{}
	for _, list := range [][]book{c.books.incidents, c.books.pages} {
		for _, b := range list {
			ends, err := listed(c.a.adm.ListCommittedOffsets(ctx, b.Topic))
			if err != nil {
				return nil, fmt.Errorf("ends of %s: %w", b.Topic, err)
			}
			end, _ := ends.Lookup(b.Topic, b.Partition)
			b.start, b.end = b.end, end.Offset
			found, err := c.a.readBook(ctx, b, nil, func(*kgo.Record, error) {})
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				later[sent{b.Topic, e.id, e.revision}] = true
			}
		}
	}
	return later, nil
}

// pageFloors returns, for each partition of the pages topic from which retention has taken records,
// the alerts position of the first page that is still there: rows up to it may have lost theirs.
func (c *bookCheck) pageFloors(ctx context.Context, pages []entry) (map[int32]int64, error) {
	floors := map[int32]int64{}
	for _, b := range c.books.pages {
		if b.start == 0 {
			continue
		}
		first := firstOf(pages, b.Partition)
		floors[b.Partition] = math.MaxInt64
		if first == nil {
			continue
		}
		rows, err := c.a.rows(ctx, fmt.Sprintf("SELECT toInt64(if(count() = 0, %d, max(offset))) "+
			"FROM pages WHERE incident = '%s' AND revision = %d", int64(math.MaxInt64), quote(first.id), first.revision))
		if err != nil {
			return nil, err
		}
		floors[b.Partition] = number(rows[0][0])
	}
	return floors, nil
}

func firstOf(all []entry, partition int32) (first *entry) {
	for i := range all {
		if e := &all[i]; e.partition == partition && (first == nil || e.offset < first.offset) {
			first = e
		}
	}
	return first
}

// expired tells whether retention may have taken the record of a page.
func (c *bookCheck) expired(row *entry) bool {
	floor, ok := c.floors[row.partition]
	return ok && row.offset <= floor
}
