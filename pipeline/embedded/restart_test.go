package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/embedded"
)

// startWithRetention starts a broker that applies retention all the time; retain waits until a
// condition holds.
func startWithRetention(t *testing.T) (b *embedded.Broker, retain func(func() bool)) {
	t.Helper()
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b.SetRetentionEvery(time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	<-b.Ready()
	return b, func(holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !holds(); {
			if time.Now().After(deadline) {
				t.Fatal("retention did nothing for 20 s")
			}
		}
	}
}

func TestRestartKeepsRecordsTopicsAndOffsets(t *testing.T) {
	dir := t.TempDir()
	b, stop := start(t, embedded.Options{DataDir: dir})
	cl := client(t, b.Addr(), kgo.TransactionalID("w"))
	create(t, cl, "t", 3, "message.timestamp.type=LogAppendTime", "retention.ms=-1")
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, record("t", "", "one"))
	if err := cl.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	before := consume(t, b.Addr(), "t", 1)[0]
	adm := kadm.NewClient(cl)
	if err := adm.CommitAllOffsets(within(t), "g", kadm.OffsetsFromRecords(*before)); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	stop()

	b, _ = start(t, embedded.Options{DataDir: dir})
	cl = client(t, b.Addr())
	after := consume(t, b.Addr(), "t", 1, kgo.FetchIsolationLevel(kgo.ReadCommitted()))[0]
	same := string(after.Value) == "one" && after.Offset == before.Offset &&
		after.Timestamp.Equal(before.Timestamp)
	if !same {
		t.Errorf("after the restart the record is %q at %d of %s",
			after.Value, after.Offset, after.Timestamp)
	}
	adm = kadm.NewClient(cl)
	topics, err := adm.ListTopics(within(t), "t")
	if err != nil || len(topics["t"].Partitions) != 3 {
		t.Errorf("after the restart the topic is %v, %v", topics["t"], err)
	}
	offsets, err := adm.FetchOffsets(within(t), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := offsets.Lookup("t", before.Partition); !ok || o.At != before.Offset+1 {
		t.Errorf("after the restart the group is at %+v, want %d", o, before.Offset+1)
	}
	second := record("t", "", "two")
	second.Timestamp = yearsAgo
	produce(t, cl, second)
	for _, r := range consume(t, b.Addr(), "t", 2) {
		if r.Timestamp.Before(before.Timestamp) {
			t.Errorf("after the restart %q is stamped %s, not with its arrival", r.Value, r.Timestamp)
		}
	}
}

// A compacted topic keeps everything while the broker serves, and the last value of each key after
// a restart.
func TestCompactionHappensAtStart(t *testing.T) {
	dir := t.TempDir()
	b, stop := start(t, embedded.Options{DataDir: dir})
	cl := client(t, b.Addr())
	create(t, cl, "state", 1, "cleanup.policy=compact", "min.compaction.lag.ms=60000")
	for _, kv := range []string{"a=1", "b=1", "a=2", "c=1", "a=3"} {
		k, v, _ := strings.Cut(kv, "=")
		produce(t, cl, record("state", k, k+v))
	}
	if got := values(consume(t, b.Addr(), "state", 5)); got != "a1 b1 a2 c1 a3" {
		t.Errorf("before the restart: %q", got)
	}
	cl.Close()
	stop()

	b, _ = start(t, embedded.Options{DataDir: dir})
	got := consume(t, b.Addr(), "state", 4)
	if values(got) != "b1 a2 c1 a3" { // the newest batch is never part of the compaction
		t.Errorf("after the restart: %q", values(got))
	}
	if last := got[len(got)-1]; last.Offset != 4 {
		t.Errorf("the last record moved to offset %d", last.Offset)
	}
}

func TestAnOpenTransactionStopsTheCompaction(t *testing.T) {
	dir := t.TempDir()
	b, stop := start(t, embedded.Options{DataDir: dir})
	cl := client(t, b.Addr())
	create(t, cl, "state", 1, "cleanup.policy=compact")
	produce(t, cl, record("state", "k", "committed"))
	writer := client(t, b.Addr(), kgo.TransactionalID("w"))
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, writer, record("state", "k", "never committed"))
	produce(t, writer, record("state", "other", "never committed"))
	stop()

	b, _ = start(t, embedded.Options{DataDir: dir})
	next := client(t, b.Addr(), kgo.TransactionalID("w"))
	// The new owner fences the old writer, and the broker aborts what it had open.
	if err := next.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, next, record("state", "other", "committed later"))
	if err := next.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	got := values(consume(t, b.Addr(), "state", 2, kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	if got != "committed committed later" {
		t.Errorf("read_committed gave %q", got)
	}
}

func TestTheSecondBrokerOnADirectoryIsToldWhereTheFirstIs(t *testing.T) {
	dir := t.TempDir()
	first, stop := start(t, embedded.Options{DataDir: dir})
	second, err := embedded.New(embedded.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(within(t))
	if err == nil || !strings.Contains(err.Error(), first.Addr()) {
		t.Fatalf("error is %v, want one that names %s", err, first.Addr())
	}
	// The refused broker took nothing along.
	if got, err := embedded.ReadAddress(dir); err != nil || got.Addr != first.Addr() {
		t.Errorf("ReadAddress: %+v, %v", got, err)
	}
	stop()
	start(t, embedded.Options{DataDir: dir})
}

func TestReadAddressTellsALiveBrokerFromAFileLeftBehind(t *testing.T) {
	dir := t.TempDir()
	if _, err := embedded.ReadAddress(dir); !errors.Is(err, embedded.ErrNotRunning) {
		t.Errorf("an empty directory: %v", err)
	}
	begin := time.Now().Add(-time.Second)
	b, stop := start(t, embedded.Options{DataDir: dir})
	got, err := embedded.ReadAddress(dir)
	if err != nil || got.Addr != b.Addr() || got.PID != os.Getpid() ||
		got.Started.Before(begin) || got.Started.After(time.Now()) {
		t.Errorf("a running broker: %+v, %v", got, err)
	}
	path := filepath.Join(dir, "kafka.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the address file: %v, %v", info, err)
	}
	left, err := os.ReadFile(path)
	if err != nil || !json.Valid(left) {
		t.Fatalf("the address file: %q, %v", left, err)
	}
	stop()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the stop the address file is still there: %v", err)
	}
	// What kill -9 leaves: the file, and a lock file that nobody holds.
	if err := os.WriteFile(path, left, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = embedded.ReadAddress(dir)
	if !errors.Is(err, embedded.ErrNotRunning) || !strings.Contains(err.Error(), got.Addr) {
		t.Errorf("a file left behind: %v", err)
	}
	start(t, embedded.Options{DataDir: dir}) // and it hinders nobody
}
