package produce

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

const (
	timestampType = "message.timestamp.type"
	retentionMs   = "retention.ms"
)

// check finds the topic's number of partitions and refuses one that would lose the events' times.
func check(ctx context.Context, cl *kgo.Client, o *Options) (partitions int, err error) {
	adm := kadm.NewClient(cl)
	found, err := adm.ListTopics(ctx, o.Topic.Name)
	if err != nil {
		return 0, fmt.Errorf("look for topic %s: %w", o.Topic.Name, err)
	}
	d := found[o.Topic.Name]
	if d.Err != nil || len(d.Partitions) == 0 {
		return 0, fmt.Errorf("topic %s is not there: run `quell topics create` with the same"+
			" configuration", o.Topic.Name)
	}
	if o.Clock != correlate.ClockEvent {
		return len(d.Partitions), nil
	}
	described, err := adm.DescribeTopicConfigs(ctx, o.Topic.Name)
	if err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", o.Topic.Name, err)
	}
	for _, t := range described {
		if t.Err != nil {
			return 0, fmt.Errorf("describe topic %s: %w", o.Topic.Name, t.Err)
		}
		for _, c := range t.Configs {
			want := map[string]string{timestampType: "CreateTime", retentionMs: "-1"}[c.Key]
			if want != "" && c.MaybeValue() != want {
				return 0, fmt.Errorf("topic %s has %s=%s: under clock: event it must be %s, or the"+
					" events' times are lost; run `quell topics create` with the same configuration",
					o.Topic.Name, c.Key, c.MaybeValue(), want)
			}
		}
	}
	return len(d.Partitions), nil
}
