package embedded_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/embedded"
)

// start runs a broker until the test ends; stop ends it earlier and waits.
func start(t *testing.T, opts embedded.Options) (b *embedded.Broker, stop func()) {
	t.Helper()
	b, err := embedded.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-done:
		t.Fatalf("the broker did not start: %v", err)
	}
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return b, stop
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.ProducerLinger(0), kgo.FetchMaxWait(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// within is the bound of every test: nothing here takes longer than a second when it works.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// create makes a topic; each setting is key=value.
func create(t *testing.T, cl *kgo.Client, topic string, partitions int32, settings ...string) {
	t.Helper()
	set := make(map[string]*string)
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		set[key] = &value
	}
	if _, err := kadm.NewClient(cl).CreateTopic(within(t), partitions, 1, set, topic); err != nil {
		t.Fatalf("create %s: %v", topic, err)
	}
}

// record has no key if the key is empty.
func record(topic, key, value string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: []byte(value)}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

func produce(t *testing.T, cl *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := cl.ProduceSync(within(t), records...).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	// franz-go enters a new topic into its books only behind the topic's first records, and a
	// transaction that ends before passes over it: it may be aborted instead of committed.
	for _, r := range records {
		for leader := int32(-1); leader < 0; leader, _, _ = cl.PartitionLeader(r.Topic, r.Partition) {
			runtime.Gosched()
		}
	}
}

// consume reads a topic from its start until it has n records, and fails if there are not so many.
func consume(t *testing.T, addr, topic string, n int, opts ...kgo.Opt) []*kgo.Record {
	t.Helper()
	cl := client(t, addr, append([]kgo.Opt{
		kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	defer cl.Close()
	var got []*kgo.Record
	for ctx := within(t); len(got) < n; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("consume %s: %v after %d of %d records", topic, err, len(got), n)
		}
		got = append(got, fs.Records()...)
	}
	return got
}

func values(rs []*kgo.Record) string {
	var vs []string
	for _, r := range rs {
		vs = append(vs, string(r.Value))
	}
	return strings.Join(vs, " ")
}

func TestNewRefusesUnsafeOptions(t *testing.T) {
	user := &embedded.Credentials{User: "u", Password: "p"}
	for _, tt := range []struct {
		name string
		opts embedded.Options
		want string // part of the error; empty: accepted
	}{
		{"zero value", embedded.Options{}, ""},
		{"loopback by name", embedded.Options{Addr: "localhost:0"}, ""},
		{"loopback in IPv6", embedded.Options{Addr: "[::1]:0"}, ""},
		{"open to others", embedded.Options{Addr: "192.0.2.1:9092"}, "no credentials are set"},
		{"open to others by name", embedded.Options{Addr: "kafka.example:9092"}, "no credentials"},
		{"others with credentials", embedded.Options{Addr: "192.0.2.1:9092", SASL: user}, ""},
		{"every address", embedded.Options{Addr: "0.0.0.0:9092", SASL: user}, "names no host"},
		{"no host", embedded.Options{Addr: ":9092", SASL: user}, "names no host"},
		{"no port", embedded.Options{Addr: "localhost"}, "write host:port"},
		{"no password", embedded.Options{
			SASL: &embedded.Credentials{User: "u"},
		}, "user and a password"},
		{"unknown mechanism", embedded.Options{
			SASL: &embedded.Credentials{Mechanism: "GSSAPI", User: "u", Password: "p"},
		}, `"GSSAPI" is not known`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := embedded.New(tt.opts)
			if tt.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("error is %v, want one about %q", err, tt.want)
			}
		})
	}
}

func TestTopicsAreNotCreatedByAskingForThem(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	cl := client(t, b.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
	err := cl.ProduceSync(within(t), record("nobody.made.it", "", "x")).FirstErr()
	if err == nil {
		t.Fatal("a record was accepted for a topic that nobody created")
	}
}

// The transaction protocol that cannot tear transactions is what quell asks brokers for.
func TestTransactionVersionIsTwo(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	v, err := kadm.NewClient(client(t, b.Addr())).ApiVersions(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, broker := range v {
		for _, f := range broker.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" && f.MaxVersionLevel == 2 {
				return
			}
		}
	}
	t.Fatal("no finalized feature transaction.version=2")
}

func TestReadCommittedSeesOnlyWhatWasCommitted(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	cl := client(t, b.Addr(), kgo.TransactionalID("writer"))
	create(t, cl, "out", 1)
	for _, tx := range []struct {
		value  string
		commit kgo.TransactionEndTry
	}{{"kept-1", kgo.TryCommit}, {"aborted", kgo.TryAbort}, {"kept-2", kgo.TryCommit}} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, record("out", "", tx.value))
		if err := cl.EndTransaction(within(t), tx.commit); err != nil {
			t.Fatal(err)
		}
	}
	got := consume(t, b.Addr(), "out", 2, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if values(got) != "kept-1 kept-2" {
		t.Errorf("read_committed gave %q", values(got))
	}
	if got[1].Offset != 4 {
		t.Errorf("the last record is at offset %d, want 4: markers and aborted records take offsets",
			got[1].Offset)
	}
	if all := values(consume(t, b.Addr(), "out", 3)); all != "kept-1 aborted kept-2" {
		t.Errorf("read_uncommitted gave %q", all)
	}
}

// A new owner of a transactional id takes over at once, and the old one learns it.
func TestTakingOverATransactionalIDFencesTheOldOwner(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	old := client(t, b.Addr(), kgo.TransactionalID("partition-0"))
	create(t, old, "out", 1)
	if err := old.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, old, record("out", "", "from the old owner"))

	next := client(t, b.Addr(), kgo.TransactionalID("partition-0"))
	if err := next.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, next, record("out", "", "from the new owner"))
	if err := next.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := old.EndTransaction(within(t), kgo.TryCommit); err == nil {
		t.Error("the old owner could still commit")
	}
	got := consume(t, b.Addr(), "out", 1, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if values(got) != "from the new owner" {
		t.Errorf("committed: %q", values(got))
	}
}

func TestGroupMembersShareTheWorkQuickly(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	admin := client(t, b.Addr())
	create(t, admin, "in", 4)

	begin := time.Now()
	join := func(name string) <-chan int {
		assigned := make(chan int, 64)
		onAssigned := func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			assigned <- len(got["in"])
		}
		cl := client(t, b.Addr(),
			kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.InstanceID(name),
			kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(2*time.Second),
			kgo.Balancers(kgo.RangeBalancer()), kgo.OnPartitionsAssigned(onAssigned))
		go func() { // a member takes part in the group only while it polls
			for !cl.PollFetches(context.Background()).IsClientClosed() {
			}
		}()
		return assigned
	}
	first := join("a")
	waitFor(t, first, 4)
	t.Logf("one member had all partitions after %v", time.Since(begin).Round(time.Millisecond))
	begin = time.Now()
	assigned := join("b")
	waitFor(t, assigned, 2)
	waitFor(t, first, 2)
	t.Logf("two members had half each after %v", time.Since(begin).Round(time.Millisecond))
}

func waitFor(t *testing.T, ch <-chan int, want int) {
	t.Helper()
	ctx := within(t)
	for {
		select {
		case n := <-ch:
			if n == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("nobody was assigned %d partitions", want)
		}
	}
}

func TestRunTwiceIsRefused(t *testing.T) {
	b, stop := start(t, embedded.Options{})
	if err := b.Run(t.Context()); err == nil {
		t.Error("a second Run was accepted")
	}
	stop()
	stop() // and stopping twice is harmless
}

func TestRunWithAnEndedContextDoesNothing(t *testing.T) {
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); err != nil || b.Addr() != "" {
		t.Errorf("Run: %v, address %q", err, b.Addr())
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	first, _ := start(t, embedded.Options{})
	second, err := embedded.New(embedded.Options{Addr: first.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Run(within(t))
	if err == nil || !strings.Contains(err.Error(), first.Addr()) {
		t.Errorf("error is %v, want one that names %s", err, first.Addr())
	}
}
