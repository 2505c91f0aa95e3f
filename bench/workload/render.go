package workload

import (
	"quell/correlate"
)

// Templates instead of an encoder: an event is its changing head and its alert's unchanging tail.
// No string of the vocabulary needs escaping; a test decodes what comes out.

var summaries = map[string]string{
	"http_5xx_rate":         "share of 5xx answers above threshold",
	"latency_p99":           "p99 latency above objective",
	"healthcheck_failed":    "health check failed",
	"error_budget_burn":     "error budget burns too fast",
	"thread_pool_full":      "worker threads exhausted",
	"job_failures":          "jobs fail repeatedly",
	"replication_lag":       "replica is behind its primary",
	"connections_exhausted": "no free connections left",
	"slow_queries":          "queries slower than 1 s",
	"disk_io_wait":          "processes wait for the disk",
	"hit_ratio_drop":        "hit ratio fell",
	"evictions":             "evictions above threshold",
	"consumer_lag":          "consumers fall behind",
	"publish_errors":        "publishing fails",
	"node_down":             "node does not answer",
	"memory_pressure":       "memory pressure on node",
	"packet_loss":           "packets are lost",
	"deploy_event":          "a deployment changed replicas",
	"config_drift":          "configuration differs from its source",
	"autoscaler":            "autoscaler changed capacity",
	"log_pattern":           "unusual log pattern",
	"gc_pause":              "long garbage collection pause",
	"cert_expiry":           "certificate expires soon",
	"backup_age":            "last backup is old",
	"ntp_drift":             "clock drifts",
	"disk_forecast":         "disk will be full",
}

// appendTail renders what all events of the alert have in common, up to the closing brace.
func appendTail(b []byte, e *emitter) []byte {
	text := func(before, value string) { b = append(append(b, before...), value...) }
	text(`","scope":"`, e.scope)
	text(`","service":"`, e.service)
	text(`","entity":"`, e.entity)
	text(`","check":"`, e.check)
	text(`","summary":"`, summaries[e.check])
	text(`","labels":{"region":"`, e.region)
	if e.cluster != "" {
		text(`","cluster":"`, e.cluster)
	}
	text(`","zone":"`, e.zone)
	text(`","host":"`, e.host)
	text(`","team":"`, e.team)
	text(`"},"url":"https://mon.example/`, e.host)
	return append(b, `"}`...)
}

// said is one event, before it is rendered.
type said struct {
	emitter  int
	id       uint64
	sequence uint64
	time     int // story ms
	source   int // index into the emitter's sources
	cleared  bool
	value    uint32
}

func (s *Storm) render(b []byte, v *said) []byte {
	e := &s.plan.emitters[v.emitter]
	b = append(b, `{"id":"`...)
	b = appendID(b, v.id)
	b = append(b, `","time":"`...)
	b = s.stamp.append(b, s.plan.options.Start.Add(correlate.Duration(v.time)))
	b = append(b, `","source":"`...)
	b = append(b, e.sources[v.source]...)
	b = append(b, `","severity":"`...)
	b = append(b, e.severityAt(v.time).String()...)
	if v.cleared || e.statusAt(v.time) == correlate.Resolved {
		b = append(b, `","status":"resolved","value":"`...)
	} else {
		b = append(b, `","status":"firing","value":"`...)
	}
	b = append(b, digits[v.value/1000%10], digits[v.value/100%10], digits[v.value/10%10], '.',
		digits[v.value%10])
	return append(b, e.tail...)
}

// stamp renders times; it keeps the text of the last second, since most events share it.
type stamp struct {
	second correlate.Time
	text   []byte
}

func (s *stamp) append(b []byte, t correlate.Time) []byte {
	second, ms := t/1000, t%1000
	if s.text == nil || second != s.second {
		s.second = second
		s.text = append(s.text[:0], (second * 1000).String()[:len("2026-01-01T00:00:00.")]...)
	}
	b = append(b, s.text...)
	return append(b, digits[ms/100], digits[ms/10%10], digits[ms%10], 'Z')
}
