package pipeline_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/pipeline"
)

// A service that is started while a broker comes back, and for a moment has no leader for a
// partition, waits for it.
func TestStartWithoutALeader(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault kfake.Fault
	}{
		{"of the rules topic", kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "rules",
			Err: kerr.LeaderNotAvailable, Count: 3}},
		{"of a raw topic", kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "events",
			Err: kerr.LeaderNotAvailable, Count: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			w := newWorldOn(t, pipeline.Kafka{Brokers: cluster.ListenAddrs()}, nil)
			h := cluster.Fault(c.fault)
			s, stop := w.start()
			defer stop()
			if err := h.Wait(t.Context(), c.fault.Count); err != nil {
				t.Fatal(err)
			}
			sendFast(w, 0, 10)
			eventually(t, "the events are archived", func() bool { return s.Status().Rows["events"] == 10 })
		})
	}
}
