package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"quell/correlate"
)

// part is a raw partition, or one of the responses topic.
type part struct {
	correlate.RawPartition
	responses  bool
	start, end int64 // of the log
	low, high  int64 // the positions that are looked at
}

// book is one partition of the incidents or the pages topic.
type book struct {
	correlate.RawPartition
	start, end int64
}

// books are the incidents topic's partitions and the pages topic's.
type books struct{ incidents, pages []book }

// open notes where the logs begin and end. The ends are last stable offsets: what an open
// transaction holds back is not there yet.
func (a *auditor) open(ctx context.Context) (*books, error) {
	t := &a.o.Topics
	names := []string{t.Incidents, t.Pages, t.Responses}
	var raw []string
	for _, r := range t.Raw {
		raw = append(raw, r.Name)
	}
	names = append(names, raw...)
	ends, err := listed(a.adm.ListCommittedOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("ends of the topics: %w", err)
	}
	starts, err := listed(a.adm.ListStartOffsets(ctx, names...))
	if err != nil {
		return nil, fmt.Errorf("starts of the topics: %w", err)
	}
	out := &books{incidents: booksOf(t.Incidents, starts, ends), pages: booksOf(t.Pages, starts, ends)}
	for _, name := range append(raw, t.Responses) {
		for _, b := range booksOf(name, starts, ends) {
			a.parts = append(a.parts, part{RawPartition: b.RawPartition, responses: name == t.Responses,
				start: b.start, end: b.end, low: b.start, high: b.end})
		}
	}
	if err := a.restrict(ctx, append(raw, t.Responses)); err != nil {
		return nil, err
	}
	return out, a.addUnknownPartitions(ctx)
}

func booksOf(topic string, starts, ends kadm.ListedOffsets) (out []book) {
	for id, end := range ends[topic] {
		start, _ := starts.Lookup(topic, id)
		out = append(out, book{correlate.RawPartition{Topic: topic, Partition: id},
			min(start.Offset, end.Offset), end.Offset})
	}
	slices.SortFunc(out, func(x, y book) int { return cmp.Compare(x.Partition, y.Partition) })
	return out
}

// listed joins the two places where listing offsets says what failed.
func listed(l kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err != nil {
		return l, err
	}
	l.Each(func(o kadm.ListedOffset) {
		if errors.Is(o.Err, kerr.UnknownTopicOrPartition) && err == nil {
			err = fmt.Errorf("topic %s is not there: is this the right cluster and configuration? `quell "+
				"topics create` makes missing topics: %w", o.Topic, o.Err)
		}
	})
	return l, cmp.Or(err, l.Error())
}

// restrict finds the positions of the times asked for: from the first record that was received
// then or later.
func (a *auditor) restrict(ctx context.Context, names []string) error {
	for _, bound := range []struct {
		at  time.Time
		set func(p *part, offset int64)
	}{
		{a.o.From, func(p *part, offset int64) { p.low = min(max(offset, p.start), p.end) }},
		{a.o.To, func(p *part, offset int64) { p.high = min(max(offset, p.low), p.end) }},
	} {
		if bound.at.IsZero() {
			continue
		}
		found, err := listed(a.adm.ListOffsetsAfterMilli(ctx, bound.at.UnixMilli(), names...))
		if err != nil {
			return fmt.Errorf("positions at %s: %w", bound.at.Format(time.RFC3339), err)
		}
		for i := range a.parts {
			if o, ok := found.Lookup(a.parts[i].Topic, a.parts[i].Partition); ok {
				bound.set(&a.parts[i], o.Offset)
			}
		}
	}
	return nil
}

// timed tells whether only a part of the time is looked at.
func (a *auditor) timed() bool { return !a.o.From.IsZero() || !a.o.To.IsZero() }

// within tells whether t is in the time that is looked at.
func (a *auditor) within(t time.Time) bool {
	return !t.Before(a.o.From) && (a.o.To.IsZero() || t.Before(a.o.To))
}

// addUnknownPartitions adds partitions of which the archive has rows and Kafka knows nothing.
func (a *auditor) addUnknownPartitions(ctx context.Context) error {
	known := map[correlate.RawPartition]bool{}
	topics := map[string]bool{} // is it the responses topic?
	for i := range a.parts {
		known[a.parts[i].RawPartition] = true
		topics[a.parts[i].Topic] = a.parts[i].responses
	}
	rows, err := a.rows(ctx, "SELECT DISTINCT topic, partition FROM events UNION DISTINCT "+
		"SELECT DISTINCT topic, partition FROM rejected ORDER BY 1, 2")
	if err != nil {
		return err
	}
	for _, r := range rows {
		p := correlate.RawPartition{Topic: r[0].(string), Partition: int32(number(r[1]))}
		if responses, ok := topics[p.Topic]; ok && !known[p] {
			a.parts = append(a.parts, part{RawPartition: p, responses: responses})
		}
	}
	return nil
}
