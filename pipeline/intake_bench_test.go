package pipeline_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/pipeline"
	"quell/pipeline/embedded"
	"quell/rules"
)

// The whole of intake over a preloaded raw topic, beside a bare consumer of the same topic in the
// same run. The broker is another process, so that its processor time is not ours; processor time
// is what is compared, because it hardly depends on what else the machine does.
//
//	go test ./pipeline -run '^$' -bench Intake -benchtime 3x
//
// QUELL_BENCH_EVENTS changes how many events the topic holds.

const brokerProcess = "QUELL_BENCH_BROKER"

// TestBrokerProcess is no test of its own: it is the broker of BenchmarkIntake.
func TestBrokerProcess(t *testing.T) {
	if os.Getenv(brokerProcess) == "" {
		t.Skip("only a process for BenchmarkIntake, which starts it with " + brokerProcess)
	}
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // the parent's end is the end of standard input
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		cancel()
	}()
	go func() {
		<-b.Ready()
		fmt.Println("broker", b.Addr())
	}()
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// brokerApart starts an embedded broker in a process of its own and returns its address.
func brokerApart(b *testing.B) string {
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestBrokerProcess$")
	cmd.Env = append(os.Environ(), brokerProcess+"=1")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "broker "); ok {
			return addr
		}
	}
	b.Fatal("the broker's process ended before it was ready")
	return ""
}

// appendStormEvent appends an event of about 400 bytes that is the id-th statement about an alert.
func appendStormEvent(dst []byte, id, alert uint64) []byte {
	at := correlate.Time(1_767_225_600_000 + id/100)
	return fmt.Appendf(dst, `{"id":"%016x","time":"%s","source":"prometheus","severity":"%s",`+
		`"status":"firing","value":"%d.%d","scope":"prod-eu","service":"service-%d",`+
		`"entity":"host-%06d.eu-west-1.example.internal","check":"check_%d",`+
		`"summary":"p99 latency above objective","labels":{"region":"eu-west-1",`+
		`"cluster":"cluster-%d","zone":"eu-west-1%c","team":"team-%d"},`+
		`"url":"https://mon.example/h/%06d"}`, id*0x9e3779b97f4a7c15, at,
		correlate.Severity(1+alert%4), id%9999, id%10, alert%200, alert, alert%60, alert%40,
		'a'+rune(alert%3), alert%30, alert)
}

// preload fills the raw topic: of a hundred events, duplicates repeat an alert that was there.
func (w *world) preload(b *testing.B, events, duplicates uint64) {
	cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(100_000))
	defer cl.Close()
	var failed atomic.Pointer[error]
	r, topic := rand.New(rand.NewPCG(1, 2)), &w.options.Topics.Raw[0]
	alerts, bytes := uint64(0), 0
	for id := range events {
		alert := alerts
		if alerts > 0 && r.Uint64N(100) < duplicates {
			alert = r.Uint64N(alerts)
		} else {
			alerts++
		}
		v := appendStormEvent(make([]byte, 0, 448), id, alert)
		bytes += len(v)
		cl.Produce(b.Context(), &kgo.Record{Topic: topic.Name, Partition: int32(alert % uint64(topic.Partitions)),
			Value: v}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := cl.Flush(b.Context()); err != nil || failed.Load() != nil {
		b.Fatal(err, failed.Load())
	}
	b.Logf("%d events of %d alerts, %d bytes each", events, alerts, bytes/int(events))
}

// spent is what a stretch of work took.
type spent struct {
	cpu, wall     time.Duration
	allocs, bytes uint64
}

// use measures f, which returns when its first event came.
func use(f func() time.Time) spent {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	first := f()
	s := spent{cpu: cpuTime() - cpu, wall: time.Since(first)}
	runtime.ReadMemStats(&after)
	s.allocs, s.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return s
}

// cpuTime is the user and system time of this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bare reads the raw topic to its end with clients that discard, each on its own goroutine.
func (w *world) bare(clients int, events int64) time.Time {
	raw := &w.options.Topics.Raw[0]
	var read, first atomic.Int64
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for c := range clients {
		at := map[int32]kgo.Offset{}
		for p := int32(c); p < raw.Partitions; p += int32(clients) {
			at[p] = kgo.NewOffset().AtStart()
		}
		cl := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{raw.Name: at}))
		wg.Go(func() {
			defer cl.Close()
			for ctx.Err() == nil {
				n := int64(cl.PollFetches(ctx).NumRecords())
				first.CompareAndSwap(0, time.Now().UnixNano())
				if read.Add(n) == events {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	return time.Unix(0, first.Load())
}

// intakeOnce runs intake from the start of the raw topic to its end, on output topics of its own,
// until all that follows from it has been acknowledged.
func (w *world) intakeOnce(b *testing.B, run int, events int64) spent {
	o := w.options
	raw := o.Topics.Raw[0].Name
	o.Topics = prefixed(o.Topics, fmt.Sprintf("run%d.", run))
	o.Topics.Raw[0].Name = raw
	o.Kafka.Group = fmt.Sprintf("run%d", run)
	if _, err := pipeline.CreateTopics(b.Context(), w.adm, o.Topics.Specs(o.Clock), 1); err != nil {
		b.Fatal(err)
	}
	ends, err := w.adm.ListEndOffsets(b.Context(), raw)
	if err != nil {
		b.Fatal(err)
	}
	s, err := pipeline.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	got := use(func() (first time.Time) {
		go func() { done <- s.Run(ctx) }()
		for {
			st := s.Status()
			if first.IsZero() && len(st.Verdicts) > 0 {
				first = time.Now()
			}
			if caughtUp(st.Read[raw], ends[raw]) {
				return first
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	st := s.Status()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	total := int64(0)
	for _, n := range st.Verdicts {
		total += n
	}
	if total != events {
		b.Fatalf("%d verdicts on %d events: %v", total, events, st.Verdicts)
	}
	b.Logf("run %d: %v, %d alerts", run, st.Verdicts, st.Passed)
	if _, err := w.adm.DeleteTopics(b.Context(), o.Topics.Archive, o.Topics.Alerts, o.Topics.Checkpoints); err != nil {
		b.Fatal(err)
	}
	return got
}

func caughtUp(read map[int32]int64, ends map[int32]kadm.ListedOffset) bool {
	for p, end := range ends {
		if read[p] != end.Offset {
			return false
		}
	}
	return true
}

// BenchmarkIntake is the whole of intake: consume, decode, fingerprint, deduplicate, produce alerts
// and archive blocks.
func BenchmarkIntake(b *testing.B) {
	events := uint64(2_000_000)
	if n, err := strconv.ParseUint(os.Getenv("QUELL_BENCH_EVENTS"), 10, 64); err == nil {
		events = n
	}
	for _, c := range []struct {
		name       string
		duplicates uint64
	}{{"storm", 90}, {"distinct", 0}} {
		b.Run(c.name, func(b *testing.B) { benchmarkIntake(b, events, c.duplicates) })
	}
}

func benchmarkIntake(b *testing.B, events, duplicates uint64) {
	w := benchWorld(b)
	w.preload(b, events, duplicates)
	bare := [3]spent{}
	for clients := 1; clients <= 2; clients++ {
		bare[clients] = use(func() time.Time { return w.bare(clients, int64(events)) })
	}
	best := bare[1]
	if bare[2].wall < best.wall {
		best = bare[2]
	}
	var sum spent
	run := 0
	for b.Loop() {
		s := w.intakeOnce(b, run, int64(events))
		sum.cpu, sum.wall, sum.allocs, sum.bytes = sum.cpu+s.cpu, sum.wall+s.wall, sum.allocs+s.allocs, sum.bytes+s.bytes
		run++
	}
	n := float64(events) * float64(run)
	b.ReportMetric(float64(sum.cpu.Nanoseconds())/n, "cpu-ns/event")
	b.ReportMetric(n/sum.wall.Seconds(), "events/s")
	b.ReportMetric(float64(sum.allocs)/n, "allocs/event")
	b.ReportMetric(float64(sum.bytes)/n, "B/event")
	b.ReportMetric(float64(best.cpu.Nanoseconds())/float64(events), "bare-cpu-ns/event")
	b.ReportMetric(float64(events)/best.wall.Seconds(), "bare-events/s")
	b.ReportMetric(n/sum.wall.Seconds()/(float64(events)/best.wall.Seconds()), "of-bare")
	b.ReportMetric(0, "ns/op")
}

func benchWorld(b *testing.B) *world {
	return newWorldOn(b, pipeline.Kafka{Brokers: []string{brokerApart(b)}}, func(o *pipeline.Options, _ *rules.Spec) {
		o.Roles = pipeline.Roles{Intake: true}
		o.Topics.Raw[0].Partitions, o.Topics.AlertsPartitions, o.Topics.ArchivePartitions = 4, 1, 4
		o.Intake.Dedup.UpdateInterval = correlate.Minute
		o.Intake.CheckpointEvery = 5 * time.Second
		o.Intake.Visible = []string{"cluster", "team"}
	})
}
