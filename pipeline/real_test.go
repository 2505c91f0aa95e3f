package pipeline_test

import (
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/sasl/scram"

	"quell/pipeline"
	"quell/pipeline/kafkatest"
)

// The same jobs on a real Kafka, with a password and over TLS.
func TestRealKafka(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{TLS: true,
		User: &kafkatest.User{Name: "quell", Password: "correct horse", Mechanism: "SCRAM-SHA-512"}})
	secured := pipeline.Kafka{Brokers: []string{b.SASLTLSAddr()}, TLS: b.TLSConfig(),
		SASL: scram.Auth{User: "quell", Pass: "correct horse"}.AsSha512Mechanism()}
	t.Run("main job", func(t *testing.T) { mainJob(t, newWorldOn(t, secured, nil)) })
	t.Run("event clock", func(t *testing.T) { eventClock(t, pipeline.Kafka{Brokers: []string{b.Addr()}}) })
}

// A clean stop and a start on a real Kafka.
func TestRealRestart(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{})
	restart(t, newWorldOn(t, pipeline.Kafka{Brokers: []string{b.Addr()}}, nil))
}

// A real Kafka takes the largest blocks, and is left in time when it does not answer under load.
func TestRealBounds(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{})
	k := pipeline.Kafka{Brokers: []string{b.Addr()}}
	t.Run("large step", func(t *testing.T) { largeStep(t, newWorldOn(t, k, twoHeld)) })
	t.Run("stop while it hangs", func(t *testing.T) {
		stopWithout(t, k, func() { _ = syscall.Kill(b.PID(), syscall.SIGSTOP) })
	})
}
