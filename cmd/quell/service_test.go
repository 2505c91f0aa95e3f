package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stopWithin is the promise of a clean stop.
const stopWithin = 10 * time.Second

// settings are a configuration for tests: pages at once, counts told every second.
type settings struct {
	kafka, clickhouse string // addresses
	listen            string // of metrics and health
	more              string // YAML at the top level
	kafkaMore         string // YAML inside kafka, e.g. "tls: {...}"
	clickhouseMore    string
}

func (s settings) file(t *testing.T) string {
	t.Helper()
	lines := []string{
		"kafka:", "  brokers: " + s.kafka, s.kafkaMore,
		"clickhouse:", "  address: " + s.clickhouse, "  insert: {every: 200ms}", s.clickhouseMore,
		"dedup: {update_interval: 1s}",
		"rules:", "  - {name: default, group_by: [service], group_wait: 0s, group_interval: 1s}",
		"metrics: {listen: " + s.listen + "}",
		"log: {format: json}",
		s.more,
	}
	return write(t, "quell.yaml", strings.Join(lines, "\n")+"\n")
}

// service is a running `quell run`.
type service struct {
	*process
	config, listen string
}

// startService starts `quell run` and waits until it is ready.
func startService(t *testing.T, config, listen string, env ...string) *service {
	t.Helper()
	s := &service{process: startWith(t, env, "run", "--config", config), config: config, listen: listen}
	s.waitReady(listen)
	return s
}

// readiness returns what /readyz answers.
func (s *service) readiness() (status int, dependencies map[string]string) {
	s.t.Helper()
	code, body := get("http://" + s.listen + "/readyz")
	if code == 0 {
		return 0, nil
	}
	var out struct {
		Ready        bool
		Dependencies map[string]string
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		s.t.Fatalf("/readyz says %q: %v", body, err)
	}
	if out.Ready != (code == http.StatusOK) {
		s.t.Errorf("/readyz says %d and %s", code, body)
	}
	return code, out.Dependencies
}

// archiveServer is a `quell dev clickhouse` that can be killed and started again at the same place.
type archiveServer struct {
	*process
	env       []string
	args      []string
	http, tcp string // host:port
}

// address is what a configuration says.
func (c *archiveServer) address() string { return "http://" + c.http }

// startClickHouse starts one on free addresses that stay its own.
func startClickHouse(t *testing.T, env []string, more ...string) *archiveServer {
	t.Helper()
	c := &archiveServer{http: freeAddr(t), tcp: freeAddr(t), env: env}
	c.args = append([]string{"dev", "clickhouse", "--json", "--data", t.TempDir(), "--listen", c.http,
		"--listen-tcp", c.tcp}, more...)
	c.again(t)
	return c
}

// again starts it after a kill.
func (c *archiveServer) again(t *testing.T) {
	t.Helper()
	c.process = startWith(t, c.env, c.args...)
	var at struct{ HTTP, TCP string }
	c.waitFor("quell dev clickhouse says where it is", func() bool {
		return json.Unmarshal([]byte(c.stdout.String()), &at) == nil
	})
	if at.HTTP != c.http || at.TCP != c.tcp {
		t.Fatalf("it listens on %+v, not on %s and %s", at, c.http, c.tcp)
	}
}

// event is a native event in JSON.
func event(id, service, entity, severity, status string) string {
	return fmt.Sprintf(`{"id":%q,"service":%q,"entity":%q,"check":"http","severity":%q,"status":%q,`+
		`"summary":"%s answers 503"}`, id, service, entity, severity, status, service)
}

// settled waits until every record of the raw topic is in the archive, once.
func settled(t *testing.T, c *cluster, clickhouse, raw string) {
	t.Helper()
	want := total(c.ends(raw))
	query := fmt.Sprintf("SELECT (SELECT count() FROM events WHERE topic = '%[1]s') + "+
		"(SELECT count() FROM rejected WHERE topic = '%[1]s')", raw)
	have := int64(-1)
	eventually(t, fmt.Sprintf("%d records of %s are archived", want, raw), func() bool {
		have = sqlCount(t, clickhouse, query)
		return have >= want
	})
	if have != want {
		t.Errorf("the archive has %d records of %s, the topic %d", have, raw, want)
	}
}
