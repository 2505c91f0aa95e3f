package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// checkArchive reads the archive in three ways: `quell sql`, plain HTTP, and the native protocol
// with the unmodified client.
func (w *world) checkArchive(t *testing.T) {
	http := w.clickhouse.address()
	settled(t, w.cluster, http, "quell.events")
	raw, refused := total(w.ends("quell.events")), int64(0)
	eventually(t, "the response that is none is rejected", func() bool {
		return sqlCount(t, http, "SELECT count() FROM rejected WHERE reason = 'bad_response'") == 1
	})
	refused = sqlCount(t, http, "SELECT count() FROM rejected WHERE topic = 'quell.events'")

	out := quell(t, exitOK, "sql", "--config", w.config, "--json",
		"SELECT count() AS n, uniqExact(partition, offset) AS positions, "+
			"uniqExactIf(id, startsWith(id, 'storm-')) AS ids FROM events")
	want := fmt.Sprintf(`{"n":%d,"positions":%[1]d,"ids":%d}`, raw-refused, stormEvents)
	if strings.TrimSpace(out) != want {
		t.Errorf("quell sql says %s, want %s", out, want)
	}
	conn, err := driver.Open(&driver.Options{Addr: []string{w.clickhouse.tcp},
		Auth: driver.Auth{Database: "quell"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM events").Scan(&n); err != nil || int64(n) != raw-refused {
		t.Errorf("over the native protocol: %d events, %v; want %d", n, err, raw-refused)
	}
	t.Run("views", w.checkViews)
}

// checkViews: the views answer, and agree with what the topics say.
func (w *world) checkViews(t *testing.T) {
	http := w.clickhouse.address()
	revisions, pages := len(w.records("quell.incidents")), len(w.records("quell.pages"))
	eventually(t, "incidents and pages are archived", func() bool {
		return sqlCount(t, http, "SELECT count() FROM incident_revisions") == int64(revisions) &&
			sqlCount(t, http, "SELECT count() FROM pages") == int64(pages)
	})
	eventually(t, "trailing counts are told and archived", func() bool {
		return sqlCount(t, http, `SELECT (SELECT sum(added) FROM dispositions) =
			(SELECT countIf(verdict != 'redelivered') FROM events)`) == 1 &&
			sqlCount(t, http, "SELECT countIf(flush) FROM dispositions") > 0 &&
			sqlCount(t, http, "SELECT count() FROM responses") == 2
	})
	events := total(w.ends("quell.events")) + 1 // and the response that is none
	for name, check := range map[string]struct {
		query string
		want  any
	}{
		"funnel: events":  {"SELECT events FROM funnel WHERE dimension = 'all'", events},
		"funnel: pages":   {"SELECT pages FROM funnel WHERE dimension = 'all'", pages},
		"funnel: service": {"SELECT incidents FROM funnel WHERE (dimension, value) = ('service', 'bad-1')", 1},
		"funnel: severity": {"SELECT events FROM funnel WHERE (dimension, value) = ('severity', 'error')",
			4*stormEvents/stormServices + 5},
		"MTTA":                  {"SELECT count() FROM response_times WHERE value = 'bad-1' AND mtta_p50 >= 0", 1},
		"MTTR":                  {"SELECT count() FROM response_times WHERE value = 'bad-2' AND mttr_p50 > 0", 1},
		"acknowledgement":       {"SELECT count() FROM incident_transitions WHERE (to_state, by) = ('acknowledged', 'ada')", 1},
		"members":               {"SELECT count() FROM incident_alerts WHERE service = 'bad-1'", 5},
		"members' events":       {"SELECT sum(events) FROM incident_alerts WHERE service = 'bad-1'", stormEvents / stormServices},
		"members have services": {"SELECT count() FROM incident_alerts WHERE service = ''", 0},
		"all have services":     {"SELECT count() FROM funnel WHERE (dimension, value) = ('service', '')", 0},
		"latest revisions":      {"SELECT count() FROM incidents WHERE service = 'pay-1' AND state = 'resolved'", 1},
		"repeated response":     {"SELECT count() FROM responses WHERE outcome = 'repeated'", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sqlCount(t, http, check.query); fmt.Sprint(got) != fmt.Sprint(check.want) {
				t.Errorf("%s gives %d, want %v", check.query, got, check.want)
			}
		})
	}
}

// metrics returns what /metrics says, by name.
func (s *service) metrics() map[string]*dto.MetricFamily {
	s.t.Helper()
	code, body := get("http://" + s.listen + "/metrics")
	if code != 200 {
		s.t.Fatalf("/metrics: %d %s", code, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return families
}

// metric adds up the series of a name that have all the labels; of a histogram its count.
func (s *service) metric(name string, labels ...string) (sum float64) {
	s.t.Helper()
	for _, m := range s.metrics()[name].GetMetric() {
		have := map[string]bool{}
		for _, l := range m.GetLabel() {
			have[l.GetName()+"="+l.GetValue()] = true
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !have[l] }) {
			continue
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

// checkMetrics: names are by Prometheus' conventions, and the counters agree with the archive.
func (w *world) checkMetrics(t *testing.T) {
	if code, body := get("http://" + w.service.listen + "/healthz"); code != 200 {
		t.Errorf("/healthz says %d %s", code, body)
	}
	_, body := get("http://" + w.service.listen + "/metrics")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint finds %v, %v", problems, err)
	}
	http, s := w.clickhouse.address(), w.service
	// The storm's pages waited for the end of the storm; one that is alone comes at once.
	w.produce("quell.events", []byte(event("calm", "calm", "host", "critical", "firing")))
	eventually(t, "the latency of a page is measured", func() bool {
		return s.metric("quell_page_latency_seconds") > 0
	})
	settled(t, w.cluster, http, "quell.events")
	rejected := float64(sqlCount(t, http, "SELECT count() FROM rejected"))
	for _, row := range sqlRows(t, http, "SELECT verdict, count() FROM events GROUP BY verdict") {
		n, _ := row[1].(json.Number).Float64()
		if got := s.metric("quell_events_total", "verdict="+row[0].(string)); got != n {
			t.Errorf("quell_events_total says %v events are %s, the archive %v", got, row[0], n)
		}
	}
	if got := s.metric("quell_rejected_total"); got != rejected {
		t.Errorf("quell_rejected_total is %v, the archive has %v", got, rejected)
	}
	eventually(t, "quell_pages_total counts the pages", func() bool {
		return s.metric("quell_pages_total") == float64(len(w.records("quell.pages")))
	})
	eventually(t, "nothing lags behind", func() bool {
		return s.metric("quell_consumer_lag_records", "role=intake") == 0 &&
			s.metric("quell_consumer_lag_records", "role=archive") == 0
	})
	for _, name := range []string{"quell_archive_latency_seconds",
		"quell_transaction_seconds", "quell_incidents_open", "quell_alerts_total", "quell_archived_rows_total",
		"quell_alerts_live", "quell_responses_total", "go_goroutines", "process_start_time_seconds"} {
		if s.metric(name) == 0 {
			t.Errorf("%s did not move", name)
		}
	}
}
