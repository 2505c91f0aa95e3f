// Package brokertest starts the embedded broker, in memory, for tests of the commands.
package brokertest

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline"
	"quell/pipeline/embedded"
)

// Start runs a broker until the test is done, with these topics.
func Start(tb testing.TB, specs ...pipeline.TopicSpec) pipeline.Kafka {
	tb.Helper()
	k := pipeline.Kafka{Brokers: []string{Run(tb, embedded.Options{})}, ClientID: "test", Group: "test"}
	if len(specs) > 0 {
		cl := Client(tb, k)
		if _, err := pipeline.CreateTopics(context.Background(), kadm.NewClient(cl), specs, 1); err != nil {
			tb.Fatal(err)
		}
	}
	return k
}

// Run runs a broker with these options until the test is done, and returns its address.
func Run(tb testing.TB, o embedded.Options) string {
	tb.Helper()
	b, err := embedded.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	select {
	case <-b.Ready():
	case err := <-done:
		tb.Fatal(err)
	}
	return b.Addr()
}

// Client returns a client that is closed when the test is done.
func Client(tb testing.TB, k pipeline.Kafka, more ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, more...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return cl
}
