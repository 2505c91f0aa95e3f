package correlate_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	. "quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/wire"
)

// bench is the correlate role without Kafka: values of the alerts topic are decoded, stepped over
// and their effects appended to the archive's columns, in the batches that the pipeline uses.
type bench struct {
	*load
	engine    *Engine
	batch     []Record
	decoder   wire.Decoder
	fx        Effects
	disposed  *archive.DispositionsBuilder
	revisions *archive.RevisionsBuilder
	paged     *archive.PagesBuilder
}

func newBench(b *testing.B, set RuleSet, open int) *bench {
	e, err := New(Options{Clock: ClockAppend, RuleSet: set, Limits: Limits{OpenIncidents: 1 << 20}})
	if err != nil {
		b.Fatal(err)
	}
	n := &bench{load: newLoad(), engine: e, disposed: archive.NewDispositionsBuilder(),
		revisions: archive.NewRevisionsBuilder(), paged: archive.NewPagesBuilder()}
	for len(n.open) < open {
		n.fill(min(1024, open-len(n.open)), mix{fresh: 100})
		n.fold(b)
	}
	return n
}

// fold decodes and applies the records that fill made, and consumes the effects.
func (n *bench) fold(b *testing.B) {
	n.batch = n.batch[:0]
	n.decoder.Reset()
	for _, v := range n.values {
		r, err := n.decoder.Decode(v)
		if err != nil {
			b.Fatal(err)
		}
		r.Offset, r.Time = n.take()
		n.batch = append(n.batch, r)
	}
	if err := n.engine.Step(n.batch, &n.fx); err != nil {
		b.Fatal(err)
	}
	next := n.engine.Position() - 1
	for i := range n.fx.Disposed {
		n.disposed.Append(&n.fx.Disposed[i])
	}
	for i := range n.fx.Incidents {
		n.revisions.Append(&n.fx.Incidents[i], next)
	}
	for i := range n.fx.Pages {
		n.paged.Append(&n.fx.Pages[i], next)
	}
	n.fx.Reset()
	if n.disposed.Rows() >= 16<<10 {
		n.disposed.Reset()
		n.revisions.Reset()
		n.paged.Reset()
	}
}

// cpu returns the CPU time of the process, so that what else runs on the machine does not count.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs batches of the mix and reports CPU time an alert.
func (n *bench) measure(b *testing.B, m mix) {
	const batch = 1024
	b.ReportAllocs()
	b.ResetTimer()
	var used time.Duration
	for range b.N {
		b.StopTimer()
		n.fill(batch, m)
		began := cpu(b)
		b.StartTimer()
		n.fold(b)
		used += cpu(b) - began
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*batch), "cpu-ns/alert")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCorrelate: 200 rules and 100,000 open alerts, what the target in CPU time an alert is
// about, by kind of record.
func BenchmarkCorrelate(b *testing.B) {
	set := loadRules(b, 200)
	for _, c := range []struct {
		name string
		mix  mix
	}{
		{"updates", mix{}}, {"new", mix{fresh: 100}},
		{"resolves", mix{fresh: 50, resolved: 50}},
		{"mixed", mix{fresh: 5, resolved: 5, changed: 10}},
	} {
		b.Run(c.name, func(b *testing.B) { newBench(b, set, 100_000).measure(b, c.mix) })
	}
}

// BenchmarkByRules, BenchmarkByOpen and BenchmarkByHistory: how the cost of the mix grows.
func BenchmarkByRules(b *testing.B) {
	for _, n := range []int{10, 200, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			newBench(b, loadRules(b, n), 20_000).measure(b, mix{fresh: 5, resolved: 5, changed: 10})
		})
	}
}

func BenchmarkByOpen(b *testing.B) {
	set := loadRules(b, 200)
	for _, n := range []int{10_000, 100_000, 300_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			newBench(b, set, n).measure(b, mix{fresh: 5, resolved: 5, changed: 10})
		})
	}
}

func BenchmarkByHistory(b *testing.B) {
	set := loadRules(b, 200)
	for _, n := range []int{0, 1000, 4000} { // batches that went before
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := newBench(b, set, 20_000)
			e.rate = 2000 // all that is resolved is forgotten within the history
			for range n {
				e.fill(1024, mix{fresh: 1, resolved: 1, changed: 10})
				e.fold(b)
			}
			e.measure(b, mix{fresh: 1, resolved: 1, changed: 10})
		})
	}
}

// BenchmarkSnapshot: 100,000 open alerts, into memory that is there, as the pipeline takes them.
func BenchmarkSnapshot(b *testing.B) {
	e := newBench(b, loadRules(b, 200), 100_000).engine
	snapshot := e.Snapshot(nil)
	began := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		snapshot = e.Snapshot(snapshot[:0])
	}
	b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms")
	b.ReportMetric(float64(len(snapshot)), "snapshot-bytes")
}

// BenchmarkRestore: the same snapshot.
func BenchmarkRestore(b *testing.B) {
	set := loadRules(b, 200)
	src := newBench(b, set, 100_000).engine.Snapshot(nil)
	o := Options{Clock: ClockAppend, RuleSet: set}
	began := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Restore(o, src); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms")
}

// BenchmarkMemory: what an open alert takes, its share of incidents, groups and timers included.
func BenchmarkMemory(b *testing.B) {
	set := loadRules(b, 200)
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		n := newBench(b, set, 100_000)
		n.load, n.batch, n.fx, n.decoder = nil, nil, Effects{}, wire.Decoder{}
		n.disposed, n.revisions, n.paged = nil, nil, nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		stats := n.engine.Stats()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(stats.LiveAlerts), "bytes/alert")
		b.ReportMetric(float64(stats.LiveAlerts)/float64(stats.Pending+stats.Open), "alerts/incident")
	}
}
