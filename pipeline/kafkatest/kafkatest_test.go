package kafkatest_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"quell/pipeline/kafkatest"
)

var noRetries = []kgo.Opt{kgo.RequestRetries(0), kgo.RetryTimeout(2 * time.Second)}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.ProducerLinger(0)}, opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func create(t *testing.T, cl *kgo.Client, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(cl).CreateTopic(within(t), 1, 1, nil, topic); err != nil {
		t.Fatalf("create %s: %v", topic, err)
	}
}

// roundTrip produces a record and reads the topic's first one back.
func roundTrip(t *testing.T, addr, topic, value string, opts ...kgo.Opt) *kgo.Record {
	t.Helper()
	cl := client(t, addr, append([]kgo.Opt{
		kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	record := &kgo.Record{Topic: topic, Value: []byte(value)}
	if err := cl.ProduceSync(within(t), record).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
	fetches := cl.PollFetches(within(t))
	if err := fetches.Err(); err != nil {
		t.Fatalf("consume: %v", err)
	}
	return fetches.Records()[0]
}

// One broker, four doors: open, with a user, over TLS, and with both.
func TestRealKafkaPlaintextSCRAMAndTLSTogether(t *testing.T) {
	user := kafkatest.User{Name: "quell", Password: "s3cret", Mechanism: kafkatest.ScramSHA512}
	broker := kafkatest.Start(t, kafkatest.Options{User: &user, TLS: true})
	right := scram.Auth{User: user.Name, Pass: user.Password}.AsSha512Mechanism()
	wrong := scram.Auth{User: user.Name, Pass: "guess"}.AsSha512Mechanism()
	trust := kgo.DialTLSConfig(broker.TLSConfig())

	for _, tt := range []struct {
		name  string
		topic string
		addr  string
		opts  []kgo.Opt
	}{
		{"plaintext", "plaintext", broker.Addr(), nil},
		{"SCRAM", "scram", broker.SASLAddr(), []kgo.Opt{kgo.SASL(right)}},
		{"TLS", "tls", broker.TLSAddr(), []kgo.Opt{trust}},
		{"SCRAM over TLS", "scram-tls", broker.SASLTLSAddr(), []kgo.Opt{trust, kgo.SASL(right)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			create(t, client(t, tt.addr, tt.opts...), tt.topic)
			got := roundTrip(t, tt.addr, tt.topic, tt.name, tt.opts...)
			if string(got.Value) != tt.name {
				t.Errorf("read %q back", got.Value)
			}
		})
	}
	for _, tt := range []struct {
		name string
		addr string
		opts []kgo.Opt
	}{
		{"SCRAM with a wrong password", broker.SASLAddr(), []kgo.Opt{kgo.SASL(wrong)}},
		{"SCRAM without credentials", broker.SASLAddr(), nil},
		{"TLS without trust", broker.TLSAddr(), []kgo.Opt{kgo.DialTLS()}},
		{"plaintext to the TLS port", broker.TLSAddr(), nil},
	} {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			cl := client(t, tt.addr, append(tt.opts, noRetries...)...)
			if err := cl.Ping(within(t)); err == nil {
				t.Error("let in")
			}
		})
	}
	t.Run("transaction.version is 2", func(t *testing.T) { wantTransactionVersion2(t, broker) })
}

func wantTransactionVersion2(t *testing.T, broker *kafkatest.Broker) {
	versions, err := kadm.NewClient(client(t, broker.Addr())).ApiVersions(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		for _, f := range v.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" && f.MaxVersionLevel == 2 {
				return
			}
		}
	}
	t.Error("no finalized feature transaction.version=2")
}

// Ports and data outlive a crash and a restart.
func TestRealKafkaComesBackAfterACrash(t *testing.T) {
	broker := kafkatest.Start(t, kafkatest.Options{
		User: &kafkatest.User{Name: "quell", Password: "s3cret"}, // SCRAM-SHA-256 by default
	})
	right := sasl.Mechanism(scram.Auth{User: "quell", Pass: "s3cret"}.AsSha256Mechanism())
	create(t, client(t, broker.Addr()), "t")
	before := roundTrip(t, broker.Addr(), "t", "written before the crash")
	addr, pid := broker.Addr(), broker.PID()

	broker.Kill()
	if broker.PID() != 0 {
		t.Error("a killed broker has a process")
	}
	if err := client(t, addr, noRetries...).Ping(within(t)); err == nil {
		t.Fatal("a killed broker answers")
	}
	begin := time.Now()
	broker.Restart()
	t.Logf("back after %v", time.Since(begin).Round(10*time.Millisecond))
	if broker.Addr() != addr || broker.PID() == pid {
		t.Errorf("restarted as process %d at %s, was %d at %s",
			broker.PID(), broker.Addr(), pid, addr)
	}
	after := roundTrip(t, broker.SASLAddr(), "t", "second", kgo.SASL(right))
	if string(after.Value) != string(before.Value) || after.Offset != before.Offset {
		t.Errorf("after the crash the first record is %q at %d", after.Value, after.Offset)
	}
}
