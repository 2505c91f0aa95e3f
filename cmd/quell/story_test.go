package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kadm"

	"quell/pipeline/kafkatest"
)

// world is what the chapters of a test share: servers and a service on them.
type world struct {
	*cluster
	config     string
	clickhouse *archiveServer
	service    *service
}

// newWorld starts a Kafka, a ClickHouse, the topics and a service with these settings.
func newWorld(t *testing.T, more string) *world {
	t.Helper()
	broker := kafkatest.Start(t, kafkatest.Options{})
	w := &world{cluster: dial(t, broker.Addr()), clickhouse: startClickHouse(t, nil)}
	listen := freeAddr(t)
	w.config = settings{kafka: broker.Addr(), clickhouse: w.clickhouse.address(), listen: listen,
		more: more}.file(t)
	quell(t, exitOK, "topics", "create", "--config", w.config)
	w.service = startService(t, w.config, listen)
	return w
}

const pagerDuty = `routes: [{name: payments, match: 'service="pay-1"', format: pagerduty, routing_key: R0UT1NG}]`

// TestRealService tells the whole story with the binary: topics, a storm with broken input in it,
// pages, an acknowledgement, a resolution, and everything in the archive.
func TestRealService(t *testing.T) {
	w := newWorld(t, pagerDuty)
	t.Run("topics", w.checkTopics)
	t.Run("storm", w.storm)
	t.Run("broken input", w.brokenInput)
	t.Run("pages", w.checkPages)
	t.Run("responses", w.responses)
	t.Run("archive", w.checkArchive)
	t.Run("metrics", w.checkMetrics)
	w.service.terminate(stopWithin)
}

// checkTopics: what was created is right, and creating again changes nothing.
func (w *world) checkTopics(t *testing.T) {
	var again []struct{ Topic, Action string }
	text := quell(t, exitOK, "topics", "create", "--config", w.config, "--json")
	if err := json.Unmarshal([]byte(text), &again); err != nil || len(again) != 11 {
		t.Fatalf("%d topics, %v: %s", len(again), err, text)
	}
	for _, a := range again {
		if a.Action != "kept" {
			t.Errorf("created again, %s was %s", a.Topic, a.Action)
		}
	}
	const week = "604800000"
	for topic, want := range map[string]struct {
		partitions         int
		cleanup, retention string
	}{
		"quell.events": {4, "delete", week}, "quell.responses": {1, "delete", week},
		"quell.alerts": {1, "delete", week}, "quell.incidents": {1, "compact", ""},
		"quell.pages": {1, "delete", week}, "quell.rejected": {1, "delete", week},
		"quell.archive": {2, "delete", week}, "quell.dispositions": {1, "delete", week},
		"quell.checkpoints": {2, "compact", ""}, "quell.snapshots": {1, "compact", ""},
		"quell.rules": {1, "compact", ""},
	} {
		if got := len(w.ends(topic)); got != want.partitions {
			t.Errorf("%s has %d partitions, want %d", topic, got, want.partitions)
		}
		got := topicSettings(t, w.adm, topic)
		if got["message.timestamp.type"] != "LogAppendTime" || got["cleanup.policy"] != want.cleanup ||
			want.retention != "" && got["retention.ms"] != want.retention {
			t.Errorf("%s: %v", topic, got)
		}
	}
}

func topicSettings(t *testing.T, adm *kadm.Client, topic string) map[string]string {
	t.Helper()
	out := map[string]string{}
	described, err := adm.DescribeTopicConfigs(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range described {
		for _, c := range d.Configs {
			out[c.Key] = c.MaybeValue()
		}
	}
	return out
}

// What the storm has: services that page and services that do not, five alerts each.
const (
	stormEvents   = 2000
	stormServices = 20 // of them pay-1, bad-1 ... bad-4 page
	stormPaging   = 5
)

func stormService(n int) (name, severity string) {
	switch i := n % stormServices; {
	case i == 0:
		return "pay-1", "critical"
	case i < stormPaging:
		return fmt.Sprintf("bad-%d", i), "error"
	default:
		return fmt.Sprintf("meh-%d", i), "warning"
	}
}

// storm loads a file of events with `quell produce`; of its lines one is no JSON, and one is larger
// than the topic takes.
func (w *world) storm(t *testing.T) {
	var file bytes.Buffer
	for n := range stormEvents {
		service, severity := stormService(n)
		file.WriteString(event(fmt.Sprint("storm-", n), service, fmt.Sprint("host-", n/stormServices%5),
			severity, "firing") + "\n")
	}
	good := write(t, "storm.jsonl", file.String()+"{\"service\":\n")
	var res struct{ Lines, Events, Rejected, Failed int }
	out := quell(t, exitOK, "produce", "--config", w.config, "--topic", "quell.events", "--json", good)
	if err := json.Unmarshal([]byte(out), &res); err != nil || res.Lines != stormEvents+1 ||
		res.Rejected != 1 || res.Events != stormEvents || res.Failed != 0 {
		t.Errorf("produce says %s (%v)", out, err)
	}
	huge := write(t, "huge.jsonl", `{"summary":"`+strings.Repeat("x", 10<<20)+"\"}\n"+
		event("after-huge", "meh-6", "host-0", "warning", "firing")+"\n")
	out, errs := quellWith(t, nil, exitFailure, "produce", "--config", w.config, "--json", huge)
	if err := json.Unmarshal([]byte(out), &res); err != nil || res.Lines != 1 || res.Failed != 1 {
		t.Errorf("produce of a line of 10 MB says %s (%v)", out, err)
	}
	if !strings.Contains(errs, "10485") {
		t.Errorf("the line that is too large is not named: %s", errs)
	}
}

func validator(t *testing.T, name string) func(text []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	s, err := c.Compile("../../deploy/schema/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return func(text []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
}

// checkPages: five incidents page, four in quell's form and one in PagerDuty's.
func (w *world) checkPages(t *testing.T) {
	first := map[string]bool{}
	eventually(t, "the first pages of all five", func() bool {
		clear(first)
		for _, r := range w.records("quell.pages") {
			first[string(r.Key)] = true
		}
		return len(first) >= stormPaging
	})
	validPage, validIncident := validator(t, "page.schema.json"), validator(t, "incident.schema.json")
	services := map[string]string{}
	for _, r := range w.records("quell.pages") {
		if bytes.Contains(r.Value, []byte(`"routing_key"`)) {
			services["pay-1"] = string(r.Key)
			checkPagerDuty(t, r.Value, string(r.Key))
			continue
		}
		if err := validPage(r.Value); err != nil {
			t.Errorf("a page against its schema: %v\n%s", err, r.Value)
		}
		var p incident
		if err := json.Unmarshal(r.Value, &p); err != nil || p.ID != string(r.Key) {
			t.Errorf("page with key %s: %v %s", r.Key, err, r.Value)
		}
		services[p.Service] = p.ID
	}
	if names := slices.Sorted(maps.Keys(services)); fmt.Sprint(names) != "[bad-1 bad-2 bad-3 bad-4 pay-1]" {
		t.Errorf("pages about %v", names)
	}
	for _, r := range w.records("quell.incidents") {
		if err := validIncident(r.Value); err != nil {
			t.Errorf("an incident against its schema: %v\n%s", err, r.Value)
		}
	}
}

func checkPagerDuty(t *testing.T, value []byte, key string) {
	t.Helper()
	var e struct {
		RoutingKey string `json:"routing_key"`
		Action     string `json:"event_action"`
		DedupKey   string `json:"dedup_key"`
		Payload    struct {
			Summary, Source, Severity, Timestamp, Component string
			Details                                         map[string]any `json:"custom_details"`
		}
	}
	if err := json.Unmarshal(value, &e); err != nil {
		t.Fatal(err)
	}
	if e.RoutingKey != "R0UT1NG" || e.DedupKey != key || e.Payload.Severity != "critical" ||
		e.Payload.Source == "" || e.Payload.Component != "pay-1" || !strings.Contains(e.Payload.Summary, "pay-1") ||
		!slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.Action) || e.Payload.Details["incident"] != key {
		t.Errorf("no event of PagerDuty's: %s", value)
	}
	if _, err := time.Parse(time.RFC3339, e.Payload.Timestamp); err != nil {
		t.Error(err)
	}
}

// latest returns the newest revision of each service's incident.
func (w *world) latest() map[string]incident {
	w.t.Helper()
	out := map[string]incident{}
	for _, in := range w.incidents("quell.incidents") {
		out[in.Service] = in
	}
	return out
}

// responses: a person acknowledges one incident, the monitoring system ends another.
func (w *world) responses(t *testing.T) {
	id := w.latest()["bad-1"].ID
	answer := fmt.Appendf(nil, `{"incident":%q,"action":"acknowledge","by":"ada"}`, id)
	w.produce("quell.responses", answer, answer, []byte(`{"incident":"nonsense"}`))
	eventually(t, "bad-1 is acknowledged", func() bool {
		in := w.latest()["bad-1"]
		return in.State == "acknowledged"
	})
	var resolved [][]byte
	for i := range 5 {
		for _, s := range []struct{ name, severity string }{{"bad-2", "error"}, {"pay-1", "critical"}} {
			resolved = append(resolved, []byte(event(fmt.Sprint("end-", s.name, i), s.name,
				fmt.Sprint("host-", i), s.severity, "resolved")))
		}
	}
	w.produce("quell.events", resolved...)
	eventually(t, "bad-2 and pay-1 are resolved", func() bool {
		all := w.latest()
		return all["bad-2"].State == "resolved" && all["pay-1"].State == "resolved"
	})
	eventually(t, "pages say that they are over", func() bool {
		over := map[string]bool{}
		for _, r := range w.records("quell.pages") {
			over["pay-1"] = over["pay-1"] || bytes.Contains(r.Value, []byte(`"event_action":"resolve"`))
			over["bad-2"] = over["bad-2"] || bytes.Contains(r.Value, []byte(`"reason":"all_resolved"`))
		}
		return over["pay-1"] && over["bad-2"]
	})
}
