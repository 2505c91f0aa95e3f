package pipeline_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline"
	"quell/rules"
)

// At every limit on what is held, the page goes out: what is beyond is counted in an incident that
// pages, and its disposition or verdict and a metric with the limit's name say so.
func TestLimitsPassThrough(t *testing.T) {
	for _, c := range []struct {
		limit   string
		set     func(*pipeline.Options)
		events  []string // severity critical, about services and entities
		counted int      // of them, how many the incidents count
	}{
		{"fingerprints", func(o *pipeline.Options) { o.Intake.Dedup.MaxEntries = 1 },
			[]string{"a/1", "b/1", "c/1"}, 3},
		{"incidents", func(o *pipeline.Options) { o.Correlate.Limits.Incidents = 1 },
			[]string{"a/1", "b/1", "c/1"}, 3},
		{"open_incidents", func(o *pipeline.Options) { o.Correlate.Limits.OpenIncidents = 1 },
			[]string{"a/1", "b/1", "c/1"}, 3},
		{"groups_per_rule", func(o *pipeline.Options) { o.Correlate.Limits.GroupsPerRule = 1 },
			[]string{"a/1", "b/1", "c/1"}, 3},
		{"alerts_per_incident", func(o *pipeline.Options) { o.Correlate.Limits.AlertsPerIncident = 1 },
			[]string{"a/1", "a/2", "a/3"}, 3},
		{"live_alerts", func(o *pipeline.Options) { o.Correlate.Limits.LiveAlerts = 1 },
			[]string{"a/1", "b/1", "c/1"}, 3},
	} {
		t.Run(c.limit, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
				o.Metrics, o.Topics.Raw[0].Partitions = reg, 1
				c.set(o)
			})
			w.start()
			for _, e := range c.events {
				service, entity, _ := strings.Cut(e, "/")
				w.send(0, fmt.Sprintf(`{"service":%q,"entity":%q,"check":"up","severity":"critical"}`, service, entity))
			}
			eventually(t, "every incident has paged, and they count all events", func() bool {
				newest, paged := map[string]correlate.Incident{}, map[string]bool{}
				for _, r := range w.read("incidents") {
					var in correlate.Incident
					if err := json.Unmarshal(r.Value, &in); err != nil {
						t.Fatal(err)
					}
					newest[in.ID] = in
				}
				for _, r := range w.read("pages") {
					paged[string(r.Key)] = true
				}
				events := 0
				for id, in := range newest {
					if !paged[id] {
						return false
					}
					events += int(in.Events)
				}
				return events == c.counted
			})
			if n := sum(t, reg, "quell_limit_hits_total", c.limit); n < 2 {
				t.Errorf("quell_limit_hits_total says %v of %s", n, c.limit)
			}
			if n := sum(t, reg, "quell_limit_used_ratio", c.limit); n < 1 {
				t.Errorf("quell_limit_used_ratio says %v of %s", n, c.limit)
			}
			if c.limit != "fingerprints" {
				eventually(t, "a disposition says so", func() bool {
					for _, row := range w.archive.Rows(archive.TableDispositions) {
						if row["disposition"] == correlate.OverLimit.String() {
							return true
						}
					}
					return false
				})
			}
		})
	}
}

// sum adds up the series of a metric for a limit.
func sum(t *testing.T, reg *prometheus.Registry, name, limit string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == "limit" && l.GetValue() == limit {
					n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return n
}

// A batch that decompresses to more than its bound stops its partition and says so; nothing is
// skipped, and with a larger bound all of it is read. Other partitions go on.
func TestBatchBytesStopAndSay(t *testing.T) {
	for _, c := range []struct {
		name  string
		codec kgo.CompressionCodec
	}{{"gzip", kgo.GzipCompression()}, {"lz4", kgo.Lz4Compression()}, {"snappy", kgo.SnappyCompression()},
		{"zstd", kgo.ZstdCompression()}} {
		t.Run(c.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			w := newWorld(t, func(o *pipeline.Options, _ *rules.Spec) {
				o.Metrics, o.Intake.BatchBytes, o.Intake.Shards = reg, 100<<10, 1
			})
			large := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(c.codec))
			defer large.Close()
			value := `{"service":"a","entity":"1","check":"up"}` + strings.Repeat(" ", 200<<10)
			if err := large.ProduceSync(t.Context(), &kgo.Record{Topic: "events", Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			s, err := pipeline.New(w.options)
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, "service", s.Run)
			eventually(t, "it is counted", func() bool { return sum(t, reg, "quell_limit_hits_total", "batch_bytes") > 0 })
			w.send(1, `{"service":"b","entity":"1","check":"up"}`)
			eventually(t, "the other partition goes on", func() bool {
				return len(w.archive.Offsets(archive.TableEvents, "events", 1)) == 1
			})
			if n := w.archive.Offsets(archive.TableEvents, "events", 0); len(n) > 0 {
				t.Fatalf("the batch was read: %v", n)
			}
			stop()
			w.options.Metrics, w.options.Intake.BatchBytes = nil, 0
			w.start()
			eventually(t, "it is archived", func() bool {
				return len(w.archive.Offsets(archive.TableEvents, "events", 0)) == 1
			})
		})
	}
}
