package pipeline

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the roles tell Prometheus. Labels are closed sets or configured names; nothing
// that an event says becomes a label.
type metrics struct {
	events, rejected, clamped, lost, cut     *prometheus.CounterVec
	alerts, pages, responses, rows, repeated *prometheus.CounterVec
	mismatches, limitHits, failures          *prometheus.CounterVec
	limits                                   *prometheus.GaugeVec
	ignored, divergence                      prometheus.Counter
	archiveErrors                            prometheus.Counter
	lag, incidents, live, held, blocked      *prometheus.GaugeVec
	batch, transaction                       prometheus.Histogram
	toPage, toArchive                        prometheus.Histogram
}

// latencies are the bounds of the latency histograms in seconds: 5 ms to about 80 s, doubling.
func latencies() []float64 { return prometheus.ExponentialBuckets(0.005, 2, 15) }

func newMetrics(reg prometheus.Registerer) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "quell", Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "quell", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "quell", Name: name, Help: help}, labels)
		reg.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "quell", Name: name, Help: help,
			Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	return &metrics{
		events:   counters("events_total", "Events read, by raw topic and verdict.", "topic", "verdict"),
		rejected: counters("rejected_total", "Records that could not be decoded, by reason.", "topic", "reason"),
		clamped: counters("event_times_clamped_total",
			"Events whose time was moved to record time +- max_skew.", "topic"),
		cut: counters("events_cut_total", "Accepted events of which something was cut to a bound.", "topic", "what"),
		lost: counters("records_lost_total",
			"Records that retention took before they were read.", "topic"),
		alerts: counters("alerts_total", "Alert records, by what the engine made of them.", "disposition"),
		pages:  counters("pages_total", "Pages sent, by reason.", "reason"),
		responses: counters("responses_total",
			"Responses of paging services and people, by outcome.", "outcome"),
		repeated: counters("archive_rows_repeated_total",
			"Rows left out because ClickHouse held their positions already, by table.", "table"),
		mismatches: counters("archive_log_mismatches_total", "Times that a table held something else than "+
			"the log of inserts says, by table.", "table"),
		rows: counters("archived_rows_total", "Rows that ClickHouse acknowledged, by table.", "table"),
		limits: gauges("limit_used_ratio", "How much of a limit is in use, 0 to 1, by the limit's name in the "+
			"configuration; of the fullest scope, rule or incident where there are several.",
			"limit", "topic", "partition"),
		limitHits: counters("limit_hits_total", "Times that a limit was met, by its name: events and alerts that "+
			"went on as over_limit, closed_groups that were forgotten before their time, records that "+
			"merge_buffer let pass before their watermark, reads that stopped at batch_bytes, "+
			"records whose work was divided at step_bytes.", "limit"),
		failures: counters("owner_failures_total", "Times that the owner of a partition failed, by role and "+
			"partition; it recovers and goes on, or stands still for good.", "role", "topic", "partition"),
		ignored: counter("alerts_repeated_total",
			"Alert records that repeated a position and were ignored."),
		divergence: counter("replay_divergence_total",
			"Replays that did not reproduce the committed state; the partition is stopped."),
		archiveErrors: counter("archive_errors_total", "Inserts and look-ups that ClickHouse refused or did not answer."),
		lag: gauges("consumer_lag_records", "Records not worked off yet, by role and partition; of "+
			"archive: not in ClickHouse.", "role", "topic", "partition"),
		blocked: gauges("archive_blocked", "1 while ClickHouse refuses a partition's rows for a reason "+
			"that will not pass by itself.", "topic", "partition"),
		incidents: gauges("incidents_open", "Incidents that are not resolved, by state.", "partition", "state"),
		live:      gauges("alerts_live", "Alerts that the engine holds.", "partition"),
		held: gauges("pages_held", "Incidents that owe a page until a backlog has been worked off.",
			"partition"),
		batch:       histogram("intake_batch_records", "Records in a batch of intake.", prometheus.ExponentialBuckets(1, 4, 8)),
		transaction: histogram("transaction_seconds", "Duration of the engine's Kafka transactions.", latencies()),
		toPage: histogram("page_latency_seconds",
			"From the raw record's append time to its page being committed; timers' pages left out.", latencies()),
		toArchive: histogram("archive_latency_seconds",
			"From a block's append time to ClickHouse's acknowledgement.", latencies()),
	}
}

// use tells how much of a limit is in use. A limit of 0 has its default, which its owner knows.
func (m *metrics) use(limit string, used, most int, part partition) {
	if most > 0 {
		m.limits.WithLabelValues(limit, part.topic, strconv.Itoa(int(part.id))).Set(float64(used) / float64(most))
	}
}

// hit counts how often a limit was met.
func (m *metrics) hit(limit string, times uint64) {
	m.limitHits.WithLabelValues(limit).Add(float64(times))
}

// failed counts that the owner of a partition failed.
func (m *metrics) failed(role string, part partition) {
	m.failures.WithLabelValues(role, part.topic, strconv.Itoa(int(part.id))).Inc()
}

// forget drops what is told of a partition that is not ours any more: its next owner tells it, and
// two figures of one partition would be added up.
func (m *metrics) forget(role string, part partition) {
	id := strconv.Itoa(int(part.id))
	m.lag.DeleteLabelValues(role, part.topic, id)
	if role != "archive" {
		m.limits.DeletePartialMatch(prometheus.Labels{"topic": part.topic, "partition": id})
	}
	switch role {
	case "correlate":
		m.incidents.DeletePartialMatch(prometheus.Labels{"partition": id})
		m.live.DeleteLabelValues(id)
		m.held.DeleteLabelValues(id)
	case "archive":
		m.blocked.DeleteLabelValues(part.topic, id)
	}
}
