package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"quell/correlate"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
)

// Item is one line with its place in a plan.
type Item struct {
	File   int32 // index into Plan.Files
	Number int32 // of the line
	Time   correlate.Time
	Key    correlate.Fingerprint // of the event; a rejected line has that of the line before it
	Index  uint64                // for choosing the partition
	Value  []byte
	// Rejected says that the topic's format refuses the line, as intake will.
	Rejected bool
}

// Plan is the lines of some files in the order of their times.
type Plan struct {
	Files []string // base names, made unique
	Items []Item
}

// Stamper tells a line's time and key as intake will see them.
type Stamper struct {
	topic    string
	decoder  *decode.Decoder
	identity *dedup.Identity
	event    correlate.Event
	last     Item
}

// NewStamper returns a stamper for a topic's format and the configured identity.
func NewStamper(topic string, f *decode.Format, c dedup.IdentityConfig) (*Stamper, error) {
	id, err := dedup.NewIdentity(c)
	if err != nil {
		return nil, err
	}
	// Before the first event that has a time, lines without one get the earliest that is valid.
	return &Stamper{topic: topic, decoder: f.NewDecoder(), identity: id, last: Item{Time: 1000}}, nil
}

// Stamp fills the item's time, key, index and rejection from its value.
func (s *Stamper) Stamp(it *Item) {
	s.decoder.Reset()
	_, rejected := s.decoder.Decode(it.Value, decode.RecordMeta{Topic: s.topic, Time: s.last.Time}, &s.event)
	if rejected == nil {
		s.last.Time = s.event.Time
		s.last.Key, s.last.Index = s.identity.Fingerprint(&s.event)
	}
	it.Time, it.Key, it.Index = s.last.Time, s.last.Key, s.last.Index
	it.Rejected = rejected != nil
}

// Read reads files whole and orders their lines by time. Progress is told the number of lines read
// so far, every now and then. It returns the context's error soon after that has ended.
func Read(ctx context.Context, names []string, stdin io.Reader, s *Stamper,
	progress func(lines int)) (*Plan, error) {
	p := &Plan{Files: unique(names)}
	var arena []byte
	for i, name := range names {
		r, err := Open(name, stdin)
		if err != nil {
			return nil, err
		}
		for {
			line, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if cap(arena)-len(arena) < len(line.Value) {
				arena = make([]byte, 0, max(1<<20, len(line.Value)))
			}
			n := len(arena)
			arena = append(arena, line.Value...)
			it := Item{File: int32(i), Number: int32(line.Number), Value: arena[n:len(arena):len(arena)]}
			s.Stamp(&it)
			p.Items = append(p.Items, it)
			if len(p.Items)%8192 == 0 {
				progress(len(p.Items))
				if err := ctx.Err(); err != nil {
					return nil, errors.Join(err, r.Close())
				}
			}
		}
		if err := r.Close(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	slices.SortStableFunc(p.Items, func(a, b Item) int { return cmp.Compare(a.Time, b.Time) })
	progress(len(p.Items))
	return p, nil
}

// unique returns the files' base names, or their full names where base names would be equal.
func unique(names []string) []string {
	count := map[string]int{}
	for _, n := range names {
		count[filepath.Base(n)]++
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = filepath.Base(n)
		if count[out[i]] > 1 {
			out[i] = n
		}
	}
	return out
}
