package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/kafkatest"
)

// TestRealExample runs a shipped example as its users will: the configuration as it is, addresses
// from the environment, a file of alerts that are years old. Every line is in the archive, and the
// broker's retention, which looks every second here, takes none of them.
func TestRealExample(t *testing.T) {
	file, year := alertsFile(t)
	broker := kafkatest.Start(t, kafkatest.Options{Properties: map[string]string{
		"log.retention.check.interval.ms": "1000", "log.initial.task.delay.ms": "500"}})
	c, ch, listen := dial(t, broker.Addr()), startClickHouse(t, nil), freeAddr(t)
	// Two services on one machine cannot share the default port: that is all that is changed.
	config := write(t, "quell.yaml", readFile(t, "../../deploy/examples/ait-ads/quell.yaml")+
		"\nmetrics: {listen: "+listen+"}\n")
	env := []string{"QUELL_KAFKA=" + broker.Addr(), "QUELL_CLICKHOUSE=" + ch.address()}

	quellWith(t, env, exitOK, "topics", "create", "--config", config)
	run := startService(t, config, listen, env...)
	out, _ := quellWith(t, env, exitOK, "produce", "--config", config, "--topic", "ait.alerts", "--json", file)
	var res struct{ Lines, Rejected int64 }
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatal(err)
	}
	if want := countLines(t, file) - 1; res.Lines != want || want == 0 {
		t.Errorf("%d lines are loaded, the file has %d", res.Lines, want)
	}
	settled(t, c, ch.address(), "ait.alerts")
	if n := sqlCount(t, ch.address(), "SELECT count() FROM rejected"); n != res.Rejected {
		t.Errorf("%d lines are rejected, produce counted %d", n, res.Rejected)
	}
	if n := sqlCount(t, ch.address(), "SELECT countIf(clamped) FROM events"); n != 0 {
		t.Errorf("the times of %d events were moved", n)
	}
	if y := fmt.Sprint(sqlRows(t, ch.address(), "SELECT DISTINCT toYear(time) FROM events")); y != "[["+year+"]]" {
		t.Errorf("events of the years %v, want %s", y, year)
	}
	var alerts int
	run.waitFor("alerts have come to rest", func() bool {
		before := alerts
		alerts = len(c.records("quell.alerts"))
		return alerts > 0 && alerts == before && run.metric("quell_consumer_lag_records") == 0
	})
	retentionChecks(t, c, 2)
	for topic, want := range map[string]int64{"ait.alerts": res.Lines, "quell.alerts": int64(alerts)} {
		if n := int64(len(c.records(topic))); n < want || total(c.starts(topic)) != 0 {
			t.Errorf("after retention %s has %d of %d records, and begins at %v", topic, n, want, c.starts(topic))
		}
	}
	const funnel = "SELECT toString(events), toString(duplicates), toString(alerts), toString(incidents), " +
		"toString(pages) FROM funnel WHERE dimension = 'all'"
	t.Logf("events, duplicates, alerts, incidents, pages: %v", sqlRows(t, ch.address(), funnel))
	run.terminate(stopWithin)
}

// alertsFile is a file of the real data if it lies beside the repository, else the example's own, and
// the year that its events are of.
func alertsFile(t *testing.T) (path, year string) {
	t.Helper()
	const real, own = "../../../shared/data/storms/ait-ads/russellmitchell_alerts.csv.gz",
		"../../deploy/examples/ait-ads/sample.csv"
	if _, err := os.Stat(real); errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is not there: the example's own sample is taken", real)
		return own, "2024"
	}
	return real, "2022"
}

func countLines(t *testing.T, path string) (n int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewScanner(f)
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		in = bufio.NewScanner(z)
	}
	for in.Scan() {
		n++
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// retentionChecks waits until the broker has applied retention so many times: each time that a
// record as old as the example's, in a topic that does keep a time, is gone.
func retentionChecks(t *testing.T, c *cluster, times int) {
	t.Helper()
	const canary = "canary"
	minute, create := "60000", "CreateTime"
	if _, err := c.adm.CreateTopic(t.Context(), 1, 1, map[string]*string{"retention.ms": &minute,
		"message.timestamp.type": &create}, canary); err != nil {
		t.Fatal(err)
	}
	for n := range times {
		old := &kgo.Record{Topic: canary, Value: []byte("old"), Timestamp: time.Date(2022, 1, 21, 0, 0, 0, 0, time.UTC)}
		if err := c.cl.ProduceSync(t.Context(), old).FirstErr(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "retention is applied", func() bool { return c.starts(canary)[0] == int64(n+1) })
	}
}
