package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"quell/correlate"
)

// TopicSpec is what quell wants of a topic.
type TopicSpec struct {
	Name       string            `json:"topic"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs"`
	// Exact partition counts matter where partition i of one topic belongs to partition i of
	// another, and where a name is placed on a partition by its hash: with another count its
	// checkpoint would not be found, and its blocks would come in two orders. Elsewhere more
	// partitions than asked for are fine.
	Exact bool `json:"-"`
}

// Topic configuration names that more than one place uses.
const (
	timestampType  = "message.timestamp.type"
	retentionMs    = "retention.ms"
	retentionBytes = "retention.bytes"
	cleanupPolicy  = "cleanup.policy"
	compactionLag  = "min.compaction.lag.ms"
	maxMessage     = "max.message.bytes"
)

// Specs returns every topic that quell needs under the given clock.
//
// Raw and alerts topics carry append time, so that no producer's wrong clock can move windows.
// Under the event clock they carry the events' own times instead, which may be years old: a broker
// that applied a retention time to them would delete them within a minute, so they have none.
func (t *Topics) Specs(clock correlate.ClockMode) []TopicSpec {
	logged := map[string]string{timestampType: "LogAppendTime", cleanupPolicy: "delete",
		retentionMs: millis(t.Retention)}
	if clock == correlate.ClockEvent {
		logged = map[string]string{timestampType: "CreateTime", cleanupPolicy: "delete",
			retentionMs: "-1"}
	}
	appended := map[string]string{timestampType: "LogAppendTime", cleanupPolicy: "delete",
		retentionMs: millis(t.Retention)}
	compacted := map[string]string{timestampType: "LogAppendTime", cleanupPolicy: "compact",
		compactionLag: millis(time.Hour), "segment.bytes": strconv.Itoa(64 << 20)}
	// A checkpoint is written every few seconds and replaces the one before: an hour of them could be
	// many gigabytes. Of snapshots, two intervals stay, and the positions committed since.
	checkpoints := with(compacted, map[string]string{compactionLag: millis(time.Minute)})
	snapshots := with(compacted, map[string]string{compactionLag: millis(2 * snapshotAge)})
	// What quell is still to read must not go because there is much of it; see checkRetention.
	whole := map[string]string{retentionBytes: "-1"}
	blocks := with(with(appended, whole), map[string]string{maxMessage: strconv.Itoa(maxDispositionsBytes + 4096)})

	var specs []TopicSpec
	for _, r := range t.Raw {
		raw := with(logged, nil)
		if clock == correlate.ClockAppend {
			raw[retentionMs] = millis(r.Retention)
		}
		specs = append(specs, TopicSpec{Name: r.Name, Partitions: r.Partitions, Configs: raw})
	}
	return append(specs,
		TopicSpec{Name: t.Responses, Partitions: 1, Configs: with(appended, nil)},
		TopicSpec{Name: t.Alerts, Partitions: t.AlertsPartitions, Configs: with(logged, whole), Exact: true},
		TopicSpec{Name: t.Incidents, Partitions: t.AlertsPartitions, Configs: with(compacted, nil), Exact: true},
		TopicSpec{Name: t.Pages, Partitions: t.AlertsPartitions, Configs: with(appended, nil), Exact: true},
		TopicSpec{Name: t.Dispositions, Partitions: t.AlertsPartitions, Configs: blocks, Exact: true},
		TopicSpec{Name: t.Snapshots, Partitions: t.AlertsPartitions, Configs: snapshots, Exact: true},
		TopicSpec{Name: t.Archive, Partitions: t.ArchivePartitions, Configs: with(appended, whole), Exact: true},
		TopicSpec{Name: t.Rejected, Partitions: 1, Configs: with(appended, nil)},
		TopicSpec{Name: t.Checkpoints, Partitions: t.ArchivePartitions, Configs: checkpoints, Exact: true},
		TopicSpec{Name: t.Rules, Partitions: 1, Configs: with(compacted, nil)},
	)
}

func with(base, more map[string]string) map[string]string {
	out := map[string]string{maxMessage: strconv.Itoa(maxRecordBytes + 4096)}
	for _, m := range []map[string]string{base, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func millis(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// TopicResult says what became of one topic.
type TopicResult struct {
	TopicSpec
	// Action is "created", "kept" or "changed" (configuration corrected).
	Action string `json:"action"`
}

// CreateTopics makes the topics exist as specified. It is idempotent: a topic that exists keeps
// its partitions and gets the configuration that differs. A topic whose partition count cannot be
// right is an error that names the count it has and the one it needs.
func CreateTopics(ctx context.Context, adm *kadm.Client, specs []TopicSpec, replication int16,
) ([]TopicResult, error) {
	if replication <= 0 {
		replication = -1
	}
	var errs []error
	results := make([]TopicResult, 0, len(specs))
	for _, s := range specs {
		action, err := createTopic(ctx, adm, s, replication)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		results = append(results, TopicResult{TopicSpec: s, Action: action})
	}
	return results, errors.Join(errs...)
}

// patience is how long brokers may take to know what they have been told.
const patience = 10 * time.Second

func createTopic(ctx context.Context, adm *kadm.Client, s TopicSpec, replication int16) (string, error) {
	configs := make(map[string]*string, len(s.Configs))
	for k, v := range s.Configs {
		configs[k] = kadm.StringPtr(v)
	}
	var err error
	for deadline := time.Now().Add(patience); ; pause(ctx, 200*time.Millisecond) {
		var resp kadm.CreateTopicResponse
		if resp, err = adm.CreateTopic(ctx, s.Partitions, replication, configs, s.Name); err == nil {
			err = resp.Err
		}
		// A broker that has just started, or is busy, does not count for a moment.
		if !errors.Is(err, kerr.InvalidReplicationFactor) || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	switch {
	case err == nil:
		return "created", nil
	case errors.Is(err, kerr.TopicAlreadyExists):
		return correctTopic(ctx, adm, s)
	}
	return "", fmt.Errorf("create topic %s: %w", s.Name, err)
}

// correctTopic compares an existing topic with what is wanted.
func correctTopic(ctx context.Context, adm *kadm.Client, s TopicSpec) (string, error) {
	found, err := adm.ListTopics(ctx, s.Name)
	if err != nil {
		return "", fmt.Errorf("describe topic %s: %w", s.Name, err)
	}
	if n := int32(len(found[s.Name].Partitions)); n < s.Partitions || s.Exact && n != s.Partitions {
		return "", fmt.Errorf("topic %s has %d partitions and needs %d: partition counts are part "+
			"of what incident ids and positions mean; use other topic names or delete the topic",
			s.Name, n, s.Partitions)
	}
	described, err := adm.DescribeTopicConfigs(ctx, s.Name)
	if err != nil {
		return "", fmt.Errorf("describe topic %s: %w", s.Name, err)
	}
	var alter []kadm.AlterConfig
	for _, d := range described {
		if d.Err != nil {
			return "", fmt.Errorf("describe topic %s: %w", s.Name, d.Err)
		}
		for k, v := range s.Configs {
			i := slices.IndexFunc(d.Configs, func(c kadm.Config) bool { return c.Key == k })
			if i < 0 || d.Configs[i].MaybeValue() != v {
				alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: kadm.StringPtr(v)})
			}
		}
	}
	if len(alter) == 0 {
		return "kept", nil
	}
	altered, err := adm.AlterTopicConfigs(ctx, alter, s.Name)
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		return "", fmt.Errorf("configure topic %s: %w", s.Name, err)
	}
	return "changed", nil
}

// checkTopics refuses to start on topics that are missing or cannot work, naming the command that
// mends it. A topic that was created a moment ago may not be known to every broker yet: missing
// topics are looked for again for a while.
func checkTopics(ctx context.Context, adm *kadm.Client, specs []TopicSpec) error {
	for deadline := time.Now().Add(patience); ; pause(ctx, 200*time.Millisecond) {
		missing, err := missingTopics(ctx, adm, specs)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			return checkTimestamps(ctx, adm, specs)
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("topics are missing: %s: run `quell topics create` with the same "+
				"configuration", strings.Join(missing, ", "))
		}
	}
}

// missingTopics returns the names of the topics that are not there. A topic that is there and can
// never be right is an error.
func missingTopics(ctx context.Context, adm *kadm.Client, specs []TopicSpec) ([]string, error) {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	found, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var missing []string
	for _, s := range specs {
		d, ok := found[s.Name]
		if !ok || d.Err != nil {
			missing = append(missing, s.Name)
			continue
		}
		if n := int32(len(d.Partitions)); s.Exact && n != s.Partitions {
			return nil, fmt.Errorf("topic %s has %d partitions, %d are configured: partition counts "+
				"are part of what incident ids and positions mean, and what quell writes goes to the "+
				"partition that it comes from: %s, or, if all of quell's topics were made for %d, "+
				"configure that", s.Name, n, s.Partitions, anotherName, n)
		}
	}
	return missing, nil
}

// checkTimestamps refuses topics of ours whose records would carry the wrong kind of time. What
// time the records of a raw topic carry is its owner's business.
func checkTimestamps(ctx context.Context, adm *kadm.Client, specs []TopicSpec) error {
	for _, s := range specs {
		if !s.Exact || s.Configs[cleanupPolicy] != "delete" {
			continue
		}
		described, err := adm.DescribeTopicConfigs(ctx, s.Name)
		if err != nil {
			return fmt.Errorf("describe topic %s: %w", s.Name, err)
		}
		for _, d := range described {
			for _, c := range d.Configs {
				if c.Key == timestampType && c.MaybeValue() != s.Configs[timestampType] {
					return fmt.Errorf("topic %s has %s=%s, this configuration's clock needs %s: "+
						"run `quell topics create`, or use other topic names for another clock",
						s.Name, timestampType, c.MaybeValue(), s.Configs[timestampType])
				}
			}
		}
	}
	return nil
}

// minRetention is the shortest time that the topics which quell reads must keep their records: twice
// the age that the newest checkpoint may have when a process ends. What retention takes before it is
// read is lost.
const minRetention = 2 * snapshotAge

// checkRetention refuses topics that may delete records before a restart has read them. A bound on
// bytes may do that at any time: the more there is to do, the sooner. Topics that are quell's alone
// must have none; how much the topics keep that others write to is their owners' business, and worth a
// warning.
func (s *Service) checkRetention(ctx context.Context) error {
	t := &s.o.Topics
	own := []string{t.Alerts, t.Archive, t.Dispositions}
	names := append([]string{t.Responses}, own...)
	for _, r := range t.Raw {
		names = append(names, r.Name)
	}
	described, err := s.adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("describe topics: %w", err)
	}
	var problems []error
	for _, d := range described {
		if d.Err != nil {
			return fmt.Errorf("describe topic %s: %w", d.Name, d.Err)
		}
		for _, c := range d.Configs {
			n, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			switch {
			case err != nil || n < 0:
			case c.Key == retentionMs && n < minRetention.Milliseconds():
				problems = append(problems, keepsTooShort(d.Name, n))
			case c.Key == retentionBytes && slices.Contains(own, d.Name):
				problems = append(problems, keepsTooFew(d.Name, n))
			case c.Key == retentionBytes:
				s.log.Warn("the topic keeps a bounded number of bytes: while quell is away or behind, records "+
					"may be deleted that it has not read, and those are lost to it; without that bound only "+
					"the retention time counts", "topic", d.Name, retentionBytes, n)
			}
		}
	}
	if len(problems) > 0 {
		return &Refusal{errors.Join(problems...)}
	}
	return nil
}

func keepsTooShort(topic string, ms int64) error {
	return fmt.Errorf("topic %s keeps records for %v (%s=%d), and a checkpoint may be %v old: after a "+
		"restart records would be gone that were not read: run `quell topics create`, which sets the "+
		"configured retention, or set %s to at least %d", topic, time.Duration(ms)*time.Millisecond,
		retentionMs, ms, minRetention, retentionMs, minRetention.Milliseconds())
}

func keepsTooFew(topic string, bytes int64) error {
	return fmt.Errorf("topic %s keeps %d bytes of a partition (%s=%d): a backlog that is larger would be "+
		"deleted before it was read, and what an engine must replay after a restart with it: run `quell "+
		"topics create`, which takes that bound away, or set %s to -1", topic, bytes, retentionBytes, bytes,
		retentionBytes)
}
