package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline"
	"quell/pipeline/embedded"
	"quell/rules"
)

// mostStop is what a service may take to stop, whatever is away; an orchestrator kills after it.
const mostStop = 10 * time.Second

// stopWithin cancels the service and fails the test if it is not gone in time.
func stopWithin(t *testing.T, cancel context.CancelFunc, done <-chan error) {
	t.Helper()
	began := time.Now()
	cancel()
	select {
	case err := <-done:
		t.Logf("stopped after %v: %v", time.Since(began).Round(time.Millisecond), err)
	case <-time.After(mostStop):
		stacks := make([]byte, 1<<20)
		t.Fatalf("not stopped after %v\n%s", mostStop, stacks[:runtime.Stack(stacks, true)])
	}
}

// A service must end in time also when Kafka went away under load: what is buffered then, or was
// sent and never answered, is repeated by the next owner and must not hold back the stop.
func TestStopWithoutKafka(t *testing.T) {
	b, err := embedded.New(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stopBroker := run(t, "broker", b.Run)
	<-b.Ready()
	stopWithout(t, pipeline.Kafka{Brokers: []string{b.Addr()}}, stopBroker)
}

func stopWithout(t *testing.T, k pipeline.Kafka, stopBroker func()) {
	w := newWorldOn(t, k, func(o *pipeline.Options, _ *rules.Spec) {
		o.Topics = prefixed(o.Topics, "stop.")
		o.Kafka.Group = "stop"
		o.Topics.Raw[0].Partitions = 8
		o.Intake.Shards = 1
	})
	s, err := pipeline.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer cancel()
	feeding, stopFeeding := context.WithCancel(t.Context())
	defer stopFeeding()
	go func() {
		for i := 0; feeding.Err() == nil; i++ {
			w.cl.TryProduce(feeding, &kgo.Record{Topic: "stop.events", Partition: int32(i % 8),
				Value: []byte(event("shop", fmt.Sprint(i%500), "critical", "firing"))}, nil)
			if i%200 == 0 {
				_ = w.cl.Flush(feeding)
			}
		}
	}()
	eventually(t, "events flow", func() bool { return s.Status().Rows["events"] > 2000 })
	stopBroker()
	stopFeeding()
	stopWithin(t, cancel, done)
}

// The same with the archive away: its blocks stay in Kafka.
func TestStopWithoutArchive(t *testing.T) {
	w := newWorld(t, nil)
	s, err := pipeline.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer cancel()
	w.archive.SetDown(errors.New("no ClickHouse here"))
	w.send(0, event("shop", "pod-1", "critical", "firing"))
	eventually(t, "a page without an archive", func() bool { return len(w.pages()) == 1 })
	stopWithin(t, cancel, done)
}

// errorCount counts what is logged as an error.
type errorCount struct{ n atomic.Int64 }

func (c *errorCount) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelError}))
}

func (c *errorCount) Write(b []byte) (int, error) {
	c.n.Add(1)
	return len(b), nil
}

// A clean stop is clean under load too: what is under way comes to its end, so that nobody has to
// repeat it.
func TestStopUnderLoad(t *testing.T) {
	log := new(errorCount)
	w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
		o.Logger, o.Topics.Raw[0].Partitions = log.logger(), 1
		o.Correlate.CommitEvery = time.Millisecond
	})
	for round := range 8 {
		s, stop := w.start()
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			sendFast(w, round*1000, round*1000+1000)
		}()
		eventually(t, "pages are being committed", func() bool { return s.Status().Passed > 0 && s.Status().Pages > 0 || s.Status().Passed >= 1000 })
		stop()
		<-fed
	}
	s, stop := w.start()
	eventually(t, "everything is archived", func() bool {
		return len(w.archive.Offsets("events", "events", 0)) == 8000 && s.Status().Read["events"][0] == 8000
	})
	stop()
	w.wantOnce(8000)
	if n := log.n.Load(); n > 0 {
		t.Errorf("%d errors were logged", n)
	}
}
