package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// local is a configuration with nothing in it but what a test needs: everything is embedded.
func local(t *testing.T, listen string) string {
	t.Helper()
	return write(t, "quell.yaml", "metrics: {listen: "+listen+"}\n"+
		"rules: [{name: default, group_by: [service], group_wait: 0s}]\n")
}

// TestRealEmbedded: `quell run` with nothing but a directory; other processes find its servers there,
// and a restart keeps everything.
func TestRealEmbedded(t *testing.T) {
	t.Parallel()
	data, listen := filepath.Join(t.TempDir(), "data"), freeAddr(t)
	config := local(t, listen)
	with := func(args ...string) []string { return append(args, "--config", config, "--data", data) }
	begin := func() *service {
		s := &service{process: start(t, with("run")...), config: config, listen: listen}
		s.waitReady(listen)
		return s
	}
	rows := func() string {
		return quell(t, exitOK, with("sql", "--json",
			"SELECT count() AS n, uniqExact(partition, offset) AS positions FROM events")...)
	}
	s := begin()
	taps := start(t, with("tap", "quell.pages", "--from", "start")...)
	for round := range 2 {
		name := fmt.Sprint("shop-", round)
		file := write(t, "events.jsonl", event("a", name, "host-1", "critical", "firing")+"\n"+
			event("b", name, "host-2", "error", "firing")+"\n")
		quell(t, exitOK, with("produce", file)...)
		want := fmt.Sprintf(`{"n":%d,"positions":%[1]d}`, 2*(round+1))
		s.waitFor("the events are archived", func() bool { return strings.TrimSpace(rows()) == want })
		taps.waitFor("the page is tapped", func() bool {
			return strings.Contains(taps.stdout.String(), `"service":"`+name+`"`)
		})
		lines := strings.Split(strings.TrimSpace(taps.stdout.String()), "\n")
		for _, line := range lines {
			var r struct {
				Topic string
				Page  incident
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.Topic != "quell.pages" || r.Page.ID == "" {
				t.Errorf("tap says %s (%v)", line, err)
			}
		}
		taps.terminate(stopWithin)
		t.Logf("stop: %v", s.terminate(stopWithin))
		if got := strings.TrimSpace(rows()); got != want { // now from the directory alone
			t.Errorf("without the service the archive says %s, want %s", got, want)
		}
		s = begin()
		taps = start(t, with("tap", "quell.pages", "--from", "start")...)
	}
	taps.waitFor("pages of before the restarts are still there", func() bool {
		out := taps.stdout.String()
		return strings.Contains(out, `"service":"shop-0"`) && strings.Contains(out, `"service":"shop-1"`)
	})
	s.terminate(stopWithin)
}

// TestRealTwoOnOneDirectory: a second `quell run` on the directory of a first works beside it, on the
// first one's servers, and both do their work once.
func TestRealTwoOnOneDirectory(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	var both []*service
	for range 2 {
		listen := freeAddr(t)
		config := local(t, listen)
		s := &service{process: start(t, "run", "--config", config, "--data", data), config: config, listen: listen}
		s.waitReady(listen)
		both = append(both, s)
	}
	config := both[0].config
	var lines strings.Builder
	for n := range int64(500) {
		_, value := continuing(n)
		lines.WriteString(value + "\n")
	}
	quell(t, exitOK, "produce", "--config", config, "--data", data, write(t, "events.jsonl", lines.String()))
	both[0].waitFor("every event is archived once", func() bool {
		out := quell(t, exitOK, "sql", "--json", "--config", config, "--data", data,
			"SELECT count() AS n, uniqExact(partition, offset) AS positions FROM events")
		return strings.TrimSpace(out) == `{"n":500,"positions":500}`
	})
	// The guest first: the owner takes its servers along.
	both[1].terminate(stopWithin)
	both[0].terminate(stopWithin)
	if _, err := os.Stat(filepath.Join(data, "kafka.json")); err == nil {
		t.Error("the broker's address is still in the directory")
	}
}

// TestRealDevKafkaKilled: the embedded broker as a process of its own, with the service elsewhere, is
// killed and comes back with everything that it had.
func TestRealDevKafkaKilled(t *testing.T) {
	t.Parallel()
	addr, listen := freeAddr(t), freeAddr(t)
	args := []string{"dev", "kafka", "--json", "--listen", addr, "--data", t.TempDir()}
	broker := start(t, args...)
	answers := func() bool { return strings.Contains(broker.stdout.String(), addr) }
	broker.waitFor("it says where it is", answers)
	ch := startClickHouse(t, nil)
	config := settings{kafka: addr, clickhouse: ch.address(), listen: listen}.file(t)
	quell(t, exitOK, "topics", "create", "--config", config)
	w := &world{cluster: dial(t, addr), clickhouse: ch, config: config, service: startService(t, config, listen)}
	w.produce("quell.events", []byte(event("a", "shop", "host", "critical", "firing")))
	w.service.waitFor("a page", func() bool { return len(w.records("quell.pages")) == 1 })
	broker.kill()
	broker = start(t, args...)
	broker.waitFor("it is back", answers)
	began := time.Now()
	w.produce("quell.events", []byte(event("b", "blog", "host", "critical", "firing")))
	w.service.waitFor("a page after the kill", func() bool { return len(w.records("quell.pages")) >= 2 })
	t.Logf("a page %v after the broker came back", time.Since(began))
	w.checkEvents(t)
	w.checkOnce(t, "quell.pages", "pages") // the incidents' former revisions were compacted at the start
	w.service.terminate(stopWithin)
	broker.terminate(stopWithin)
}
