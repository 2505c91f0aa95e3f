package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"
)

const hidden = "correct-horse"

// TestSecretsStayHidden prints a configuration with secrets in every way that there is.
func TestSecretsStayHidden(t *testing.T) {
	c := check(t, strings.ReplaceAll(`
kafka: {sasl: {mechanism: scram-sha-256, user: a, password: X}}
clickhouse: {address: "http://me:X@host:8123"}
dedup: {key: X-of-sixteen-bytes}
routes: [{name: r, match: service=a, format: pagerduty, routing_key: X}]
`, "X", hidden), nil)
	type wrapper struct{ private Secret }
	w := wrapper{c.Kafka.SASL.Password}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, c, *c, c.Kafka.SASL.Password, w)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) {
		return yaml.Dump(v)
	}} {
		b, err := marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("redacted")) {
			t.Errorf("without a trace of the secret: %s", b)
		}
		out.Write(b)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "c", c, "s", c.Dedup.Key)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "c", c, "s", c.Dedup.Key)
	if got := out.String(); strings.Contains(got, hidden) ||
		strings.Contains(got, fmt.Sprintf("%x", hidden)) {
		t.Errorf("a secret came out:\n%s", out.String())
	}
	if c.Kafka.SASL.Password.Reveal() != hidden || c.ClickHouse.Password.Reveal() != hidden {
		t.Error("Reveal does not return the secret")
	}
}

func TestRedacted(t *testing.T) {
	c := check(t, "dedup: {key: 000102030405060708090a0b0c0d0e0f}\n"+
		"routes: [{name: r, match: service=a, format: pagerduty, routing_key: x}]", nil)
	r := c.Redacted()
	if r.Dedup.Key.Reveal() != redacted || r.Routes[0].RoutingKey.Reveal() != redacted ||
		r.ClickHouse.Password.IsSet() {
		t.Errorf("%v", r)
	}
	if c.Routes[0].RoutingKey.Reveal() != "x" {
		t.Error("redacting a copy changed the original")
	}
}

func TestSecretsAreNotInProblems(t *testing.T) {
	for name, text := range map[string]string{
		"short key":      "dedup: {key: " + hidden[:7] + "}",
		"broken address": "clickhouse: {address: \"http://me:" + hidden[:7] + "@host:x\"}",
		"bad address":    "clickhouse: {address: \"ftp://me:" + hidden[:7] + "@host:1\"}",
	} {
		_, problems := Check("f", []byte(text), Overrides{})
		if len(problems) == 0 || strings.Contains(fmt.Sprint(problems), hidden[:7]) {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
