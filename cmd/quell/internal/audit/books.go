package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
)

// entry is a revision or a page in its topic, or its rows in the archive.
type entry struct {
	id        string
	revision  uint32
	partition int32
	at        time.Time // record time; of a row, the engine's clock
	offset    int64     // of the record; of a row, the position of the alerts partition
	count     int64     // records or rows, see group
	offsets   []int64   // of all records
	opened    time.Time // of a row of a revision
	pages     int64     // of a row of a revision: how many pages it says were sent
	kept      bool      // of a row: it was archived later than anything that the TTL has taken
	topic     string
}

func (e *entry) compare(o *entry) int {
	return cmp.Or(strings.Compare(e.id, o.id), cmp.Compare(e.revision, o.revision))
}

// named finds (id, revision) in every form that pages have.
type named struct {
	ID       string `json:"id"`
	Revision uint32 `json:"revision"`
	Payload  struct {
		Details struct {
			Incident string `json:"incident"`
			Revision uint32 `json:"revision"`
		} `json:"custom_details"`
	} `json:"payload"`
}

// readBook reads records [from, to) of a partition of the incidents or the pages topic.
func (a *auditor) readBook(ctx context.Context, b book, into []entry,
	unreadable func(*kgo.Record, error)) ([]entry, error) {
	err := a.log.records(ctx, b.RawPartition, b.start, b.end, func(r *kgo.Record) error {
		var n named
		err := json.Unmarshal(r.Value, &n)
		if n.ID == "" {
			n.ID, n.Revision = n.Payload.Details.Incident, n.Payload.Details.Revision
		}
		switch {
		case err != nil:
		case n.ID == "" || n.Revision == 0:
			err = fmt.Errorf("no incident or no revision in it")
		case n.ID != string(r.Key):
			err = fmt.Errorf("it is about incident %s under the key %q", n.ID, r.Key)
		}
		if err != nil {
			unreadable(r, err)
			return nil
		}
		into = append(into, entry{id: n.ID, revision: n.Revision, partition: r.Partition,
			at: r.Timestamp, offset: r.Offset, count: 1, topic: r.Topic})
		return nil
	})
	return into, err
}

// group sorts entries by (id, revision) and joins those that have the same.
func group(all []entry) []entry {
	slices.SortStableFunc(all, func(x, y entry) int { return x.compare(&y) })
	out := all[:0]
	for _, e := range all {
		n := len(out) - 1
		if n < 0 || out[n].compare(&e) != 0 {
			out = append(out, e)
			continue
		}
		if out[n].count++; out[n].offsets == nil {
			out[n].offsets = []int64{out[n].offset}
		}
		out[n].offsets = append(out[n].offsets, e.offset)
	}
	return out
}

// positions are the offsets of the entry's records.
func (e *entry) positions() []int64 {
	if e.offsets != nil {
		return e.offsets
	}
	return []int64{e.offset}
}

// stream is entries in the order of (id, revision), one at a time.
type stream struct {
	next func() (entry, error, bool)
	stop func()
	head entry
	ok   bool
}

func newStream(seq iter.Seq2[entry, error]) (*stream, error) {
	s := new(stream)
	s.next, s.stop = iter.Pull2(seq)
	return s, s.step()
}

func (s *stream) step() (err error) {
	s.head, err, s.ok = s.next()
	return err
}

// take returns the head if it is e's (id, revision), and steps.
func (s *stream) take(e *entry) (*entry, error) {
	if !s.ok || s.head.compare(e) != 0 {
		return nil, nil
	}
	head := s.head
	return &head, s.step()
}

func listOf(all []entry) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for i := range all {
			if !yield(all[i], nil) {
				return
			}
		}
	}
}

// rowsOf are the archive's rows of revisions or pages, asked for now and read as they are used.
func (a *auditor) rowsOf(ctx context.Context, table string) (iter.Seq2[entry, error], error) {
	pages := "0" // a page does not say
	if table == archive.TableRevisions {
		pages = "max(pages)"
	}
	res, err := a.o.Archive.Query(ctx, "SELECT incident, revision, toInt64(count()), any(partition), "+
		"min(offset), toUnixTimestamp64Milli(min(at)), toUnixTimestamp64Milli(min(opened)), toInt64("+pages+
		"), min(archive_day) > toDate('"+a.day+"') FROM "+table+
		" GROUP BY incident, revision ORDER BY incident, revision")
	if err != nil {
		return nil, err
	}
	return func(yield func(entry, error) bool) {
		defer func() { _ = res.Close() }()
		for row, err := range res.All() {
			if err != nil {
				yield(entry{}, err)
				return
			}
			if !yield(entry{id: row[0].(string), revision: uint32(number(row[1])), count: number(row[2]),
				partition: int32(number(row[3])), offset: number(row[4]), at: time.UnixMilli(number(row[5])),
				opened: time.UnixMilli(number(row[6])), pages: number(row[7]), kept: number(row[8]) > 0}, nil) {
				return
			}
		}
	}, nil
}
