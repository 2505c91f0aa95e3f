//go:build synctests

package virtual

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive/archivetest"
	"quell/pipeline"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
	"quell/pipeline/embedded"
	"quell/rules"
)

var (
	seedFlag   = flag.Uint64("seed", 1, "seed of the first run of each test")
	roundsFlag = flag.Int("rounds", 0, "runs of each seeded test; 0: few")
	sweepFlag  = flag.Bool("sweep", false, "crash at every I/O step, not at some")
)

// world is one run: a broker, an archive, processes that come and go, and what was sent.
type world struct {
	t       *testing.T
	seed    uint64
	dice    *rand.Rand // of the run's own goroutine
	began   time.Time
	net     *kfake.VirtualNetwork
	cluster *kfake.Cluster
	archive *clickhouse
	options pipeline.Options
	rules   *rules.Set
	cl      *kgo.Client
	adm     *kadm.Client

	processes []*process
	burials   sync.WaitGroup
	over      chan struct{}   // closed when nobody needs a burial any more
	sent      map[int32]int64 // records by raw partition
	bad       int             // of them, not events
	alive     map[string]int32
	now       func() time.Time // the records' time; nil: append time

	mu    sync.Mutex
	story []string
}

// inBubble runs a test in virtual time, and tells the story of a run that failed.
func inBubble(t *testing.T, seed uint64, change func(*pipeline.Options, *rules.Spec), test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, change)
		test(w)
	})
}

func newWorld(t *testing.T, seed uint64, change func(*pipeline.Options, *rules.Spec)) *world {
	w := &world{t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 0)), began: time.Now(),
		net: new(kfake.VirtualNetwork), over: make(chan struct{}),
		sent: map[int32]int64{}, alive: map[string]int32{}}
	w.archive = &clickhouse{Memory: archivetest.NewMemory(), dice: rand.New(rand.NewPCG(seed, 1))}
	w.options = options()
	spec := rules.Spec{Rules: []rules.Rule{{Name: "by-service", Kind: "group",
		GroupBy: new([]string{"service"}), GroupWait: new(rules.Second),
		GroupInterval: new(5 * rules.Second), ResolveAfter: new(4 * rules.Minute), PageAt: new(correlate.Error)}}}
	if change != nil {
		change(&w.options, &spec)
	}
	set, problems := rules.Compile(spec, nil)
	if set == nil {
		t.Fatal(problems)
	}
	w.rules, w.options.Correlate.Rules = set, set
	t.Cleanup(w.tell)
	w.broker()
	return w
}

func options() pipeline.Options {
	return pipeline.Options{
		Kafka: pipeline.Kafka{Group: "test"},
		Clock: correlate.ClockAppend,
		Roles: pipeline.Roles{Intake: true, Correlate: true, Archive: true},
		Topics: pipeline.Topics{Raw: []pipeline.RawTopic{{Name: "events", Partitions: 2,
			Format: decode.Native(decode.Options{}, decode.KeepUnknown), Retention: 48 * time.Hour}},
			Responses: "responses", Alerts: "alerts", Incidents: "incidents", Pages: "pages",
			Rejected: "rejected", Archive: "archive", Dispositions: "dispositions",
			Checkpoints: "checkpoints", Snapshots: "snapshots", Rules: "rules",
			AlertsPartitions: 1, ArchivePartitions: 2, Retention: 48 * time.Hour},
		Intake: pipeline.Intake{Dedup: dedup.Config{Window: 5 * correlate.Minute,
			UpdateInterval: correlate.Second}, MaxSkew: 10 * correlate.Minute, Epoch: 1,
			RejectedPayload: 256, CheckpointEvery: time.Second, Shards: 1},
		Correlate: pipeline.Correlate{Form: form{}, SnapshotEvery: 40, CommitEvery: 50 * time.Millisecond,
			Parse: func(b []byte) (correlate.RuleSet, error) { return rules.Parse(b) }, MemoBytes: 1 << 16},
		Archive: pipeline.Archive{Rows: 100, Every: 500 * time.Millisecond},
	}
}

// broker starts the broker, which ends with the test, after everything else.
func (w *world) broker() {
	b, err := embedded.New(embedded.Options{Addr: "127.0.0.1:9092", Listen: w.net.Listen,
		Cluster: func(c *kfake.Cluster) { w.cluster = c }})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	w.t.Cleanup(func() {
		for _, p := range w.processes {
			p.wire.cut()
			<-p.done
		}
		close(w.over)
		w.burials.Wait()
		w.archive.late.Wait()
		if w.cl != nil {
			w.cl.Close()
		}
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	<-b.Ready()
	w.options.Kafka.Brokers = []string{b.Addr()}
	w.cl = w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConnIdleTimeout(15*time.Minute))
	w.adm = kadm.NewClient(w.cl)
	specs := w.options.Topics.Specs(w.options.Clock)
	if _, err := pipeline.CreateTopics(w.t.Context(), w.adm, specs, 1); err != nil {
		w.t.Fatal(err)
	}
}

// network returns what every client of a run has. Compression is off because it takes, and under the
// race detector watches, megabytes a batch.
func network(dial func(context.Context, string, string) (net.Conn, error)) []kgo.Opt {
	return []kgo.Opt{kgo.Dialer(dial), kgo.ProducerBatchCompression()}
}

// client returns a client of the test's own, over a network without mishaps.
func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	opts = append(opts, kgo.SeedBrokers(w.options.Kafka.Brokers...), kgo.DisableClientMetrics())
	cl, err := kgo.NewClient(append(opts, network(w.net.DialContext)...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// say takes down what happens.
func (w *world) say(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%10.3fs %s: %s", time.Since(w.began).Seconds(), who,
		fmt.Sprintf(format, args...)))
}

// tell prints the seed and the story of a run that failed, its beginning cut if it is long.
func (w *world) tell() {
	if !w.t.Failed() && !testing.Verbose() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Logf("seed %d (-seed), %.0f virtual seconds", w.seed, time.Since(w.began).Seconds())
	if w.t.Failed() {
		for _, line := range w.story[max(0, len(w.story)-300):] {
			w.t.Log(line)
		}
	}
}

// eventually waits for a condition, for ten minutes of virtual time at most: longer than any hang.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if ok() {
			return
		}
	}
	w.t.Fatalf("after ten minutes still not: %s", what)
}

// form writes incidents and pages as the nouns' own JSON.
type form struct{}

func (form) AppendIncident(dst []byte, in *correlate.Incident) ([]byte, error) {
	b, err := json.Marshal(in)
	return append(dst, b...), err
}

func (form) AppendPage(dst []byte, p *correlate.Page) ([]byte, error) {
	b, err := json.Marshal(p)
	return append(dst, b...), err
}
