package pipeline

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"quell/bench/workload"
	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
	"quell/pipeline/fetch"
)

// BenchmarkFold is what intake does between fetching and producing: decode, fingerprint, verdict, archive
// row and block, alert. Four partitions take turns, as they do on one shard, so that their tables
// and dictionaries push each other out of the processor's caches; payloads are written just before
// they are read, as a decompressor does. Processor time of the one thread is what is reported.
//
//	go test ./pipeline -run '^$' -bench Fold -benchtime 3000000x
func BenchmarkFold(b *testing.B) {
	for _, c := range []struct{ name, load string }{{"storm", "storm"}, {"distinct", "distinct"}} {
		b.Run(c.name, func(b *testing.B) { benchmarkFold(b, c.load) })
	}
}

// foldBatch is how many records come between one turn of all partitions and the next.
const foldBatch = 10_000

func benchmarkFold(b *testing.B, load string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o := workload.LoadOptions{Name: load, Events: max(b.N, 10), Seed: 1}
	l, err := workload.NewLoad(o)
	if err != nil {
		b.Fatal(err)
	}
	f := newFolds(b)
	spent := time.Duration(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	folded := 0
	for f.fill(l) {
		began := threadTime()
		for p := range f.readers {
			folded += len(f.due[p])
			f.fold(p)
		}
		spent += threadTime() - began
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(spent.Nanoseconds())/float64(folded), "cpu-ns/event")
	b.ReportMetric(float64(f.blocks)/float64(folded), "block-B/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(folded), "allocs/event")
	b.ReportMetric(0, "ns/op")
}

// threadTime is the processor time that the calling thread has used.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// folds are four readers whose outbox refuses: what they produce costs no more than its making.
type folds struct {
	b       *testing.B
	readers [4]*rawReader
	due     [4][]fetch.Record
	next    [4]int64
	values  [4][]byte
	block   []byte
	blocks  int
	seed    maphash.Seed
}

func newFolds(b *testing.B) *folds {
	f := &folds{b: b, seed: maphash.MakeSeed()}
	in := foldIntake()
	for p := range f.readers {
		out := newOutbox(b.Context(), nil, func() {})
		refusal := errors.New("nothing is produced")
		out.err.Store(&refusal)
		r, err := newRawReader(in, partition{"raw", int32(p)}, out, 0, &unitState{})
		if err != nil {
			b.Fatal(err)
		}
		f.readers[p] = r
		f.values[p] = make([]byte, 0, foldBatch*500)
	}
	return f
}

// foldIntake is an intake that knows what to do with records, and no brokers.
func foldIntake() *intake {
	return &intake{metrics: newMetrics(prometheus.NewRegistry()), status: newStatus(), race: newRace(), log: slog.New(slog.DiscardHandler),
		o: &Options{Clock: correlate.ClockAppend,
			Topics: Topics{Raw: []RawTopic{{Name: "raw", Partitions: 4,
				Format: decode.Native(decode.Options{Exact: []string{"cluster"}}, decode.KeepUnknown)}},
				Alerts: "alerts", Archive: "archive", AlertsPartitions: 1, ArchivePartitions: 4},
			Intake: Intake{MaxSkew: 24 * correlate.Hour, Visible: []string{"cluster"}, Dedup: dedup.Config{
				PassOn: []string{"cluster"}, Window: correlate.Hour, UpdateInterval: correlate.Hour}}}}
}

// fill makes the next batch of each partition and reports whether there is any.
func (f *folds) fill(l *workload.Load) bool {
	for p := range f.due {
		f.due[p], f.values[p] = f.due[p][:0], f.values[p][:0]
	}
	n := 0
	for ; n < foldBatch; n++ {
		value, key, ok := l.Next()
		if !ok {
			break
		}
		p := maphash.Bytes(f.seed, key) % uint64(len(f.due))
		from := len(f.values[p])
		f.values[p] = append(f.values[p], value...)
		f.due[p] = append(f.due[p], fetch.Record{Offset: f.next[p], Value: f.values[p][from:],
			Time: 1_767_225_600_000 + f.next[p]/100})
		f.next[p]++
	}
	return n > 0
}

// fold is rawReader.read without a client.
func (f *folds) fold(p int) {
	r, due := f.readers[p], f.due[p]
	for len(due) > 0 {
		group := due[:min(together, len(due))]
		due = due[len(group):]
		r.judge(group)
		if r.block.Size() >= blockBytes {
			f.flush(r)
		}
	}
	f.flush(r)
}

func (f *folds) flush(r *rawReader) {
	env := archive.Envelope{From: r.from, To: r.next, Sections: []archive.Section{r.block.Section(archive.Origin{})}}
	f.block = env.Append(f.block[:0])
	f.blocks += len(f.block)
	r.block.Reset()
	r.from = r.next
}
