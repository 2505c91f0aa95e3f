package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive/archivetest"
	"quell/correlate/wire"
	"quell/pipeline"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
	"quell/pipeline/embedded"
	"quell/rules"
)

// jsonForm writes incidents and pages as the nouns' own JSON.
type jsonForm struct{}

func (jsonForm) AppendIncident(dst []byte, in *correlate.Incident) ([]byte, error) {
	b, err := json.Marshal(in)
	return append(dst, b...), err
}

func (jsonForm) AppendPage(dst []byte, p *correlate.Page) ([]byte, error) {
	b, err := json.Marshal(p)
	return append(dst, b...), err
}

// world is a broker, an archive in memory and the options of a service on them.
type world struct {
	t       testing.TB
	kafka   pipeline.Kafka
	archive *archivetest.Memory
	options pipeline.Options
	cl      *kgo.Client
	adm     *kadm.Client
}

func newWorld(t *testing.T, change func(*pipeline.Options, *rules.Spec)) *world {
	t.Helper()
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run(t, "broker", b.Run)
	<-b.Ready()
	return newWorldOn(t, pipeline.Kafka{Brokers: []string{b.Addr()}}, change)
}

// newWorldOn makes a world on brokers that run already.
func newWorldOn(t testing.TB, k pipeline.Kafka, change func(*pipeline.Options, *rules.Spec)) *world {
	t.Helper()
	k.ClientID, k.Group = "test", "test"
	w := &world{t: t, kafka: k, archive: archivetest.NewMemory()}
	spec := rules.Spec{Rules: []rules.Rule{{Name: "by-service", Kind: "group",
		GroupBy: new([]string{"service"}), GroupWait: new(300 * rules.Millisecond),
		GroupInterval: new(rules.Second), PageAt: new(correlate.Error)}}}
	w.options = pipeline.Options{
		Kafka: k,
		Clock: correlate.ClockAppend,
		Roles: pipeline.Roles{Intake: true, Correlate: true, Archive: true},
		Topics: pipeline.Topics{Raw: []pipeline.RawTopic{{Name: "events", Partitions: 2,
			Format: decode.Native(decode.Options{}, decode.KeepUnknown), Retention: time.Hour}},
			Responses: "responses", Alerts: "alerts", Incidents: "incidents", Pages: "pages",
			Rejected: "rejected", Archive: "archive", Dispositions: "dispositions",
			Checkpoints: "checkpoints", Snapshots: "snapshots", Rules: "rules",
			AlertsPartitions: 1, ArchivePartitions: 2, Retention: time.Hour},
		Intake: pipeline.Intake{Dedup: dedup.Config{Window: 5 * correlate.Minute,
			UpdateInterval: correlate.Second}, MaxSkew: 10 * correlate.Minute, Epoch: 1,
			RejectedPayload: 256, CheckpointEvery: 200 * time.Millisecond},
		Correlate: pipeline.Correlate{Form: jsonForm{}, SnapshotEvery: 1000, CommitEvery: 20 * time.Millisecond,
			Parse: func(b []byte) (correlate.RuleSet, error) { return rules.Parse(b) }},
		Archive: pipeline.Archive{To: w.archive, Rows: 1000, Every: 50 * time.Millisecond},
		Logger:  slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&w.options, &spec)
	}
	set, problems := rules.Compile(spec, nil)
	if set == nil {
		t.Fatal(problems)
	}
	w.options.Correlate.Rules = set
	w.cl = w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	t.Cleanup(w.cl.Close)
	w.adm = kadm.NewClient(w.cl)
	specs := w.options.Topics.Specs(w.options.Clock)
	if _, err := pipeline.CreateTopics(t.Context(), w.adm, specs, 1); err != nil {
		t.Fatal(err)
	}
	return w
}

// client returns a client of the test's own.
func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	opts = append(opts, kgo.SeedBrokers(w.kafka.Brokers...))
	if w.kafka.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(w.kafka.TLS))
	}
	if w.kafka.SASL != nil {
		opts = append(opts, kgo.SASL(w.kafka.SASL))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// run starts f until the test ends and returns a function that stops it early.
func run(t testing.TB, name string, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (w *world) start() (*pipeline.Service, func()) {
	w.t.Helper()
	s, err := pipeline.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	stop := run(w.t, "service", s.Run)
	eventually(w.t, "the service is ready", func() bool {
		select {
		case <-s.Ready():
			return true
		default:
			return false
		}
	})
	return s, stop
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("after a minute still not: %s", what)
}

// send produces events to a partition of the raw topic.
func (w *world) send(partition int32, values ...string) {
	w.t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: w.options.Topics.Raw[0].Name, Partition: partition, Value: []byte(v)}
		if err := w.cl.ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// read returns all committed records of a topic so far.
func (w *world) read(topic string) []*kgo.Record {
	w.t.Helper()
	ends, err := w.adm.ListEndOffsets(w.t.Context(), topic)
	if err != nil {
		w.t.Fatal(err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	cl := w.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(left) > 0 && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return out
}

func (w *world) pages() (out []correlate.Page) {
	for _, r := range w.read(w.options.Topics.Pages) {
		var p correlate.Page
		if err := json.Unmarshal(r.Value, &p); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func event(service, entity, severity, status string) string {
	return fmt.Sprintf(`{"service":%q,"entity":%q,"check":"http","severity":%q,"status":%q,"summary":"it is %s"}`,
		service, entity, severity, status, status)
}

// From raw events to one page, an acknowledgement, a resolution, and every row in the archive.
func TestMainJob(t *testing.T) { mainJob(t, newWorld(t, nil)) }

func mainJob(t *testing.T, w *world) {
	s, _ := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"), event("shop", "pod-2", "error", "firing"),
		event("shop", "pod-1", "critical", "firing"), `{"service":`)
	w.send(1, event("blog", "pod-9", "info", "firing"))
	eventually(t, "one page", func() bool { return len(w.pages()) == 1 })
	p := w.pages()[0]
	if p.Reason != correlate.ReasonFirst || p.Service != "shop" || p.Alerts != 2 || p.Severity != correlate.Critical {
		t.Errorf("page %+v", p)
	}

	answer := fmt.Sprintf(`{"incident":%q,"action":"acknowledge","by":"ada"}`, p.ID)
	if err := w.cl.ProduceSync(t.Context(), &kgo.Record{Topic: "responses", Value: []byte(answer)},
		&kgo.Record{Topic: "responses", Value: []byte("?")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a page that tells the acknowledgement", func() bool { return len(w.pages()) == 2 })
	w.send(0, event("shop", "pod-1", "critical", "resolved"), event("shop", "pod-2", "error", "resolved"))
	eventually(t, "a page that tells the end", func() bool {
		pages := w.pages()
		return pages[len(pages)-1].Reason == correlate.ReasonAllResolved
	})
	for i, q := range w.pages() {
		if q.ID != p.ID {
			t.Errorf("page %d is about %s, not %s", i, q.ID, p.ID)
		}
	}

	eventually(t, "every event in the archive", func() bool {
		rows := s.Status().Rows
		return rows["events"] == 6 && rows["rejected"] == 2 && rows["pages"] == 3 && rows["responses"] == 1
	})
	st := s.Status()
	if st.Verdicts[correlate.VerdictNew] != 3 || st.Verdicts[correlate.VerdictDuplicate] != 1 ||
		st.Verdicts[correlate.VerdictChanged] != 2 || st.Verdicts[correlate.VerdictRejected] != 1 {
		t.Errorf("verdicts %v", st.Verdicts)
	}
	if n := len(w.read("rejected")); n != 2 {
		t.Errorf("%d records in the rejected topic, want 2", n)
	}
}

// A stop and a start lose nothing and repeat nothing: dedup table, engine and archive go on.
func TestRestart(t *testing.T) { restart(t, newWorld(t, nil)) }

func restart(t *testing.T, w *world) {
	_, stop := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "one page", func() bool { return len(w.pages()) == 1 })
	stop()
	incidents := len(w.read("incidents"))

	w.send(0, event("shop", "pod-1", "critical", "firing"), event("shop", "pod-1", "critical", "resolved"))
	s, stop := w.start()
	eventually(t, "the end is paged", func() bool { return len(w.pages()) == 2 })
	if p := w.pages(); p[0].ID != p[1].ID || p[1].Reason != correlate.ReasonAllResolved || p[1].Events != 3 {
		t.Errorf("pages %+v", p)
	}
	if v := s.Status().Verdicts; v[correlate.VerdictNew] != 0 || v[correlate.VerdictChanged] != 1 {
		t.Errorf("after the restart the dedup table had forgotten: %v", v)
	}
	seen := map[string]bool{}
	for _, r := range w.read("incidents") {
		var in correlate.Incident
		if err := json.Unmarshal(r.Value, &in); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(in.ID, in.Revision)
		if seen[key] {
			t.Errorf("revision %s appears twice", key)
		}
		seen[key] = true
	}
	if len(seen) <= incidents {
		t.Error("no revision followed the restart")
	}
	stop()
	if n := len(w.archive.Offsets("events", "events", 0)); n != 3 {
		t.Errorf("%d events archived, want 3", n)
	}
}

// Paging must not notice that the archive is away, and the archive must catch up.
func TestArchiveAway(t *testing.T) {
	w := newWorld(t, nil)
	w.archive.SetDown(errors.New("no ClickHouse here"))
	s, _ := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "a page without an archive", func() bool { return len(w.pages()) == 1 })
	if n := s.Status().Rows["events"]; n != 0 {
		t.Errorf("%d rows archived while the archive was away", n)
	}
	w.archive.SetDown(nil)
	eventually(t, "the archive catches up", func() bool { return s.Status().Rows["events"] == 1 })
}

// Under the event clock a file's days pass at full speed, and the number of partitions does not
// matter.
func TestEventClock(t *testing.T) {
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run(t, "broker", b.Run)
	<-b.Ready()
	eventClock(t, pipeline.Kafka{Brokers: []string{b.Addr()}})
}

func eventClock(t *testing.T, k pipeline.Kafka) {
	var want string
	for _, partitions := range []int32{1, 2, 7} {
		w := newWorldOn(t, k, func(o *pipeline.Options, s *rules.Spec) {
			o.Clock, o.Topics.Raw[0].Partitions = correlate.ClockEvent, partitions
			o.Topics = prefixed(o.Topics, fmt.Sprintf("of%d.", partitions))
			o.Kafka.Group = fmt.Sprintf("of%d", partitions)
			if partitions > 1 { // work in small portions makes no difference either
				o.Correlate.Limits.StepBytes = 2000
			}
			s.Rules[0].GroupWait, s.Rules[0].GroupInterval = new(30*rules.Second), new(5*rules.Minute)
		})
		until := map[correlate.RawPartition]int64{}
		for p := range partitions {
			until[correlate.RawPartition{Topic: w.options.Topics.Raw[0].Name, Partition: p}] = 0
		}
		base := time.Date(2022, 1, 26, 0, 0, 0, 0, time.UTC)
		for i := range 400 {
			entity := i % 23
			p := int32(entity) % partitions
			at := base.Add(time.Duration(i*i) * 300 * time.Millisecond)
			v := event(fmt.Sprintf("svc-%d", entity%5), fmt.Sprint(entity), "error", "firing")
			r := &kgo.Record{Topic: w.options.Topics.Raw[0].Name, Partition: p, Value: []byte(v), Timestamp: at}
			if err := w.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			until[correlate.RawPartition{Topic: w.options.Topics.Raw[0].Name, Partition: p}]++
		}
		w.options.Until = until
		s, stop := w.start()
		eventually(t, "the engine has run out of time", func() bool {
			st := s.Status()
			return len(st.Engines) == 1 && st.Open() == 0 && st.Rows["events"] == 400 && st.Engines[0].Ended
		})
		stop()
		var got bytes.Buffer
		for _, p := range w.pages() {
			fmt.Fprintln(&got, p.At, p.Reason, p.Service, p.Alerts, p.Events, p.Severity, p.State)
		}
		if want == "" {
			want = got.String()
			t.Logf("%d pages", strings.Count(want, "\n"))
		}
		if got.Len() == 0 || got.String() != want {
			t.Errorf("%d partitions: pages differ\n%s\nwant\n%s", partitions, got.String(), want)
		}
	}
}

// prefixed returns the topics under other names, so that several services can share a broker.
func prefixed(t pipeline.Topics, prefix string) pipeline.Topics {
	raw := t.Raw[0]
	raw.Name = prefix + raw.Name
	t.Raw = []pipeline.RawTopic{raw}
	for _, name := range []*string{&t.Responses, &t.Alerts, &t.Incidents, &t.Pages, &t.Rejected, &t.Archive,
		&t.Dispositions, &t.Checkpoints, &t.Snapshots, &t.Rules} {
		*name = prefix + *name
	}
	return t
}

// A service under the event clock that waits for its input, as `quell run` does: what comes after
// the silence must not be judged by whichever partition is read first.
func TestEventClockAfterRest(t *testing.T) {
	w := newWorld(t, func(o *pipeline.Options, s *rules.Spec) {
		o.Clock, o.Topics.Raw[0].Partitions = correlate.ClockEvent, 3
		s.Rules[0].GroupBy = new([]string{"check"})
	})
	s, _ := w.start()
	eventually(t, "all partitions rest", func() bool {
		rests := 0
		for _, r := range w.read("alerts") {
			if c, err := wire.Decode(r.Value); err == nil && c.Kind == correlate.KindWatermark && c.Watermark.Idle {
				rests++
			}
		}
		return rests == 3
	})
	// One group over all partitions, a day of alerts, the partitions one after another: without the
	// wake the first one's day would have passed before the second one's first alert came.
	day := time.Date(2022, 1, 26, 0, 0, 0, 0, time.UTC)
	for p := range int32(3) {
		for i := range 48 {
			r := &kgo.Record{Topic: "events", Partition: p, Timestamp: day.Add(time.Duration(i) * 30 * time.Minute),
				Value: []byte(event("svc", fmt.Sprint("e-", p), "error", "firing"))}
			if err := w.cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "everything is archived", func() bool {
		rows := s.Status().Rows
		return rows["events"] == 144 && rows["dispositions"] == 144
	})
	for _, row := range w.archive.Rows("dispositions") {
		if row["disposition"] != "joined" {
			t.Fatalf("an alert came %v: %v", row["disposition"], row)
		}
	}
}
