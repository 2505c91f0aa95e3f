//go:build synctests

package virtual

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
	records "quell/correlate/wire"
	"quell/pipeline"
)

// finish resolves what fires, waits until everything is told and archived, stops all processes
// cleanly and checks the run.
func (w *world) finish() {
	w.t.Helper()
	w.clear()
	w.archive.mind(0)
	w.eventually("every event is archived", w.archived)
	state := ""
	w.eventually("every incident is over, and they count all events", func() bool {
		events, orphans := w.counted()
		over := w.resolved()
		if now := fmt.Sprintf("of %d events, incidents count %d, %d are orphans; over: %v", w.events(), events,
			orphans, over); now != state {
			state = now
			w.say("finish", "%s", state)
		}
		return over && events+orphans >= w.events()
	})
	w.eventually("every revision and every page is archived", func() bool {
		return len(w.archive.Rows(archive.TableRevisions)) >= len(w.read("incidents")) &&
			len(w.archive.Rows(archive.TablePages)) >= len(w.read("pages"))
	})
	for _, p := range w.processes {
		p.stop()
	}
	w.archive.late.Wait()
	w.check()
}

// events is how many events were sent that are events.
func (w *world) events() (n uint64) {
	for _, sent := range w.sent {
		n += uint64(sent)
	}
	return n - uint64(w.bad)
}

func (w *world) archived() bool {
	for p, sent := range w.sent {
		if int64(len(w.positions(p))) < sent {
			return false
		}
	}
	return true
}

// positions returns the archived positions of a raw partition, of events and of rejected records.
func (w *world) positions(p int32) []int64 {
	out := append(w.archive.Offsets(archive.TableEvents, "events", p),
		w.archive.Offsets(archive.TableRejected, "events", p)...)
	slices.Sort(out)
	return out
}

// counted returns how many events were added to incidents, and how many resolved something that
// nobody remembered any more, which belong to none.
func (w *world) counted() (events, orphans uint64) {
	for _, row := range w.archive.Rows(archive.TableDispositions) {
		events += row["added"].(uint64)
		if row["disposition"] == correlate.OrphanResolve.String() {
			orphans++
		}
	}
	return events, orphans
}

// resolved reports whether all incidents are resolved.
func (w *world) resolved() bool {
	newest := map[string]correlate.State{}
	for _, r := range w.read("incidents") {
		var in correlate.Incident
		if err := json.Unmarshal(r.Value, &in); err != nil {
			w.t.Fatal(err)
		}
		newest[in.ID] = in.State
	}
	for _, state := range newest {
		if state != correlate.ResolvedDone {
			return false
		}
	}
	return true
}

// read returns the committed records of a topic, by partition.
func (w *world) read(topic string) []*kgo.Record {
	w.t.Helper()
	return w.readUpTo(topic, nil, kgo.ReadCommitted())
}

// readUpTo reads partitions up to given offsets; nil: to their ends.
func (w *world) readUpTo(topic string, ends map[int32]int64, isolation kgo.IsolationLevel) []*kgo.Record {
	w.t.Helper()
	if ends == nil {
		ends = map[int32]int64{}
		listed, err := w.adm.ListCommittedOffsets(w.t.Context(), topic)
		if err != nil {
			w.t.Fatal(err)
		}
		listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	}
	from := map[int32]kgo.Offset{}
	maps.DeleteFunc(ends, func(_ int32, end int64) bool { return end == 0 })
	for p := range ends {
		from[p] = kgo.NewOffset().AtStart()
	}
	if len(ends) == 0 {
		return nil
	}
	cl := w.client(kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.FetchMaxWait(10*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var out []*kgo.Record
	for len(ends) > 0 {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			end, open := ends[r.Partition]
			if open && r.Offset < end && !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if open && r.Offset+1 >= end {
				delete(ends, r.Partition)
			}
		})
		if ctx.Err() != nil {
			w.t.Fatalf("%s was not read to its end: %v", topic, ends)
		}
	}
	slices.SortStableFunc(out, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return out
}

// check compares what is visible and archived at the end with what it must be.
func (w *world) check() {
	w.t.Helper()
	for p, sent := range w.sent {
		want := make([]int64, sent)
		for i := range want {
			want[i] = int64(i)
		}
		if got := w.positions(p); !slices.Equal(got, want) {
			w.t.Errorf("events/%d: the archive holds positions %v, want each of 0 to %d once", p, got, sent-1)
		}
	}
	if events, orphans := w.counted(); events+orphans != w.events() {
		w.t.Errorf("the incidents count %d events and %d are orphans, %d were sent", events, orphans, w.events())
	}
	told := w.refold()
	w.same("incidents", told.incidents)
	w.same("pages", told.pages)
	w.sameRows(archive.TableDispositions, told.disposed)
	w.sameRows(archive.TableRevisions, told.revised)
	w.sameRows(archive.TablePages, told.paged)
}

// account is what an engine tells about an alerts topic.
type account struct {
	incidents, pages         [][]byte
	disposed, revised, paged map[string]int // rows by what names them
}

// refold folds the alerts topic silently from its beginning up to the committed positions.
func (w *world) refold() *account {
	w.t.Helper()
	units, err := pipeline.Units(w.t.Context(), &pipeline.Kafka{Brokers: w.options.Kafka.Brokers,
		More: network(w.net.DialContext)}, &w.options.Topics)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &account{disposed: map[string]int{}, revised: map[string]int{}, paged: map[string]int{}}
	for id := range w.options.Topics.AlertsPartitions {
		name := fmt.Sprintf("correlate/alerts/%d", id)
		i := slices.IndexFunc(units, func(u pipeline.Unit) bool { return u.Name == name })
		if i < 0 {
			w.t.Fatalf("%s has no state", name)
		}
		e := w.fold(a, id, units[i].Position)
		if hash := e.Hash(); hex.EncodeToString(hash[:]) != units[i].Hash {
			w.t.Errorf("%s: a refold to %d gives hash %x, %s was committed", name, units[i].Position, hash, units[i].Hash)
		}
	}
	return a
}

func (w *world) fold(a *account, id int32, to int64) *correlate.Engine {
	w.t.Helper()
	e, err := correlate.New(correlate.Options{Partition: id, Clock: w.options.Clock,
		Limits: w.options.Correlate.Limits, RuleSet: w.rules,
		RuleSets: func(correlate.RuleHash) (correlate.RuleSet, bool) { return w.rules, true }})
	if err != nil {
		w.t.Fatal(err)
	}
	var fx correlate.Effects
	for _, r := range w.readUpTo("alerts", map[int32]int64{id: to}, kgo.ReadUncommitted()) {
		rec, err := records.Decode(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		rec.Offset, rec.Time = r.Offset, correlate.Time(r.Timestamp.UnixMilli())
		if err := e.Step([]correlate.Record{rec}, &fx); err != nil {
			w.t.Fatal(err)
		}
		a.add(&fx)
		fx.Reset()
	}
	return e
}

func (a *account) add(fx *correlate.Effects) {
	for i := range fx.Incidents {
		b, _ := form{}.AppendIncident(nil, &fx.Incidents[i])
		a.incidents = append(a.incidents, b)
		a.revised[fmt.Sprint(fx.Incidents[i].ID, " ", fx.Incidents[i].Revision)]++
	}
	for i := range fx.Pages {
		b, _ := form{}.AppendPage(nil, &fx.Pages[i])
		a.pages = append(a.pages, b)
		a.paged[fmt.Sprint(fx.Pages[i].ID, " ", fx.Pages[i].Revision)]++
	}
	for i := range fx.Disposed {
		d := &fx.Disposed[i]
		a.disposed[fmt.Sprint(d.Alert.Raw.Partition, " ", d.Alert.Raw.Offset, " ", d.Disposition,
			" ", d.Added, " ", d.Incident)]++
	}
}

// same demands that a topic shows exactly these values, in this order.
func (w *world) same(topic string, want [][]byte) {
	w.t.Helper()
	got := w.read(topic)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			w.t.Errorf("%s: %d of %d are missing, the first: %s", topic, len(want)-i, len(want), want[i])
			return
		case i >= len(want):
			w.t.Errorf("%s: %d too many, the first: %s", topic, len(got)-i, got[i].Value)
			return
		case !bytes.Equal(got[i].Value, want[i]):
			w.t.Errorf("%s: number %d is\n%s\nand the refold says\n%s", topic, i, got[i].Value, want[i])
			return
		}
	}
}

// sameRows demands that a table of the archive has exactly the rows that were told.
func (w *world) sameRows(table string, want map[string]int) {
	w.t.Helper()
	got := map[string]int{}
	for _, row := range w.archive.Rows(table) {
		if table == archive.TableDispositions {
			got[fmt.Sprint(row["raw_partition"], " ", row["raw_offset"], " ", row["disposition"],
				" ", row["added"], " ", row["incident"])]++
		} else {
			got[fmt.Sprint(row["incident"], " ", row["revision"])]++
		}
	}
	if !maps.Equal(got, want) {
		w.t.Errorf("%s: %d different rows, want %d", table, len(got), len(want))
		for k, n := range want {
			if got[k] != n {
				w.t.Errorf("%s: %q is archived %d times, want %d", table, k, got[k], n)
			}
		}
		for k := range got {
			if want[k] == 0 {
				w.t.Errorf("%s: %q is archived and was never told", table, k)
			}
		}
	}
}
