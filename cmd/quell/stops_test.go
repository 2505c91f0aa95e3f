package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Continuing alerts: every one of them is said again several times a second.
const (
	loadServices = 40
	loadEntities = 5
	loadRate     = 2000 // events a second
	burstEvents  = 40_000
)

// continuing is the n-th event of the load. Events of one alert have one key and so one partition.
func continuing(n int64) (key, value string) {
	service, entity := fmt.Sprint("load-", n%loadServices), fmt.Sprint("host-", n/loadServices%loadEntities)
	severity := "error"
	if n%loadServices >= loadServices/2 {
		severity = "info"
	}
	return service + entity, event(fmt.Sprint("load-", n), service, entity, severity, "firing")
}

// burst sends many more of the load's events at once; the function that it returns waits until the
// broker has them.
func (w *world) burst(round int, n int64) (wait func()) {
	cl := w.client()
	for i := range n {
		key, value := continuing(i)
		value = strings.Replace(value, "load-", fmt.Sprintf("burst-%d-", round), 1) // the id
		cl.Produce(context.Background(), &kgo.Record{Topic: "quell.events", Key: []byte(key), Value: []byte(value)},
			func(_ *kgo.Record, err error) {
				if err != nil {
					w.t.Errorf("the burst: %v", err)
				}
			})
	}
	return func() {
		if err := cl.Flush(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// TestRealStops: SIGTERM in the middle of a storm, and a restart, lose nothing and repeat nothing.
func TestRealStops(t *testing.T) {
	w := newWorld(t, "")
	l := w.load("quell.events", loadRate, continuing)
	for round := range 3 {
		target := int64(round+1) * 2 * loadRate
		w.service.waitFor(fmt.Sprintf("%d events are sent and some archived since the start", target), func() bool {
			return l.sent.Load() >= target &&
				w.service.metric("quell_archived_rows_total", "table=events") > 0
		})
		arrived := w.burst(round, burstEvents)
		took := w.service.terminate(stopWithin)
		arrived()
		t.Logf("stop %d: %v; %d of %d records were archived then", round+1, took,
			sqlCount(t, w.clickhouse.address(), "SELECT count() FROM events"), total(w.ends("quell.events")))
		began := time.Now()
		w.service = startService(t, w.config, w.service.listen)
		t.Logf("start %d: ready after %v", round+1, time.Since(began))
	}
	w.service.waitFor("the last one works", func() bool {
		return w.service.metric("quell_archived_rows_total", "table=events") > 0
	})
	l.stop()
	w.checkExact(t)
	w.checkContinuing(t)
	w.service.terminate(stopWithin)
}

// checkExact: every raw record is in the archive once, every revision and every page is visible once,
// and the archive has the same revisions and pages as the topics.
func (w *world) checkExact(t *testing.T) {
	t.Helper()
	w.checkEvents(t)
	w.checkOnce(t, "quell.incidents", "incident_revisions")
	w.checkOnce(t, "quell.pages", "pages")
}

// checkEvents is the part of it that is about raw records.
func (w *world) checkEvents(t *testing.T) {
	t.Helper()
	http := w.clickhouse.address()
	settled(t, w.cluster, http, "quell.events")
	ends := w.ends("quell.events")
	maps.DeleteFunc(ends, func(_ int32, end int64) bool { return end == 0 })
	rows := sqlRows(t, http, `SELECT partition, count(), uniqExact(offset), min(offset), max(offset) FROM
		(SELECT partition, offset FROM events UNION ALL
		 SELECT partition, offset FROM rejected WHERE topic = 'quell.events') GROUP BY partition`)
	for _, r := range rows {
		var n [5]int64
		for i := range r {
			n[i], _ = r[i].(json.Number).Int64()
		}
		end := ends[int32(n[0])]
		if n[1] != end || n[2] != end || n[3] != 0 || n[4] != end-1 {
			t.Errorf("partition %d has %d records; the archive has %d rows of %d positions from %d to %d",
				n[0], end, n[1], n[2], n[3], n[4])
		}
	}
	if len(rows) != len(ends) {
		t.Errorf("rows of %d partitions, want %d", len(rows), len(ends))
	}
}

// checkOnce compares a topic with its table, when no more comes.
func (w *world) checkOnce(t *testing.T, topic, table string) {
	t.Helper()
	http := w.clickhouse.address()
	var seen map[string]int
	eventually(t, topic+" is archived", func() bool {
		seen = map[string]int{}
		for _, in := range w.incidents(topic) {
			seen[in.name()]++
		}
		return sqlCount(t, http, "SELECT uniqExact(incident, revision) FROM "+table) == int64(len(seen))
	})
	if n := sqlCount(t, http, "SELECT count() FROM "+table); n != int64(len(seen)) {
		t.Errorf("table %s has %d rows for %d revisions", table, n, len(seen))
	}
	for _, row := range sqlRows(t, http, "SELECT incident, revision FROM "+table) {
		if name := fmt.Sprintf("%v revision %v", row...); seen[name] == 0 {
			t.Errorf("table %s has %s, topic %s has not", table, name, topic)
		}
	}
	maps.DeleteFunc(seen, func(_ string, n int) bool { return n == 1 })
	if len(seen) > 0 {
		t.Errorf("%s: visible more than once: %v", topic, seen)
	}
}

// checkContinuing: the alerts of the load continued all the time, so each was new once, its service
// has one incident, and the incidents count every event.
func (w *world) checkContinuing(t *testing.T) {
	t.Helper()
	http := w.clickhouse.address()
	if n := sqlCount(t, http, `SELECT count() FROM (SELECT fingerprint FROM events WHERE startsWith(service, 'load-')
		GROUP BY fingerprint HAVING countIf(verdict = 'new') != 1)`); n != 0 {
		t.Errorf("%d alerts were not new exactly once: the memory of the deduplication was lost", n)
	}
	if n := sqlCount(t, http, "SELECT uniqExact(fingerprint) FROM events WHERE startsWith(service, 'load-')"); n !=
		loadServices*loadEntities {
		t.Errorf("%d alerts, want %d", n, loadServices*loadEntities)
	}
	opened := map[string]map[string]bool{}
	for _, in := range w.incidents("quell.incidents") {
		if opened[in.Service] == nil {
			opened[in.Service] = map[string]bool{}
		}
		opened[in.Service][in.ID] = true
	}
	for service, ids := range opened {
		if len(ids) != 1 {
			t.Errorf("the alerts of %s opened %d incidents", service, len(ids))
		}
	}
	for i := range loadServices {
		if name := fmt.Sprint("load-", i); len(opened[name]) == 0 {
			t.Errorf("the alerts of %s opened no incident", name)
		}
	}
	const missing = `SELECT toInt64(count()) - (SELECT toInt64(sum(added)) FROM dispositions WHERE fingerprint IN
		(SELECT fingerprint FROM events WHERE startsWith(service, 'load-')))
		FROM events WHERE startsWith(service, 'load-')`
	eventually(t, "the incidents count every event of their alerts", func() bool {
		return sqlCount(t, http, missing) == 0
	})
}
