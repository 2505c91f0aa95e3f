package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/pipeline/embedded"
)

// ground is a broker with the topics of one raw partition, for what works below a service.
type ground struct {
	t   *testing.T
	o   *Options
	cl  *kgo.Client
	adm *kadm.Client
}

func newGround(t *testing.T) *ground {
	t.Helper()
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-b.Ready()
	g := &ground{t: t, o: &Options{Kafka: Kafka{Brokers: []string{b.Addr()}, ClientID: "test", Group: "test"},
		Topics:  Topics{Archive: "archive", Checkpoints: "checkpoints", ArchivePartitions: 1},
		Archive: Archive{Rows: 1000, Every: time.Hour}}}
	if g.cl, err = g.o.Kafka.client("test", writing(0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.cl.Close)
	g.adm = kadm.NewClient(g.cl)
	for _, topic := range []string{"archive", "checkpoints"} {
		if _, err := g.adm.CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// keep makes the next owner of a unit.
func (g *ground) keep() (*keeper, *unitState) {
	g.t.Helper()
	kp, st, err := g.o.Kafka.keep(g.t.Context(), g.adm, g.o.checkpoint("intake", partition{"archive", 0}))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(kp.close)
	return kp, st
}

// What was saved last is what the next owner finds, and nothing of what it replaced stays.
func TestKeeper(t *testing.T) {
	g := newGround(t)
	body := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	for i, c := range []struct {
		name string
		body []byte
	}{
		{"the first", body('a', 10)},
		{"several chunks", body('b', 2*chunkBytes+1)},
		{"fewer chunks than before", body('c', chunkBytes)},
		{"none", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			kp, _ := g.keep()
			if err := kp.save(t.Context(), manifest{Position: int64(i), Epoch: 7}, c.body); err != nil {
				t.Fatal(err)
			}
			_, st := g.keep()
			if st.manifest.Position != int64(i) || st.manifest.Epoch != 7 || !bytes.Equal(st.body, c.body) {
				t.Errorf("found %+v with %d bytes", st.manifest, len(st.body))
			}
			if named, idle := st.keys(); len(named) != st.manifest.Chunks || len(idle) != 0 {
				t.Errorf("chunks %v are named, %v lie idle", named, idle)
			}
		})
	}
}

// An owner that was asleep while another took the partition can neither move the position back nor
// damage the body that the other has saved.
func TestKeeperFencesItsFormer(t *testing.T) {
	g := newGround(t)
	old, _ := g.keep()
	if err := old.save(t.Context(), manifest{Position: 1}, []byte("one")); err != nil {
		t.Fatal(err)
	}
	young, _ := g.keep()
	if err := young.save(t.Context(), manifest{Position: 5}, []byte("five")); err != nil {
		t.Fatal(err)
	}
	if err := old.save(t.Context(), manifest{Position: 5}, []byte("other bytes")); !errors.Is(err, errFenced) {
		t.Errorf("the former owner's checkpoint: %v, want %v", err, errFenced)
	}
	if err := young.save(t.Context(), manifest{Position: 6}, []byte("six")); err != nil {
		t.Errorf("the owner's next checkpoint: %v", err)
	}
	if _, st := g.keep(); st.manifest.Position != 6 || string(st.body) != "six" {
		t.Errorf("found position %d, body %q", st.manifest.Position, st.body)
	}
}

// Chunks of a snapshot that never came to count are deleted by whoever owns the unit next.
func TestKeeperSweeps(t *testing.T) {
	g := newGround(t)
	kp, _ := g.keep()
	lost := manifest{Position: 3}
	lost.describe([]byte("never named"))
	if err := write(t.Context(), g.cl, kp.chunks(&lost, []byte("never named"))...); err != nil {
		t.Fatal(err)
	}
	kp, st := g.keep()
	if _, idle := st.keys(); len(idle) != 1 {
		t.Fatalf("idle chunks %v, want one", idle)
	}
	if err := kp.save(t.Context(), manifest{Position: 4}, nil); err != nil {
		t.Fatal(err)
	}
	if _, st := g.keep(); len(st.chunks) != 0 {
		t.Errorf("chunks %v are left", st.chunks)
	}
}

// gate lets inserts through one by one.
type gate struct {
	archive.Archive
	asked chan archive.Batch
	let   chan error
}

func (g *gate) Insert(ctx context.Context, b archive.Batch) error {
	g.asked <- b
	if err := <-g.let; err != nil {
		return err
	}
	return g.Archive.Insert(ctx, b)
}

// archiver makes the next owner of the archive partition.
func (g *ground) archiver(to archive.Archive) *archiver {
	g.t.Helper()
	o := *g.o
	o.Archive.To = to
	a := &archiving{o: &o, adm: g.adm, metrics: newMetrics(prometheus.NewRegistry()), status: newStatus(),
		log: slog.New(slog.DiscardHandler)}
	w, err := a.recover(g.t.Context(), partition{"archive", 0})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(w.keeper.close)
	return w
}

// blocks produces blocks of events.
func (g *ground) blocks(envs ...*archive.Envelope) {
	g.t.Helper()
	for _, env := range envs {
		if err := write(g.t.Context(), g.cl, &kgo.Record{Topic: "archive", Value: env.Append(nil)}); err != nil {
			g.t.Fatal(err)
		}
	}
}

// readTo makes everything pending up to an offset.
func (w *archiver) readTo(t *testing.T, end int64) {
	t.Helper()
	for w.next < end {
		if err := w.take(w.keeper.cl.PollRecords(t.Context(), 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// An archiver falls asleep between the log of a round and its first insert, or between its two
// inserts. The next owner repeats the round and goes on to larger ones; then the first one wakes up
// and makes its insert.
func TestArchiverAsleep(t *testing.T) {
	for _, c := range []struct {
		name    string
		inserts int // that are made before it falls asleep
	}{{"before the first insert", 0}, {"between two inserts", 1}} {
		t.Run(c.name, func(t *testing.T) {
			g, memory := newGround(t), archivetest.NewMemory()
			slow := &gate{memory, make(chan archive.Batch, 9), make(chan error)}
			g.blocks(eventsBlock(7, 0, 10), eventsBlock(8, 10, 20)) // two days: two inserts
			old := g.archiver(slow)
			old.readTo(t, 2)
			done := make(chan error, 1)
			go func() { done <- old.round(t.Context()) }()
			for range c.inserts {
				<-slow.asked
				slow.let <- nil
			}
			<-slow.asked

			young := g.archiver(memory)
			if err := young.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.blocks(eventsBlock(8, 15, 40))
			young.readTo(t, 3)
			if err := young.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 - c.inserts {
				slow.let <- nil
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			g.blocks(eventsBlock(8, 40, 50))
			old.readTo(t, 4)
			if err := old.round(t.Context()); !errors.Is(err, errFenced) {
				t.Errorf("the former owner's next round: %v, want %v", err, errFenced)
			}
			g.wantPositions(memory, 40)
		})
	}
}

// A former owner that wakes up and finds the rows of its successor is no sign of damage: it learns
// that it is the former owner.
func TestArchiverFindsItsSuccessorsRows(t *testing.T) {
	g, memory := newGround(t), archivetest.NewMemory()
	g.blocks(eventsBlock(7, 0, 10))
	first := g.archiver(memory)
	first.readTo(t, 1)
	if err := errors.Join(first.round(t.Context()), first.save(t.Context())); err != nil {
		t.Fatal(err)
	}
	old := g.archiver(memory) // knows from the log how far it got, and falls asleep
	young := g.archiver(memory)
	g.blocks(eventsBlock(7, 10, 20))
	young.readTo(t, 2)
	if err := errors.Join(young.round(t.Context()), young.save(t.Context())); err != nil {
		t.Fatal(err)
	}
	old.readTo(t, 2)
	if err := old.round(t.Context()); !errors.Is(err, errFenced) {
		t.Errorf("the former owner's round: %v, want %v", err, errFenced)
	}
	var m dto.Metric
	if err := old.a.metrics.mismatches.WithLabelValues(archive.TableEvents).Write(&m); err != nil {
		t.Fatal(err)
	}
	if n := m.GetCounter().GetValue(); n != 0 {
		t.Errorf("%v mismatches are told", n)
	}
	g.wantPositions(memory, 20)
}

// wantPositions demands that the positions 0 to n are archived once each.
func (g *ground) wantPositions(m *archivetest.Memory, n int) {
	g.t.Helper()
	want := make([]int64, n)
	for i := range want {
		want[i] = int64(i)
	}
	if got := m.Offsets("events", "events", 0); !slices.Equal(got, want) {
		g.t.Errorf("positions %v, want 0 to %d once each", got, n)
	}
}

// An insert that was made and not acknowledged is repeated by the next owner, token by token.
func TestArchiverRepeats(t *testing.T) {
	g, memory := newGround(t), archivetest.NewMemory()
	g.blocks(eventsBlock(7, 0, 10), eventsBlock(7, 5, 15), eventsBlock(8, 15, 20))
	old := g.archiver(memory)
	old.readTo(t, 3)
	if err := old.round(t.Context()); err != nil { // and crashes before it could note the end
		t.Fatal(err)
	}
	young := g.archiver(memory)
	if young.done != 0 || young.next != 3 || len(young.pending.groups) != 2 {
		t.Errorf("the next owner recalls [%d, %d) in %d inserts, want [0, 3) in 2", young.done, young.next,
			len(young.pending.groups))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := young.run(ctx); err != nil {
		t.Fatal(err)
	}
	g.wantPositions(memory, 20)
	if last := g.archiver(memory); last.done != 3 || !last.pending.empty() {
		t.Errorf("after a clean stop the next owner begins at %d, want 3", last.done)
	}
}

// A new owner whose log was lost goes by what the table holds.
func TestArchiverWithoutLog(t *testing.T) {
	g, memory := newGround(t), archivetest.NewMemory()
	g.blocks(eventsBlock(7, 0, 10))
	w := g.archiver(memory)
	w.readTo(t, 1)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ResetUnit(t.Context(), &g.o.Kafka, &g.o.Topics, w.keeper.unit); err != nil {
		t.Fatal(err)
	}
	if err := w.save(t.Context()); !errors.Is(err, errFenced) {
		t.Errorf("after the reset the owner saves: %v, want %v", err, errFenced)
	}
	g.blocks(eventsBlock(7, 10, 20))
	w = g.archiver(memory)
	if w.done != 0 {
		t.Errorf("after the reset the owner begins at %d", w.done)
	}
	w.readTo(t, 2)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.wantPositions(memory, 20)
}

// However much others have written since, a unit's state is found, and found whole.
func TestKeeperLooksBack(t *testing.T) {
	g := newGround(t)
	kp, _ := g.keep()
	body := bytes.Repeat([]byte("quell"), chunkBytes)
	if err := kp.save(t.Context(), manifest{Position: 9}, body); err != nil {
		t.Fatal(err)
	}
	for round, records := range []int{1, newest - 2, newest, 8 * newest} {
		others := make([]*kgo.Record, records)
		for i := range others {
			others[i] = &kgo.Record{Topic: "checkpoints", Key: []byte("archive/other/0/manifest"), Value: []byte("{}")}
		}
		if err := write(t.Context(), g.cl, others...); err != nil {
			t.Fatal(err)
		}
		if _, st := g.keep(); st.manifest == nil || st.manifest.Position != 9 || !bytes.Equal(st.body, body) {
			t.Errorf("round %d: found %+v with %d bytes", round, st.manifest, len(st.body))
		}
	}
}

// A transaction that a dead owner of another unit has left open on the same partition of the state
// topic holds nobody up, and nothing of it counts; nor does one that was aborted.
func TestKeeperWaitsForNobody(t *testing.T) {
	g := newGround(t)
	kp, _ := g.keep()
	if err := kp.save(t.Context(), manifest{Position: 3}, []byte("three")); err != nil {
		t.Fatal(err)
	}
	dead, _, err := g.o.Kafka.keep(t.Context(), g.adm, g.o.checkpoint("archive", partition{"archive", 0}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dead.close)
	open := func(kp *keeper) {
		if err := kp.cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := write(t.Context(), kp.cl, kp.record(kp.unit+"/manifest", []byte("not a manifest"))); err != nil {
			t.Fatal(err)
		}
	}
	open(dead)
	open(kp)
	began := time.Now()
	_, st := g.keep() // which fences kp, and so aborts what it has open
	if took := time.Since(began); took > stalled/2 {
		t.Errorf("the next owner took %v", took)
	}
	if st.manifest == nil || st.manifest.Position != 3 || string(st.body) != "three" {
		t.Errorf("found %+v, body %q", st.manifest, st.body)
	}
}

// A manifest counts from its transaction's marker on, and a broker may write that after the first chunks
// of the next snapshot, which no transaction holds back. They stay of use for the next manifest.
func TestChunksBeforeTheFormerMarker(t *testing.T) {
	kp := &keeper{unit: "correlate/alerts/0", topic: "snapshots"}
	former, next := &manifest{Position: 10}, &manifest{Position: 20}
	one, two := []byte("the former body"), []byte("the next body")
	former.describe(one)
	next.describe(two)
	at := func(offset int64, records []*kgo.Record) []*kgo.Record {
		for i, r := range records {
			r.Offset = offset + int64(i)
		}
		return records
	}
	manifestOf := func(m *manifest) []*kgo.Record {
		records, err := kp.manifest(m)
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	log := at(0, kp.chunks(former, one))
	first := at(10, manifestOf(former))
	kp.turned(former)
	log = append(log, at(20, kp.chunks(next, two))...)
	log = append(log, first...) // its marker lies at 30
	log = append(log, at(40, manifestOf(next))...)
	st := &unitState{unit: kp.unit, chunks: map[string]chunk{}}
	for _, r := range log {
		if err := st.fold(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.assemble(); err != nil || !st.whole() || string(st.body) != string(two) {
		t.Errorf("whole %t, body %q: %v", st.whole(), st.body, err)
	}
	if _, idle := st.keys(); len(idle) != 0 {
		t.Errorf("idle are %v: the former chunks were deleted with the next manifest", idle)
	}
}
