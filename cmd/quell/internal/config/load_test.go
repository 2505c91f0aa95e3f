package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quell/correlate"
)

// check returns the configuration of text, which must have no problems at all.
func check(t *testing.T, text string, env map[string]string) *Config {
	t.Helper()
	c, problems := Check("test.yaml", []byte(text), Overrides{Getenv: func(n string) (string, bool) {
		value, ok := env[n]
		return value, ok
	}})
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	return c
}

func TestEnvironment(t *testing.T) {
	c := check(t, `
kafka:
  brokers: ${LIST}
  client_id: pre-${NUMBER}${EMPTY}-post
  instance: ${UNSET:-}
  sasl: {mechanism: scram-sha-256, user: "${YAML}", password: '$${NUMBER} $NUMBER ${NUMBER} $$'}
topics:
  alerts_partitions: ${NUMBER}
  raw:
    - name: ${EMPTY:-events}
      format: mapping
      mapping: {fields: {check: {template: "${NUMBER}/${UNSET}"}}}
metrics:
  pprof: ${SWITCH}
services:
  - {name: a, runbook: "https://wiki/${service}"}
`, map[string]string{"LIST": "a:1, b:2", "NUMBER": "3", "SWITCH": "true", "EMPTY": "",
		"YAML": "x: y\n- [{"})
	for _, f := range []struct{ name, got, want string }{
		{"a list", strings.Join(c.Kafka.Brokers, "|"), "a:1|b:2"},
		{"inside a text", c.Kafka.ClientID, "pre-3-post"},
		{"empty default", c.Kafka.Instance, ""},
		{"YAML in a value", c.Kafka.SASL.User, "x: y\n- [{"},
		{"escapes", c.Kafka.SASL.Password.Reveal(), "${NUMBER} $NUMBER 3 $$"},
		{"default of an empty variable", c.Topics.Raw[0].Name, "events"},
		{"a mapping", c.Topics.Raw[0].Mapping.Fields["check"].Template[0], "${NUMBER}/${UNSET}"},
		{"lower case", c.Services[0].Runbook, "https://wiki/${service}"},
	} {
		if f.got != f.want {
			t.Errorf("%s: %q, want %q", f.name, f.got, f.want)
		}
	}
	if c.Topics.AlertsPartitions != 3 || !c.Metrics.Pprof {
		t.Errorf("partitions %d, pprof %v", c.Topics.AlertsPartitions, c.Metrics.Pprof)
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	c := check(t, `
rules:
  - &base
    name: a
    match: service="a"
    group_wait: 1s
    page_at: info
  - <<: *base
    name: b
    match: service="b"
    group_wait: 2s
  - <<: [*base]
    name: c
    match: &m [service="c", entity="d"]
routes:
  - {name: r, match: *m}
`, nil)
	r := c.RuleSet().Rules()
	if len(r) != 4 || r[1].GroupWait != 2*correlate.Second || r[1].PageAt != correlate.Info ||
		r[2].Name != "c" || r[2].GroupWait != correlate.Second {
		t.Errorf("rules %s", c.RuleSet().Canonical())
	}
	if len(c.Routes[0].Match) != 2 {
		t.Errorf("match %v", c.Routes[0].Match)
	}
}

func TestAliasBomb(t *testing.T) {
	text := "a: &a [x]\n"
	for c := 'b'; c <= 'z'; c++ {
		nine := strings.Repeat("*"+string(c-1)+", ", 9)
		text += string(c) + ": &" + string(c) + " [" + nine + "]\n"
	}
	c, problems := Check("bomb", []byte(text), Overrides{})
	if c != nil || len(problems) != 1 || !strings.Contains(problems[0].Text, "more than 500000 values") {
		t.Errorf("%v", problems)
	}
}

func TestBigFile(t *testing.T) {
	c, problems := Check("big", []byte(strings.Repeat("# comment\n", maxFileBytes/10+1)), Overrides{})
	if c != nil || len(problems) != 1 || !strings.Contains(problems[0].Text, "at most 4194304 are read") {
		t.Errorf("%v", problems)
	}
}

func TestClickHouseAddress(t *testing.T) {
	for _, c := range []struct {
		name, yaml, address, user, password, database string
		tls                                           bool
	}{
		{"embedded", "embedded", "embedded", "default", "", "quell", false},
		{"native", "clickhouse://host:9000", "clickhouse://host:9000", "default", "", "quell", false},
		{"credentials", "clickhouse://me:p%40ss@host:9000/db", "clickhouse://host:9000", "me", "p@ss",
			"db", false},
		{"https", "https://host:8443", "https://host:8443", "default", "", "quell", true},
		{"IPv6", "http://[::1]:8123/", "http://[::1]:8123", "default", "", "quell", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := check(t, "clickhouse: {address: \""+c.yaml+"\"}", nil).ClickHouse
			if got.Address != c.address || got.User != c.user || got.Database != c.database ||
				got.Password.Reveal() != c.password || got.TLS.Enabled != c.tls {
				t.Errorf("%+v", got)
			}
		})
	}
	got := check(t, "clickhouse: {address: \"http://h:8443\", tls: {enabled: true}}", nil).ClickHouse
	if got.Address != "https://h:8443" {
		t.Errorf("with TLS, http stays %s", got.Address)
	}
}

func TestOverrides(t *testing.T) {
	file := []byte("kafka: {brokers: [x]}\nclickhouse: {address: nowhere}\n")
	c, problems := Check("f", file, Overrides{Kafka: "a:1,b:2", ClickHouse: "embedded", Data: "/d"})
	if len(problems) > 0 || len(c.Kafka.Brokers) != 2 || !c.ClickHouse.Embedded() || c.Data != "/d" {
		t.Errorf("%v, problems %v", c, problems)
	}
	_, problems = Check("f", nil, Overrides{Kafka: "a:1,b", ClickHouse: "nowhere"})
	if len(problems) != 2 ||
		!strings.HasPrefix(problems[0].String(), `--clickhouse: clickhouse.address: "nowhere" has no`) ||
		!strings.HasPrefix(problems[1].String(), `--kafka: kafka.brokers: "b" is not host:port`) {
		t.Errorf("problems %v", problems)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "quell.yaml")
	text := "kafka: {tls: {enabled: true, ca: ca.pem}}\nclock: event\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := Load(path, Overrides{})
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if c.Clock != correlate.ClockEvent || c.Kafka.TLS.CA != filepath.Join(dir, "ca.pem") {
		t.Errorf("%+v", c.Kafka.TLS)
	}
	if _, err := c.Kafka.TLS.Config(); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("a certificate that is not there: %v", err)
	}
	if _, _, err := Load(filepath.Join(dir, "none.yaml"), Overrides{}); err == nil ||
		!strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestProblemJSON(t *testing.T) {
	_, problems := Check("f.yaml", []byte("log: {level: loud}\n"), Overrides{})
	got, err := json.Marshal(problems)
	want := `[{"file":"f.yaml","line":1,"column":14,"path":"log.level","severity":"error","text":"` +
		`\"loud\" is not known; write debug or info or warn or error"}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if err := problems.Err(); err == nil || !strings.HasPrefix(err.Error(), "f.yaml:1:14: log.level:") {
		t.Errorf("as an error: %v", err)
	}
}

// TestLimitsAreThoseOfDecode: a bound that the file accepts is one that the decoder accepts.
func TestLimitsAreThoseOfDecode(t *testing.T) {
	for name, text := range map[string]string{
		"lowest": `limits: {event_bytes: 64, event_depth: 1, event_fields: 1, identity_bytes: 16,
  text_bytes: 16, labels: 1, label_name_bytes: 1, label_value_bytes: 16, match_bytes: 16}`,
		"highest": `limits: {event_bytes: 256MiB, event_depth: 1000, event_fields: 16777216,
  identity_bytes: 64KiB, text_bytes: 1MiB, labels: 1024, label_name_bytes: 4KiB,
  label_value_bytes: 64KiB, match_bytes: 64KiB}`,
	} {
		options := check(t, text, nil).DecodeOptions()
		if problems := options.Limits.Check(); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestRoute(t *testing.T) {
	c := check(t, `
routes:
  - {name: pay, match: service="pay", format: pagerduty, routing_key: k}
  - {name: default, format: pagerduty}
`, nil)
	if r := c.Route("pay"); r.RoutingKey.Reveal() != "k" || r.Format != PagePagerDuty {
		t.Errorf("pay: %+v", r)
	}
	if r := c.Route("gone"); r.Name != "default" || r.Format != PagePagerDuty {
		t.Errorf("an unknown route has the form of %+v", r)
	}
	if r := Default().Route("default"); r.Format != PageQuell {
		t.Errorf("the implicit default: %+v", r)
	}
}
