package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline"
	"quell/pipeline/embedded"
	"quell/rules"
)

// fails runs a service until it ends by itself, and returns why.
func (w *world) fails() error {
	w.t.Helper()
	s, err := pipeline.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	err = s.Run(ctx)
	if err == nil || ctx.Err() != nil {
		w.t.Fatalf("the service did not end by itself: %v", err)
	}
	return err
}

// worked lets the service do a little and stops it.
func (w *world) worked() {
	w.t.Helper()
	_, stop := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(w.t, "a page", func() bool { return len(w.pages()) == 1 })
	stop()
}

// A topic that is not what it was is refused at the start, with what to do about it.
func TestRefusals(t *testing.T) {
	anew := func(topic string, partitions int32) func(*world) {
		return func(w *world) {
			if _, err := w.adm.DeleteTopic(w.t.Context(), topic); err != nil {
				w.t.Fatal(err)
			}
			if _, err := pipeline.CreateTopics(w.t.Context(), w.adm, w.options.Topics.Specs(w.options.Clock), 1); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	keeps := func(topic string, d time.Duration) func(*world) {
		return func(w *world) { w.configure(topic, "retention.ms", fmt.Sprint(d.Milliseconds())) }
	}
	bounded := func(topic string) func(*world) {
		return func(w *world) { w.configure(topic, "retention.bytes", "1073741824") }
	}
	cases := []struct {
		name string
		do   func(*world)
		want []string
	}{
		{"a raw topic was created anew", anew("events", 2),
			[]string{"topic events was deleted and created again", "quell topics create"}},
		{"the alerts topic was created anew", anew("alerts", 1),
			[]string{"topic alerts was deleted and created again", "configure another name"}},
		{"a raw topic has more partitions", func(w *world) {
			if _, err := w.adm.CreatePartitions(w.t.Context(), 1, "events"); err != nil {
				w.t.Fatal(err)
			}
		}, []string{"topic events has 3 partitions and had 2", "quell topics adopt events"}},
		{"an output topic has more partitions than alerts", func(w *world) {
			if _, err := w.adm.CreatePartitions(w.t.Context(), 1, "pages"); err != nil {
				w.t.Fatal(err)
			}
		}, []string{"topic pages has 2 partitions, 1 are configured", "configure another name", "quell topics create"}},
		{"a topic keeps records shorter than a checkpoint may be old", keeps("events", time.Minute),
			[]string{"topic events keeps records for 1m0s", "retention.ms", "quell topics create"}},
		{"alerts are kept up to a number of bytes", bounded("alerts"),
			[]string{"topic alerts keeps 1073741824 bytes", "retention.bytes", "quell topics create"}},
		{"blocks of events are kept up to a number of bytes", bounded("archive"),
			[]string{"topic archive keeps 1073741824 bytes", "retention.bytes", "quell topics create"}},
		{"dispositions are kept up to a number of bytes", bounded("dispositions"),
			[]string{"topic dispositions keeps 1073741824 bytes", "retention.bytes", "quell topics create"}},
		{"alerts carry another kind of time", func(w *world) {
			w.configure("alerts", "message.timestamp.type", "CreateTime")
		}, []string{"topic alerts has message.timestamp.type=CreateTime", "LogAppendTime", "quell topics create"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.worked()
			c.do(w)
			err := w.fails()
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
		})
	}
}

// configure changes a topic.
func (w *world) configure(topic, name, value string) {
	w.t.Helper()
	_, err := w.adm.AlterTopicConfigs(w.t.Context(), []kadm.AlterConfig{{Name: name, Value: &value}}, topic)
	if err != nil {
		w.t.Fatal(err)
	}
}

// The command that a refusal names takes the bound away. What others' topics keep is not quell's to
// refuse: it warns, once a topic, and works.
func TestBoundedTopics(t *testing.T) {
	var told bytes.Buffer
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
		o.Logger = slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	for _, topic := range []string{"alerts", "archive", "dispositions", "events", "responses"} {
		w.configure(topic, "retention.bytes", "1073741824")
	}
	_ = w.fails()
	told.Reset()
	specs := w.options.Topics.Specs(w.options.Clock)
	done, err := pipeline.CreateTopics(t.Context(), w.adm, specs, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range done {
		if want := slices.Contains([]string{"alerts", "archive", "dispositions"}, r.Name); want != (r.Action == "changed") {
			t.Errorf("topic %s was %s", r.Name, r.Action)
		}
	}
	w.again().worked()
	for _, topic := range []string{"alerts", "archive", "dispositions", "events", "responses"} {
		n := strings.Count(told.String(), "bounded number of bytes: while quell is away or behind, records may be "+
			"deleted that it has not read, and those are lost to it; without that bound only the retention time "+
			"counts\" topic="+topic+" retention.bytes=1073741824")
		if want := topic == "events" || topic == "responses"; want != (n == 1) {
			t.Errorf("topic %s is warned of %d times:\n%s", topic, n, told.String())
		}
	}
}

// Brokers that could tear a transaction are refused, with the command that mends it.
func TestOldTransactionsAreRefused(t *testing.T) {
	var cluster *kfake.Cluster
	b, err := embedded.New(embedded.Options{Cluster: func(c *kfake.Cluster) { cluster = c }})
	if err != nil {
		t.Fatal(err)
	}
	run(t, "broker", b.Run)
	<-b.Ready()
	w := newWorldOn(t, pipeline.Kafka{Brokers: []string{b.Addr()}}, nil)
	answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), w.cl)
	if err != nil {
		t.Fatal(err)
	}
	for i := range answer.FinalizedFeatures {
		if f := &answer.FinalizedFeatures[i]; f.Name == "transaction.version" {
			f.MaxVersionLevel, f.MinVersionLevel = 1, 1
		}
	}
	cluster.ControlKey(int16(kmsg.ApiVersions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		old := *answer
		old.Version = min(r.GetVersion(), answer.Version)
		return &old, nil, true
	})
	for _, want := range []string{"transaction.version=2", "kafka-features.sh upgrade"} {
		if err := w.fails(); !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}

// A checkpoint of another intake configuration is not used but for its position: the deduplication
// starts anew, which costs an alert that is said to be new once more, and no record is read twice.
func TestAnotherEpoch(t *testing.T) {
	w := newWorld(t, nil)
	w.worked()
	w.options.Intake.Epoch++
	_, stop := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "both events are archived", func() bool { return len(w.archive.Rows(archive.TableEvents)) == 2 })
	stop()
	for i, row := range w.archive.Rows(archive.TableEvents) {
		if row["verdict"] != correlate.VerdictNew.String() {
			t.Errorf("event %d is %v, want it to be new in its epoch", i, row["verdict"])
		}
	}
	if got := w.archive.Offsets(archive.TableEvents, "events", 0); !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("positions %v are archived, want 0 and 1", got)
	}
	if n := len(w.pages()); n != 1 {
		t.Errorf("%d pages, want the one: the alert is the same", n)
	}
}

// More raw partitions are worked once somebody says that they are meant.
func TestAdoptPartitions(t *testing.T) {
	w := newWorld(t, nil)
	w.worked()
	if _, err := w.adm.CreatePartitions(t.Context(), 1, "events"); err != nil {
		t.Fatal(err)
	}
	was, is, err := pipeline.AdoptTopic(t.Context(), &w.options.Kafka, &w.options.Topics, "events")
	if was != 2 || is != 3 || err != nil {
		t.Fatalf("adopt: %d, %d, %v", was, is, err)
	}
	s, _ := w.start()
	w.cl = w.client(kgo.RecordPartitioner(kgo.ManualPartitioner())) // which knows of the third
	t.Cleanup(w.cl.Close)
	w.send(2, event("blog", "pod-1", "critical", "firing"))
	eventually(t, "a page from the new partition", func() bool { return len(w.pages()) == 2 })
	eventually(t, "both events are archived", func() bool {
		return s.Status().Rows["events"] == 1 && len(w.archive.Offsets("events", "events", 2)) == 1
	})
}

// commits returns the positions that an engine committed, with their records.
func (w *world) commits() (out []committed) {
	for _, r := range w.read("snapshots") {
		if string(r.Key) == "correlate/alerts/0/position" {
			var c committed
			if err := json.Unmarshal(r.Value, &c); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, c)
		}
	}
	return out
}

type committed struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
	Engine   int    `json:"engine"`
}

// plant makes the log say that the engine was in another state at the n-th committed position: it
// rewrites the state of the alerts partition as if there had never been a snapshot.
func (w *world) plant(n int) (before, at committed) {
	w.t.Helper()
	const unit = "correlate/alerts/0"
	commits := w.commits()
	if n < 1 || n >= len(commits) {
		w.t.Fatalf("%d positions were committed, too few", len(commits))
	}
	records := []*kgo.Record{{Topic: "snapshots", Key: []byte(unit + "/manifest")}}
	for i, c := range commits {
		if i >= n {
			c.Hash = strings.Repeat("0", len(c.Hash))
		}
		value, err := json.Marshal(c)
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: "snapshots", Key: []byte(unit + "/position"), Value: value})
	}
	if err := w.cl.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	return commits[n-1], commits[n]
}

// A replay that does not reproduce what was committed stops its partition, says from where on, and
// tells nobody anything. A reset, which is a person's word, ends that; nothing is paged twice.
func TestDivergence(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) { o.Metrics = reg })
	_, stop := w.start()
	for i := range 5 {
		w.send(0, event(fmt.Sprint("shop-", i), "pod-1", "critical", "firing"))
		eventually(t, "its page", func() bool { return len(w.pages()) == i+1 })
	}
	stop()
	before, at := w.plant(len(w.commits()) / 2)
	w.send(0, event("blog", "pod-1", "critical", "firing"))

	err := w.again().fails()
	diverged := new(pipeline.Divergence)
	if !errors.As(err, &diverged) {
		t.Fatalf("the service ended with %v, want a divergence", err)
	}
	if diverged.Position != at.Position || diverged.Agreed != before.Position || diverged.Partition != 0 {
		t.Errorf("%+v, want position %d after %d", diverged, at.Position, before.Position)
	}
	if want := fmt.Sprintf("alerts/0 diverges at position %d", at.Position); !strings.Contains(err.Error(), want) {
		t.Errorf("%v\ndoes not say %q", err, want)
	}
	if n := metric(t, w.options.Metrics.(*prometheus.Registry), "quell_replay_divergence_total"); n != 1 {
		t.Errorf("quell_replay_divergence_total is %v, want 1", n)
	}
	if n := len(w.pages()); n != 5 {
		t.Errorf("%d pages after the divergence, want the 5 of before", n)
	}

	if err := pipeline.ResetUnit(t.Context(), &w.options.Kafka, &w.options.Topics, diverged.Unit); err != nil {
		t.Fatal(err)
	}
	w.again().start()
	eventually(t, "the page that was due", func() bool { return len(w.pages()) >= 6 })
	seen := map[string]int{}
	for _, p := range w.pages() {
		seen[p.Service]++
	}
	for service, n := range seen {
		if n != 1 {
			t.Errorf("%d pages of %s, want 1", n, service)
		}
	}
}

// What another version of the engine has left is not compared: the partition is rebuilt from its log,
// and nothing is told twice.
func TestAnotherVersion(t *testing.T) {
	w := newWorld(t, nil)
	w.worked()
	before := len(w.read("incidents"))
	const unit = "correlate/alerts/0"
	commits := w.commits()
	last := commits[len(commits)-1]
	last.Engine, last.Hash = last.Engine-1, "of another version"
	value, err := json.Marshal(last)
	if err != nil {
		t.Fatal(err)
	}
	records := []*kgo.Record{{Topic: "snapshots", Key: []byte(unit + "/manifest")},
		{Topic: "snapshots", Key: []byte(unit + "/position")},
		{Topic: "snapshots", Key: []byte(unit + "/position"), Value: value}}
	if err := w.cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.send(0, event("shop", "pod-1", "critical", "resolved"))
	eventually(t, "the end is paged", func() bool { return len(w.pages()) == 2 })
	if p := w.pages(); p[0].ID != p[1].ID || p[1].Revision <= p[0].Revision {
		t.Errorf("pages %+v", p)
	}
	if n := len(w.read("incidents")); n <= before {
		t.Errorf("%d revisions, want more than the %d of before", n, before)
	}
}

// again lets the next service have metrics of its own.
func (w *world) again() *world {
	w.options.Metrics = prometheus.NewRegistry()
	return w
}

// One partition that diverged does not hold up the others.
func TestDivergenceIsOfOnePartition(t *testing.T) {
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) { o.Topics.AlertsPartitions = 2 })
	_, stop := w.start()
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "a page", func() bool { return len(w.pages()) == 1 })
	home := w.read("pages")[0].Partition
	stop()
	if home != 0 {
		t.Fatalf("the default scope lies on partition %d", home)
	}
	w.plant(1)
	s, err := pipeline.New(w.again().options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	eventually(t, "the partition stands still", func() bool { return s.Status().Halted["alerts/0"] != nil })
	eventually(t, "the other one works", func() bool { return s.Status().Correlated[1] > 0 })
	w.send(0, event("shop", "pod-2", "critical", "firing"))
	eventually(t, "events are archived", func() bool { return len(w.archive.Offsets("events", "events", 0)) == 2 })
	cancel()
	if diverged := new(pipeline.Divergence); !errors.As(<-done, &diverged) {
		t.Error("the service did not end with the divergence")
	}
}

// Units tells where everybody stands.
func TestUnits(t *testing.T) {
	w := newWorld(t, nil)
	w.worked()
	units, err := pipeline.Units(t.Context(), &w.options.Kafka, &w.options.Topics)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]pipeline.Unit{}
	for _, u := range units {
		found[u.Name] = u
	}
	if u := found["intake/events/0"]; u.Position != 1 || u.Bytes == 0 || u.Partitions != 2 || u.Epoch == "" {
		t.Errorf("intake: %+v", u)
	}
	if u := found["correlate/alerts/0"]; u.Position < 1 || u.Snapshot != u.Position || u.Rules == "" || u.Hash == "" {
		t.Errorf("correlate: %+v", u)
	}
	if u := found["archive/dispositions/0"]; u.Position < 1 || u.Inserting != u.Position || u.TopicID == "" {
		t.Errorf("archive: %+v", u)
	}
	if err := pipeline.ResetUnit(t.Context(), &w.options.Kafka, &w.options.Topics, "intake/events/7"); !errors.Is(err, pipeline.ErrNoUnit) {
		t.Errorf("a unit that is not there: %v", err)
	}
}
