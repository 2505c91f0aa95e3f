package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// source is the identity of a topic. Positions mean nothing in a topic that was created anew under
// the same name, and keys lie on other partitions when there are more of them.
type source struct {
	Topic      string `json:"topic"`
	ID         string `json:"id"`
	Partitions int32  `json:"partitions"`
}

// Refusal is an error that a person has to end: trying again would not.
type Refusal struct{ Err error }

// Error returns the text of the cause.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// anotherName is what helps when a topic is not the one that it was.
const anotherName = "configure another name for the topic and run `quell topics create`"

// identify asks for a topic's identity.
func identify(ctx context.Context, adm *kadm.Client, topic string) (source, error) {
	found, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = found[topic].Err
	}
	if err != nil {
		return source{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	d := found[topic]
	return source{topic, d.ID.String(), int32(len(d.Partitions))}, nil
}

// topicKey is the key under which the rules topic keeps the identity of a topic, beside the rule
// sets: what all processes of all times have to agree on.
const topicKey = "topic/"

// registry is the identities of topics that quell has worked with.
type registry map[string]source

func (k *Kafka) readRegistry(ctx context.Context, adm *kadm.Client, rules string) (registry, error) {
	known := registry{}
	err := k.readToEnd(ctx, adm, partition{rules, 0}, func(r *kgo.Record) error {
		name, ok := strings.CutPrefix(string(r.Key), topicKey)
		if !ok {
			return nil
		}
		var s source
		if err := json.Unmarshal(r.Value, &s); err != nil {
			return fmt.Errorf("identity of topic %s at %s/0 offset %d: %w", name, rules, r.Offset, err)
		}
		known[name] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the identities of topics: %w", err)
	}
	return known, nil
}

// positioned are the topics of which quell keeps positions, or in which it finds its own keys.
func (t *Topics) positioned() []string {
	names := []string{t.Responses, t.Alerts, t.Archive, t.Dispositions, t.Checkpoints, t.Snapshots}
	for _, r := range t.Raw {
		names = append(names, r.Name)
	}
	return names
}

// checkIdentities refuses topics that are not the ones that quell has worked with: every
// difference is told at once. A topic that is seen for the first time is noted.
func (s *Service) checkIdentities(ctx context.Context, cl *kgo.Client) error {
	known, err := s.o.Kafka.readRegistry(ctx, s.adm, s.o.Topics.Rules)
	if err != nil {
		return err
	}
	var problems []error
	var first []source
	for _, name := range s.o.Topics.positioned() {
		now, err := identify(ctx, s.adm, name)
		if err != nil {
			return err
		}
		was, ok := known[name]
		if !ok {
			first = append(first, now)
			continue
		}
		problems = append(problems, differs(was, now))
	}
	if err := errors.Join(problems...); err != nil {
		return &Refusal{err}
	}
	return noteIdentities(ctx, cl, s.o.Topics.Rules, first)
}

func noteIdentities(ctx context.Context, cl *kgo.Client, rules string, topics []source) error {
	var records []*kgo.Record
	for _, t := range topics {
		value, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("encode the identity of topic %s: %w", t.Topic, err)
		}
		records = append(records, &kgo.Record{Topic: rules, Key: []byte(topicKey + t.Topic), Value: value})
	}
	if err := write(ctx, cl, records...); err != nil {
		return fmt.Errorf("note the identities of topics in %s: %w", rules, err)
	}
	return nil
}

// differs explains why a topic cannot be worked with as it is, or returns nil.
func differs(was, now source) error {
	switch {
	case was.ID != now.ID:
		return fmt.Errorf("topic %s was deleted and created again (id %s, was %s): positions that quell "+
			"has kept, sent and archived name other records now, which would be ignored as repeated: %s",
			now.Topic, now.ID, was.ID, anotherName)
	case was.Partitions != now.Partitions:
		return fmt.Errorf("topic %s has %d partitions and had %d: keys lie on other partitions than "+
			"before: run `quell topics adopt %s` if that is meant (`quell topics adopt --help` tells what "+
			"follows)", now.Topic, now.Partitions, was.Partitions, now.Topic)
	}
	return nil
}

// AdoptTopic accepts the partitions that a topic has now. It returns the former and the present
// number of partitions, and an error if the topic is not one that may have other partitions than it
// had: one that was created anew, or one of quell's own in which places follow from the number.
func AdoptTopic(ctx context.Context, k *Kafka, t *Topics, name string) (was, is int32, err error) {
	cl, err := k.client("adopt", writing(0))
	if err != nil {
		return 0, 0, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	known, err := k.readRegistry(ctx, adm, t.Rules)
	if err != nil {
		return 0, 0, err
	}
	now, err := identify(ctx, adm, name)
	if err != nil {
		return 0, 0, err
	}
	former, ok := known[name]
	if !ok {
		return 0, 0, fmt.Errorf("quell has not worked with topic %s: there is nothing to adopt", name)
	}
	raw := slices.ContainsFunc(t.Raw, func(r RawTopic) bool { return r.Name == name })
	if former.ID != now.ID {
		return 0, 0, differs(former, now)
	}
	if former.Partitions != now.Partitions && !raw && name != t.Responses {
		return 0, 0, fmt.Errorf("topic %s has %d partitions and had %d: scopes, blocks and checkpoints "+
			"of quell's own topics are found by the number of partitions, so they cannot have more: %s",
			name, now.Partitions, former.Partitions, anotherName)
	}
	return former.Partitions, now.Partitions, noteIdentities(ctx, cl, t.Rules, []source{now})
}
