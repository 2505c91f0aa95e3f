//go:build synctests

package virtual

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/pipeline"
)

// A partition whose owner fails behind every recovery is told after a minute, with the error, and is
// told no more once an owner has worked for a while. The others are not told at all.
func TestFailing(t *testing.T) {
	inBubble(t, *seedFlag, nil, func(w *world) {
		o := w.options
		o.Kafka.ClientID, o.Archive.To = "failing", w.archive
		o.Kafka.More = append(network(w.net.DialContext), kgo.FetchMaxPartitionBytes(fetchBytes))
		s, err := pipeline.New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		<-s.Ready()
		time.Sleep(10 * time.Second)
		f := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "pages",
			Err: kerr.TopicAuthorizationFailed, Count: 1_000_000})
		w.send(0, event("shop", "critical", "firing"))
		began := time.Now()
		w.eventually("the partition fails for good", func() bool { return len(s.Status().Failing) > 0 })
		if took := time.Since(began); took < time.Minute || took > 75*time.Second {
			t.Errorf("it was told after %v", took)
		}
		told := s.Status().Failing["alerts/0"]
		if len(s.Status().Failing) != 1 || told == nil || !strings.Contains(told.Error(), "TOPIC_AUTHORIZATION_FAILED") {
			t.Errorf("failing: %v", s.Status().Failing)
		}
		f.Remove()
		w.eventually("it pages", func() bool { return len(w.read("pages")) == 1 })
		w.eventually("it works again", func() bool { return len(s.Status().Failing) == 0 })
	})
}
