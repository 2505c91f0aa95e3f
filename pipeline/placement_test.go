package pipeline_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/pipeline"
	"quell/rules"
)

// An owner that fails again and again is counted, and what is told of its partition stays told while
// it is started again: a lag that vanishes alerts nobody. It ends with the service.
func TestOwnerFails(t *testing.T) {
	for _, c := range []struct{ role, topic, fails string }{
		{"intake", "events", "alerts"}, {"correlate", "alerts", "pages"},
	} {
		t.Run(c.role, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			reg := prometheus.NewRegistry()
			w := newWorldOn(t, pipeline.Kafka{Brokers: cluster.ListenAddrs()}, func(o *pipeline.Options, _ *rules.Spec) {
				o.Topics.Raw[0].Partitions, o.Metrics = 1, reg
			})
			s, stop := w.start()
			lag := func() bool { return tells(t, reg, "quell_consumer_lag_records", c.role, c.topic) }
			failures := func() float64 { return metric(t, reg, "quell_owner_failures_total", c.role, c.topic, "0") }
			w.send(0, event("shop", "pod-1", "critical", "firing"))
			eventually(t, "the lag is told", lag)
			eventually(t, "a page", func() bool { return len(w.pages()) == 1 })
			if n := failures(); n != 0 {
				t.Errorf("%v failures before there was any", n)
			}
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.fails,
				Err: kerr.TopicAuthorizationFailed, Count: 6})
			for i := range 3 {
				w.send(0, event(fmt.Sprint("blog-", i), "pod-1", "critical", "firing"))
			}
			eventually(t, "failures are counted", func() bool {
				if !lag() {
					t.Fatalf("after %v failures the lag is not told any more", failures())
				}
				return failures() >= 3
			})
			if f := s.Status().Failing; len(f) != 0 {
				t.Errorf("%v are said to fail after a few seconds", f)
			}
			eventually(t, "the pages go out in the end", func() bool { return len(w.pages()) >= 4 })
			if !lag() {
				t.Error("the lag is not told any more")
			}
			stop()
			if lag() {
				t.Error("a service that has stopped still tells its lag")
			}
		})
	}
}

// tells reports whether a metric has a series with all the given label values.
func tells(t *testing.T, reg *prometheus.Registry, name string, values ...string) bool {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetValue()] = true
			}
			all := f.GetName() == name
			for _, v := range values {
				all = all && have[v]
			}
			if all {
				return true
			}
		}
	}
	return false
}
