package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/correlate"
	"quell/correlate/wire"
	"quell/pipeline"
)

// told is what an alerts partition brought about, in order.
type told struct {
	incidents, pages []*kgo.Record // key and value
	disposed         []string      // by disposedLine
	alerts           int
	hash             string
}

// refold folds an alerts partition from its beginning up to a position, with an engine that never
// saw a crash, and returns all that it says.
func (w *world) refold(ctx context.Context, partition int32, to int64) (*told, error) {
	engine, err := correlate.New(correlate.Options{Partition: partition, Clock: w.config.Clock,
		Limits: w.config.EngineLimits(), RuleSet: w.config.RuleSet()})
	if err != nil {
		return nil, err
	}
	form, err := app.Form(w.config)
	if err != nil {
		return nil, err
	}
	out := new(told)
	var fx correlate.Effects
	err = reach{addr: w.broker.Addr(), topic: w.topics.Alerts, partition: partition, to: to}.each(ctx,
		func(r *kgo.Record) error {
			rec, err := wire.Decode(r.Value)
			if err != nil {
				return err
			}
			rec.Offset, rec.Time = r.Offset, correlate.Time(r.Timestamp.UnixMilli())
			if rec.Kind == correlate.KindAlert {
				out.alerts++
			}
			fx.Reset()
			if err := engine.Step([]correlate.Record{rec}, &fx); err != nil {
				return err
			}
			return out.add(&fx, form)
		})
	hash := engine.Hash()
	out.hash = hex.EncodeToString(hash[:])
	if err != nil {
		return nil, fmt.Errorf("refold of alerts partition %d: %w", partition, err)
	}
	return out, nil
}

func (t *told) add(fx *correlate.Effects, form pipeline.PageForm) error {
	for i := range fx.Incidents {
		value, err := form.AppendIncident(nil, &fx.Incidents[i])
		if err != nil {
			return err
		}
		t.incidents = append(t.incidents, &kgo.Record{Key: []byte(fx.Incidents[i].ID), Value: value})
	}
	for i := range fx.Pages {
		value, err := form.AppendPage(nil, &fx.Pages[i])
		if err != nil {
			return err
		}
		t.pages = append(t.pages, &kgo.Record{Key: []byte(fx.Pages[i].ID), Value: value})
	}
	for i := range fx.Disposed {
		d := &fx.Disposed[i]
		t.disposed = append(t.disposed, disposedLine(d.Alert.Raw.Partition, d.Alert.Raw.Offset,
			d.Alert.FirstOffset, d.Alert.Flush, d.Disposition.String(), d.Incident, d.Rule, d.Added))
	}
	return nil
}

func disposedLine(partition int32, offset, first int64, flush bool, what, incident, rule string,
	added uint64) string {
	return fmt.Sprintf("%d/%d first %d flush %t: %s %q of rule %q, %d events", partition, offset, first,
		flush, what, incident, rule, added)
}

// checkRefold compares what read_committed consumers see, and what the pager saw while it happened,
// with the silent refold of the same alerts. It is made when the processes have stopped.
func (w *world) checkRefold(ctx context.Context, v *verdict) error {
	for p := range w.topics.AlertsPartitions {
		c, err := readCommitted(ctx, w.broker.Addr(), w.topics.Snapshots, p)
		if err != nil {
			return err
		}
		if c.Position == 0 {
			return fmt.Errorf("alerts partition %d has no committed position in %s: has its form changed? "+
				"teach readCommitted", p, w.topics.Snapshots)
		}
		want, err := w.refold(ctx, p, c.Position)
		if err != nil {
			return err
		}
		if want.hash != c.Hash {
			v.Different.add("alerts partition %d up to %d: the refold's hash is %s, committed is %s", p,
				c.Position, want.hash, c.Hash)
		}
		if err := w.checkTold(ctx, p, want, v); err != nil {
			return err
		}
		v.Alerts += want.alerts
	}
	return nil
}

func (w *world) checkTold(ctx context.Context, p int32, want *told, v *verdict) error {
	incidents, err := visible(ctx, w.broker.Addr(), w.adm, w.topics.Incidents, p)
	if err != nil {
		return err
	}
	pages, err := visible(ctx, w.broker.Addr(), w.adm, w.topics.Pages, p)
	if err != nil {
		return err
	}
	compare(fmt.Sprintf("revision (partition %d)", p), incidents, want.incidents, v)
	compare(fmt.Sprintf("page (partition %d)", p), pages, want.pages, v)
	v.Revisions, v.Pages = v.Revisions+len(incidents), v.Pages+len(pages)

	if err := until(ctx, flowWithin, "the pager has read all pages", func() (bool, error) {
		return w.pager.count(p) >= len(pages), nil
	}); err != nil {
		return err
	}
	w.pager.mu.Lock()
	defer w.pager.mu.Unlock()
	compare(fmt.Sprintf("page seen during the round (partition %d)", p), w.pager.pages[p], want.pages, v)
	for _, s := range w.pager.wrong {
		v.Doubled.add("%s", s)
	}
	w.pager.wrong = nil
	return nil
}

// nameOf returns (id, revision) of an incident's revision or a page.
func nameOf(r *kgo.Record) string {
	var p page
	if err := json.Unmarshal(r.Value, &p); err != nil {
		return fmt.Sprintf("%s, unreadable", r.Key)
	}
	return fmt.Sprintf("%s revision %d", p.ID, p.Revision)
}

// compare holds what is there against what should be: by (id, revision) first, so that what is
// lost and what is doubled is named, then byte by byte and in order.
func compare(what string, have, want []*kgo.Record, v *verdict) {
	seen, should := map[string]*kgo.Record{}, map[string]*kgo.Record{}
	for _, r := range want {
		should[nameOf(r)] = r
	}
	for _, r := range have {
		name := nameOf(r)
		if seen[name] != nil {
			v.Doubled.add("%s %s is visible twice", what, name)
		}
		seen[name] = r
		switch w := should[name]; {
		case w == nil:
			v.Different.add("%s %s is visible and the refold does not have it", what, name)
		case !bytes.Equal(w.Value, r.Value) || !bytes.Equal(w.Key, r.Key):
			v.Different.add("%s %s differs: %s, want %s", what, name, r.Value, w.Value)
		}
	}
	for name := range should {
		if seen[name] == nil {
			v.Lost.add("%s %s is not visible", what, name)
		}
	}
	same := func(a, b *kgo.Record) bool { return bytes.Equal(a.Value, b.Value) }
	if len(have) == len(want) && !slices.EqualFunc(have, want, same) && v.wrong() == 0 {
		v.Different.add("%s: all are there, in another order", what)
	}
}

// checkDispositions compares the archive's dispositions with the refold's, up to the highest offset
// of the alerts topic that the archive holds: what came after that is on its way.
func (w *world) checkDispositions(ctx context.Context, v *verdict) error {
	for p := range w.topics.AlertsPartitions {
		rows, err := w.store.query(ctx, fmt.Sprintf(`SELECT offset, raw_partition, raw_offset, first_offset,
			flush, disposition, incident, rule, added FROM %s.dispositions
			WHERE partition = %d ORDER BY offset`, w.database(), p))
		if err != nil || len(rows) == 0 {
			return err
		}
		var have []string
		var last int64
		for _, r := range rows {
			var rp int32
			var offset, first int64
			var added uint64
			if _, err := fmt.Sscan(r[0]+" "+r[1]+" "+r[2]+" "+r[3]+" "+r[8], &last, &rp, &offset, &first,
				&added); err != nil {
				return fmt.Errorf("row %v of dispositions: %w", r, err)
			}
			have = append(have, disposedLine(rp, offset, first, r[4] == "true" || r[4] == "1", r[5], r[6],
				r[7], added))
		}
		want, err := w.refold(ctx, p, last+1)
		if err != nil {
			return err
		}
		v.Dispositions += len(have)
		compareLines(fmt.Sprintf("disposition (partition %d)", p), have, want.disposed, v)
	}
	return nil
}

// compareLines compares two multisets.
func compareLines(what string, have, want []string, v *verdict) {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range have {
		if count[l]--; count[l] == -1 {
			v.Doubled.add("%s is archived more often than the refold says: %s", what, l)
		}
	}
	for _, l := range want {
		if count[l] > 0 {
			v.Lost.add("%s is not archived: %s", what, l)
			count[l] = 0
		}
	}
}
