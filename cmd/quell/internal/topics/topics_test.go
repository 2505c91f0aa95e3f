package topics_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"quell/cmd/quell/internal/brokertest"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/topics"
	"quell/pipeline"
	"quell/pipeline/embedded"
)

func load(t *testing.T, text string, o config.Overrides) *config.Config {
	t.Helper()
	c, problems := config.Check("test.yaml", []byte(text), o)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func quiet() connect.Options {
	return connect.Options{Wait: 10 * time.Second, Note: func(string) {}}
}

func actions(results []pipeline.TopicResult) map[string]int {
	out := map[string]int{}
	for _, r := range results {
		out[r.Action]++
	}
	return out
}

// TestCreateIsIdempotent, also under another clock, which changes the kind of time.
func TestCreateIsIdempotent(t *testing.T) {
	k := brokertest.Start(t)
	kafka := config.Overrides{Kafka: strings.Join(k.Brokers, ",")}
	c := load(t, "", kafka)
	for _, want := range []string{"created", "kept"} {
		results, err := topics.Create(context.Background(), c, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if got := actions(results); len(results) != 11 || got[want] != 11 {
			t.Errorf("want 11 %s, got %v", want, got)
		}
	}
	results, err := topics.Create(context.Background(), load(t, "clock: event", kafka), quiet())
	if err != nil {
		t.Fatal(err)
	}
	if got := actions(results); got["changed"] != 2 || got["kept"] != 9 {
		t.Errorf("another clock: %v", got)
	}
	var out strings.Builder
	if err := topics.Print(&out, results); err != nil {
		t.Fatal(err)
	}
	want := "quell.events                 4  changed  cleanup.policy=delete max.message.bytes=8392704 " +
		"message.timestamp.type=CreateTime retention.ms=-1\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("%s\nhas no line\n%s", out.String(), want)
	}
}

// TestWrongPartitions: what can be made is made and told; what cannot is an error.
func TestWrongPartitions(t *testing.T) {
	k := brokertest.Start(t, pipeline.TopicSpec{Name: "quell.alerts", Partitions: 3})
	c := load(t, "", config.Overrides{Kafka: strings.Join(k.Brokers, ",")})
	results, err := topics.Create(context.Background(), c, quiet())
	if err == nil || !strings.Contains(err.Error(), "quell.alerts has 3 partitions and needs 1") {
		t.Errorf("error %v", err)
	}
	if got := actions(results); got["created"] != 10 {
		t.Errorf("%v", got)
	}
}

// TestEmbedded: topics of an embedded broker outlive the command that made them.
func TestEmbedded(t *testing.T) {
	c := load(t, "", config.Overrides{Data: t.TempDir()})
	for _, want := range []string{"created", "kept"} {
		results, err := topics.Create(context.Background(), c, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if got := actions(results); got[want] != 11 {
			t.Errorf("want 11 %s, got %v", want, got)
		}
	}
}

// TestUnreachable: nobody there is told, tried again, and given up on with what to do.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var notes []string
	_, err = topics.Create(context.Background(), load(t, "", config.Overrides{Kafka: addr}),
		connect.Options{Wait: 700 * time.Millisecond, Note: func(s string) { notes = append(notes, s) }})
	if err == nil || !strings.Contains(err.Error(), addr+" did not answer within 700ms") ||
		!strings.Contains(err.Error(), "kafka.brokers") {
		t.Errorf("error %v", err)
	}
	if len(notes) < 2 || !strings.Contains(notes[0], "trying again in 100ms") {
		t.Errorf("notes %q", notes)
	}

	ctx, cancel := context.WithCancel(context.Background())
	_, err = topics.Create(ctx, load(t, "", config.Overrides{Kafka: addr}),
		connect.Options{Wait: time.Hour, Note: func(string) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ctrl-C: %v", err)
	}
}

// TestLateBroker: a broker that comes while we wait is found.
func TestLateBroker(t *testing.T) {
	k := brokertest.Start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	started := false
	results, err := topics.Create(context.Background(), load(t, "", config.Overrides{Kafka: addr}),
		connect.Options{Wait: 20 * time.Second, Note: func(string) {
			if !started {
				started = true
				forward(t, "127.0.0.1:"+port, k.Brokers[0])
			}
		}})
	if err != nil || len(results) != 11 {
		t.Errorf("%d topics, %v", len(results), err)
	}
}

// TestHopeless: what waiting does not mend fails at once.
func TestHopeless(t *testing.T) {
	cert, key := brokertest.Certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := brokertest.Run(t, embedded.Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	tests := []struct{ name, kafka string }{
		{"a certificate that nobody we trust signed",
			fmt.Sprintf("{brokers: %s, tls: {enabled: true}}", encrypted)},
		{"a certificate of another host",
			fmt.Sprintf("{brokers: %s, tls: {enabled: true, ca: %s, server_name: other}}", encrypted, cert)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			c := load(t, "kafka: "+tt.kafka, config.Overrides{})
			_, err := topics.Create(ctx, c, connect.Options{Wait: time.Hour,
				Note: func(s string) { t.Error("tried again:", s) }})
			if err == nil || !strings.Contains(err.Error(), "refuses us") {
				t.Errorf("error %v", err)
			}
		})
	}
	good := load(t, fmt.Sprintf("kafka: {brokers: %s, tls: {enabled: true, ca: %s}}", encrypted, cert),
		config.Overrides{})
	if _, err := topics.Create(context.Background(), good, quiet()); err != nil {
		t.Error(err)
	}
}
