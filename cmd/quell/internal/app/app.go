// Package app turns a checked configuration into what runs: pipeline options, Kafka connections, a
// logger. It is the one place where configuration, pipeline and sinks meet.
package app

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"quell/cmd/quell/internal/config"
	"quell/correlate"
	"quell/pipeline"
	"quell/pipeline/dedup"
	"quell/rules"
)

// Logger returns the configured logger.
func Logger(c *config.Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Log.SlogLevel()}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Kafka returns how to reach the brokers; addr replaces the configured ones where they are
// embedded.
func Kafka(c *config.Config, addr string) (pipeline.Kafka, error) {
	k := pipeline.Kafka{Brokers: c.Kafka.Brokers, ClientID: c.Kafka.ClientID, Group: c.Kafka.Group,
		Instance: c.Kafka.Instance, SessionTimeout: c.Kafka.SessionTimeout.Std(),
		Replication: c.Kafka.Replication}
	if c.Kafka.Embedded() {
		k.Brokers = []string{addr}
		return k, nil
	}
	var err error
	if k.TLS, err = c.Kafka.TLS.Config(); err != nil {
		return k, fmt.Errorf("kafka.tls: %w", err)
	}
	k.SASL = mechanism(&c.Kafka.SASL)
	return k, nil
}

func mechanism(s *config.SASL) sasl.Mechanism {
	switch s.Mechanism {
	case "plain":
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism()
	}
	return nil
}

// Client returns a Kafka client of a command, with more options.
func Client(k pipeline.Kafka, more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.ClientID(k.ClientID), kgo.DisableClientMetrics()}
	if k.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(k.TLS))
	}
	if k.SASL != nil {
		opts = append(opts, kgo.SASL(k.SASL))
	}
	return kgo.NewClient(append(opts, more...)...)
}

// Topics returns the configured topics.
func Topics(c *config.Config) pipeline.Topics {
	t := &c.Topics
	out := pipeline.Topics{Responses: t.Responses, Alerts: t.Alerts, Incidents: t.Incidents,
		Pages: t.Pages, Rejected: t.Rejected, Archive: t.Archive, Dispositions: t.Dispositions,
		Checkpoints: t.Checkpoints, Snapshots: t.Snapshots, Rules: t.Rules,
		AlertsPartitions: t.AlertsPartitions, ArchivePartitions: t.ArchivePartitions,
		Retention: retention(t.Retention)}
	for i, r := range t.Raw {
		out.Raw = append(out.Raw, pipeline.RawTopic{Name: r.Name, Partitions: r.Partitions,
			Format: c.Formats()[i], Retention: retention(r.Retention)})
	}
	return out
}

func retention(r config.Retention) time.Duration {
	if r == config.Forever {
		return -1
	}
	return config.Duration(r).Std()
}

// Identity returns what makes two events one alert.
func Identity(c *config.Config) dedup.IdentityConfig {
	return dedup.IdentityConfig{Key: c.DedupConfig().Key, Fields: append([]string{}, c.Dedup.Fields...),
		Labels: c.Dedup.Labels}
}

// Pipeline returns the options of a service that runs all roles; archive and logger are left to
// the caller.
func Pipeline(c *config.Config, kafkaAddr string) (pipeline.Options, error) {
	k, err := Kafka(c, kafkaAddr)
	if err != nil {
		return pipeline.Options{}, err
	}
	form, err := Form(c)
	if err != nil {
		return pipeline.Options{}, err
	}
	visible := append(append([]string{}, c.Dedup.Labels...), c.Dedup.PassOn...)
	slices.Sort(visible)
	o := pipeline.Options{
		Kafka: k, Topics: Topics(c), Clock: c.Clock,
		Roles: pipeline.Roles{Intake: true, Correlate: true, Archive: true},
		Intake: pipeline.Intake{Identity: Identity(c), Dedup: c.DedupConfig(),
			Visible: slices.Compact(visible), MaxSkew: correlate.Duration(c.Dedup.MaxSkew),
			Epoch: c.IntakeEpoch(), RejectedPayload: int(c.Limits.RejectedBytes),
			BatchBytes: int(c.Limits.BatchBytes), CheckpointEvery: 10 * time.Second},
		Correlate: pipeline.Correlate{Rules: c.RuleSet(), Parse: parse, Limits: c.EngineLimits(),
			Form: form, SnapshotEvery: 1_000_000, CommitEvery: 50 * time.Millisecond,
			MemoBytes: int64(c.Limits.MemoBytes)},
		Archive: pipeline.Archive{Rows: c.ClickHouse.Insert.Rows, Every: c.ClickHouse.Insert.Every.Std()},
	}
	if drops := c.Drops(); drops.Len() > 0 {
		o.Intake.Drop = func(e *correlate.Event) bool { _, ok := drops.Find(e); return ok }
	}
	return o, nil
}

func parse(canonical []byte) (correlate.RuleSet, error) {
	set, err := rules.Parse(canonical)
	if err != nil {
		return nil, err // not a nil *Set in an interface
	}
	return set, nil
}
