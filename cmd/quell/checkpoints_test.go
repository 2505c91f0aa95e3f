package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/brokertest"
	"quell/pipeline"
	"quell/pipeline/embedded"
)

// TestRealCheckpoints: what an operator does about state. The alerts partition is made to diverge: the
// service says where, and ends with a code of its own; a reset ends it, and nothing is paged twice.
// Then a raw topic gets more partitions.
func TestRealCheckpoints(t *testing.T) {
	t.Parallel()
	broker := brokertest.Run(t, embedded.Options{})
	c, listen := dial(t, broker), freeAddr(t)
	config := settings{kafka: broker, clickhouse: "http://127.0.0.1:1", listen: listen}.file(t)
	roles := []string{"run", "--config", config, "--roles", "intake,correlate"}
	quell(t, exitOK, "topics", "create", "--config", config)
	if out := quell(t, exitOK, "checkpoints", "--config", config); !strings.Contains(out, "no checkpoints yet") {
		t.Errorf("before the first start: %s", out)
	}
	begin := func() *service {
		s := &service{process: start(t, roles...), config: config, listen: listen}
		s.waitReady(listen)
		return s
	}
	pages := func() (n int) { return len(c.records("quell.pages")) }

	s := begin()
	c.produce("quell.events", []byte(event("a", "shop", "host-1", "critical", "firing")))
	s.waitFor("a page", func() bool { return pages() == 1 })
	s.terminate(stopWithin)
	units := checkpointsOf(t, config)
	if u := units["correlate/quell.alerts/0"]; u.Position == 0 || u.Hash == "" || u.Rules == "" {
		t.Errorf("the alerts partition: %+v", u)
	}
	intake := 0
	for name := range units {
		if strings.HasPrefix(name, "intake/quell.events/") {
			intake++
		}
	}
	if intake != 1 { // of the others nothing was read, and so there is nothing to keep
		t.Errorf("checkpoints of %d raw partitions, want 1: %v", intake, units)
	}

	t.Run("divergence", func(t *testing.T) { divergence(t, c, config, listen, roles) })
	if out := quell(t, exitOK, "rules", "apply", "--config", config, "--json"); !strings.Contains(out, `"partitions": 1`) {
		t.Errorf("rules apply says %s", out)
	}
	s = begin()
	c.produce("quell.events", []byte(event("b", "blog", "host-1", "critical", "firing")))
	s.waitFor("the next page", func() bool { return pages() == 2 })
	s.terminate(stopWithin)

	if _, err := c.adm.CreatePartitions(t.Context(), 1, "quell.events"); err != nil {
		t.Fatal(err)
	}
	_, said := quellWith(t, nil, exitFailure, roles...)
	if want := "run `quell topics adopt quell.events`"; !strings.Contains(said, want) {
		t.Errorf("with more partitions, run does not say %q: %s", want, said)
	}
	quell(t, exitFailure, "topics", "adopt", "quell.pages", "--config", config)
	quell(t, exitUsage, "topics", "adopt", "--config", config)
	quell(t, exitOK, "topics", "adopt", "quell.events", "--config", config, "--json")
	begin().terminate(stopWithin)

	quell(t, exitUsage, "checkpoints", "reset", "--config", config)
	for _, wrong := range []string{"intake/quell.events/77", "intake/quell.events", "page/quell.events/0"} {
		quell(t, exitFailure, "checkpoints", "reset", wrong, "--config", config)
	}
}

// divergence plants one and sees what the service does about it.
func divergence(t *testing.T, c *cluster, config, listen string, roles []string) {
	const unit = "correlate/quell.alerts/0"
	var positions []*kgo.Record
	for _, r := range c.records("quell.snapshots") {
		if string(r.Key) == unit+"/position" {
			positions = append(positions, r)
		}
	}
	records := []*kgo.Record{{Topic: "quell.snapshots", Key: []byte(unit + "/manifest")}}
	for _, r := range positions {
		value := strings.Replace(string(r.Value), `"hash":"`, `"hash":"0000`, 1)
		records = append(records, &kgo.Record{Topic: "quell.snapshots", Key: r.Key, Value: []byte(value)})
	}
	if err := c.cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// It is the process's only alerts partition, so the process ends at once.
	_, said := quellWith(t, nil, exitDiverged, roles...)
	for _, want := range []string{"quell.alerts/0 diverges at position", "quell checkpoints reset " + unit} {
		if !strings.Contains(said, want) {
			t.Errorf("the log does not say %q:\n%s", want, said)
		}
	}
	quell(t, exitOK, "checkpoints", "reset", unit, "--config", config)
	if u := checkpointsOf(t, config)[unit]; u.Position == 0 || u.Hash != "" {
		t.Errorf("after the reset: %+v", u)
	}
	if code, _ := get("http://" + listen + "/readyz"); code == http.StatusOK {
		t.Error("a service that has ended is ready")
	}
}

// checkpointsOf returns what the command lists, by name.
func checkpointsOf(t *testing.T, config string) map[string]pipeline.Unit {
	t.Helper()
	var list []pipeline.Unit
	text := quell(t, exitOK, "checkpoints", "--config", config, "--json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	out := map[string]pipeline.Unit{}
	for _, u := range list {
		out[u.Name] = u
	}
	return out
}
