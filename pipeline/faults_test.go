package pipeline_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline"
	"quell/rules"
)

// Whatever request fails, also one that did its work and says that it did not: every event is
// counted once and archived once, and no revision appears twice.
func TestFaults(t *testing.T) {
	cases := []struct {
		name  string
		fault kfake.Fault
	}{
		{"an alert is refused", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "alerts",
			Err: kerr.TopicAuthorizationFailed, Count: 6}},
		{"an alert is written and not acknowledged", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "alerts",
			Err: kerr.RequestTimedOut, Count: 6}},
		{"a block is refused", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "archive",
			Err: kerr.TopicAuthorizationFailed, Count: 3}},
		{"a checkpoint is refused", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "checkpoints",
			Err: kerr.TopicAuthorizationFailed, Count: 3}},
		{"a page is refused", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "pages",
			Err: kerr.TopicAuthorizationFailed, Count: 2}},
		{"a transaction's end is refused", kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn},
			TopLevel: true, Err: kerr.UnknownServerError, Count: 2}},
		{"a transaction is committed and not acknowledged", kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn},
			TopLevel: true, Err: kerr.RequestTimedOut, Count: 2}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			w := newWorldOn(t, pipeline.Kafka{Brokers: cluster.ListenAddrs()}, func(o *pipeline.Options, _ *rules.Spec) {
				o.Topics.Raw[0].Partitions = 1
			})
			s, stop := w.start()
			const events = 300
			sendFast(w, 0, events/3)
			eventually(t, "the first events are archived", func() bool { return s.Status().Rows["events"] == events/3 })
			h := cluster.Fault(c.fault)
			sendFast(w, events/3, events)
			if err := h.Wait(t.Context(), c.fault.Count); err != nil {
				t.Fatal(err)
			}
			eventually(t, "every event is counted", func() bool { return w.counted() == events })
			eventually(t, "every event is archived", func() bool {
				return len(w.archive.Offsets("events", "events", 0)) >= events
			})
			stop()
			w.wantOnce(events)
		})
	}
}

// sendFast produces events about entities from, from+1, ... to-1, without waiting for each.
func sendFast(w *world, from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.cl.Produce(w.t.Context(), &kgo.Record{Topic: "events",
			Value: []byte(event("shop", fmt.Sprint(i), "error", "firing"))}, nil)
	}
	if err := w.cl.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// revisions returns all committed revisions.
func (w *world) revisions() (out []correlate.Incident) {
	for _, r := range w.read("incidents") {
		var in correlate.Incident
		if err := json.Unmarshal(r.Value, &in); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, in)
	}
	return out
}

// counted returns how many events the newest revision counts, or a page that came later.
func (w *world) counted() (n uint64) {
	for _, in := range w.revisions() {
		n = max(n, uint64(in.Events))
	}
	for _, p := range w.pages() {
		n = max(n, uint64(p.Events))
	}
	return n
}

// wantOnce demands that the positions 0 to n of the raw partition are archived once each, and that
// each revision and each page is there once.
func (w *world) wantOnce(n int) {
	w.t.Helper()
	want := make([]int64, n)
	for i := range want {
		want[i] = int64(i)
	}
	if got := w.archive.Offsets("events", "events", 0); !slices.Equal(got, want) {
		w.t.Errorf("%d positions archived, want %d once each", len(got), n)
	}
	seen := map[string]int{}
	for _, in := range w.revisions() {
		seen[fmt.Sprint("revision ", in.ID, " ", in.Revision)]++
	}
	for _, p := range w.pages() {
		seen[fmt.Sprint("page ", p.ID, " ", p.Revision)]++
	}
	for what, times := range seen {
		if times != 1 {
			w.t.Errorf("%s appears %d times", what, times)
		}
	}
}

// choosy is an archive that refuses some rows.
type choosy struct {
	archive.Archive
	fault atomic.Int32 // of inserts into events; 0 refuses nothing
}

func (c *choosy) Insert(ctx context.Context, b archive.Batch) error {
	if f := archive.Fault(c.fault.Load()); f != 0 && b.Table == "events" {
		return &archive.Error{Fault: f, Err: errors.New("not these rows")}
	}
	return c.Archive.Insert(ctx, b)
}

// Rows that the archive refuses for good stop their partition loudly: they are neither left out nor
// does anybody have to find out by chance.
func TestArchiveRefuses(t *testing.T) {
	for _, f := range []archive.Fault{archive.FaultReject, archive.FaultStop} {
		t.Run(f.String(), func(t *testing.T) {
			c, reg := new(choosy), prometheus.NewRegistry()
			log := new(errorCount)
			w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
				c.Archive, o.Archive.To, o.Metrics, o.Logger = o.Archive.To, c, reg, log.logger()
			})
			c.fault.Store(int32(f))
			s, stop := w.start()
			w.send(0, event("shop", "pod-1", "critical", "firing"))
			eventually(t, "a page", func() bool { return len(w.pages()) == 1 })
			eventually(t, "the partition says that it stands still", func() bool {
				return metric(t, reg, "quell_archive_blocked") == 1 && log.n.Load() > 1
			})
			eventually(t, "the lag shows it", func() bool {
				return metric(t, reg, "quell_consumer_lag_records", "archive", "archive") > 0
			})
			c.fault.Store(0)
			eventually(t, "the rows are archived", func() bool { return s.Status().Rows["events"] == 1 })
			eventually(t, "nothing stands still", func() bool { return metric(t, reg, "quell_archive_blocked") == 0 })
			stop()
			w.wantOnce(1)
		})
	}
}

// metric returns the sum of a gauge's series that have all the given label values.
func metric(t *testing.T, reg *prometheus.Registry, name string, values ...string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			have := ""
			for _, l := range m.GetLabel() {
				have += " " + l.GetValue()
			}
			all := f.GetName() == name
			for _, v := range values {
				all = all && strings.Contains(have+" ", " "+v+" ")
			}
			if all {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A raw partition whose last record ends a transaction is read to its end: nothing waits for a
// record that will not come.
func TestTransactionalProducer(t *testing.T) {
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
		o.Clock, o.Topics.Raw[0].Partitions = correlate.ClockEvent, 1
	})
	tx := w.client(kgo.TransactionalID("monitoring"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer tx.Close()
	at := time.Date(2022, 1, 26, 0, 0, 0, 0, time.UTC)
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(t.Context(), &kgo.Record{Topic: "events", Timestamp: at.Add(time.Duration(i) * time.Second),
			Value: []byte(event("shop", fmt.Sprint(i), "error", "firing"))}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		// The first record is answered before the client knows its topic, and a transaction of which it
		// knows no topic is aborted.
		eventually(t, "the client knows the topic", func() bool {
			leader, _, _ := tx.PartitionLeader("events", 0)
			return leader >= 0
		})
		if err := tx.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	raw := correlate.RawPartition{Topic: "events"}
	ends, err := w.adm.ListEndOffsets(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("events", 0)
	w.options.Until = map[correlate.RawPartition]int64{raw: end.Offset}
	s, _ := w.start()
	eventually(t, "the end is reached", func() bool {
		st := s.Status()
		return len(st.Engines) == 1 && st.Engines[0].Ended && st.Read["events"][0] == end.Offset && st.Rows["events"] == 2
	})
}

// What retention took from under a position is lost; standing still would lose the rest too.
func TestRetentionOvertakes(t *testing.T) {
	w := newWorld(t, nil)
	_, stop := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "a page", func() bool { return len(w.pages()) == 1 })
	eventually(t, "its event is archived", func() bool { return len(w.archive.Offsets("events", "events", 0)) == 1 })
	stop()
	w.archive.SetDown(errors.New("no ClickHouse here"))
	s, stop := w.start()
	w.send(0, event("shop", "pod-2", "critical", "firing"))
	eventually(t, "it is read", func() bool { return s.Status().Verdicts[correlate.VerdictNew] == 1 })
	stop()
	w.archive.SetDown(nil)
	forget(w, "archive", "alerts", "events")
	s, _ = w.start()
	w.send(0, event("blog", "pod-3", "critical", "firing"))
	eventually(t, "what came later is archived", func() bool { return s.Status().Rows["events"] == 1 })
	eventually(t, "what came later is paged", func() bool {
		return slices.ContainsFunc(w.pages(), func(p correlate.Page) bool { return p.Service == "blog" })
	})
}

// forget deletes all records of the topics so far.
func forget(w *world, topics ...string) {
	w.t.Helper()
	ends, err := w.adm.ListEndOffsets(w.t.Context(), topics...)
	if err != nil {
		w.t.Fatal(err)
	}
	offsets := kadm.Offsets{}
	ends.Each(func(o kadm.ListedOffset) { offsets.AddOffset(o.Topic, o.Partition, o.Offset, -1) })
	deleted, err := w.adm.DeleteRecords(w.t.Context(), offsets)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// One record may let loose more than a transaction should carry: here, the watermark that lets all
// alerts of a raw partition pass that the other one had held back. They come in portions, each of
// which may still be more than the broker takes as one record by default.
func TestLargeStep(t *testing.T) { largeStep(t, newWorld(t, twoHeld)) }

// twoHeld has two raw partitions, of which the second holds back the first until it has two records.
func twoHeld(o *pipeline.Options, _ *rules.Spec) {
	o.Clock = correlate.ClockEvent
	o.Until = map[correlate.RawPartition]int64{{Topic: "events", Partition: 1}: 2}
}

func largeStep(t *testing.T, w *world) {
	s, _ := w.start()
	const events = 30_000
	at := time.Date(2022, 1, 26, 0, 0, 0, 0, time.UTC)
	name := make([]byte, 300)
	random := rand.NewChaCha8([32]byte{}) // names that do not pack
	w.cl.Produce(t.Context(), &kgo.Record{Topic: "events", Partition: 1, Timestamp: at, Value: []byte("not an event")}, nil)
	for i := range events {
		_, _ = random.Read(name)
		w.cl.Produce(t.Context(), &kgo.Record{Topic: "events", Timestamp: at.Add(time.Duration(i+1) * time.Millisecond),
			Value: []byte(event("shop", base64.StdEncoding.EncodeToString(name), "error", "firing"))}, nil)
	}
	if err := w.cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the engine holds them", func() bool {
		st := s.Status()
		return len(st.Engines) == 1 && st.Engines[0].Buffered == events
	})
	w.send(1, "not an event")
	eventually(t, "all alerts have their disposition", func() bool { return s.Status().Rows["dispositions"] == events })
	largest := 0
	for _, r := range w.read("dispositions") {
		largest = max(largest, len(r.Value))
	}
	t.Logf("the largest block has %d bytes", largest)
	if largest < 2<<20 || largest > 12<<20 {
		t.Errorf("the largest block has %d bytes: want some portions of about the engine's bound", largest)
	}
}
