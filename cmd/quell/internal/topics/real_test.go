package topics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/connect"
	"quell/cmd/quell/internal/topics"
	"quell/pipeline/kafkatest"
)

// TestRealKafka: topics on an Apache Kafka that asks for a login, made twice, under both clocks; and
// a wrong password, which fails at once.
func TestRealKafka(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{User: &kafkatest.User{Name: "ada", Password: "right"}})
	login := func(password, clock string) *config.Config {
		return load(t, fmt.Sprintf("clock: %s\nkafka: {brokers: %s, replication_factor: 1,"+
			" sasl: {mechanism: scram-sha-256, user: ada, password: %s}}", clock, b.SASLAddr(), password),
			config.Overrides{})
	}
	for _, step := range []struct {
		clock, action string
		n             int
	}{{"append", "created", 11}, {"append", "kept", 11}, {"event", "changed", 2}, {"event", "kept", 11}} {
		results, err := topics.Create(context.Background(), login("right", step.clock), quiet())
		if err != nil {
			t.Fatal(err)
		}
		if got := actions(results); len(results) != 11 || got[step.action] != step.n {
			t.Errorf("clock %s: want %d %s, got %v", step.clock, step.n, step.action, got)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := topics.Create(ctx, login("wrong", "append"), connect.Options{Wait: time.Hour,
		Note: func(s string) { t.Error("tried again:", s) }})
	if err == nil || !strings.Contains(err.Error(), "refuses us") {
		t.Errorf("a wrong password: %v", err)
	}
}
