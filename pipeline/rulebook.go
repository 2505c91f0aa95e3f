package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

// ruleBook knows rule sets by hash: the configured one, and those that the rules topic carries
// because a partition may have to replay records that were folded under them.
type ruleBook struct {
	kafka *Kafka
	adm   *kadm.Client
	topic string
	parse func([]byte) (correlate.RuleSet, error)
	log   *slog.Logger
	memo  *ristretto.Cache[uint64, memoEntry]
	now   correlate.RuleHash

	mu   sync.RWMutex
	sets map[correlate.RuleHash]correlate.RuleSet

	reading sync.Mutex
	read    int64 // of the rules topic, up to here
}

// openRuleBook reads the rules topic and adds the configured rule set to it if it is not there.
func openRuleBook(ctx context.Context, s *Service, cl *kgo.Client) (_ *ruleBook, err error) {
	memo, err := newMemo(s.o.Correlate.MemoBytes)
	if err != nil {
		return nil, err
	}
	b := &ruleBook{kafka: &s.o.Kafka, adm: s.adm, topic: s.o.Topics.Rules, parse: s.o.Correlate.Parse,
		log: s.log, memo: memo, sets: map[correlate.RuleHash]correlate.RuleSet{}}
	if err := b.refresh(ctx); err != nil {
		memo.Close()
		return nil, err
	}
	rules := s.o.Correlate.Rules
	if _, ok := b.sets[rules.Hash()]; !ok {
		if err := write(ctx, cl, rulesRecord(b.topic, rules)); err != nil {
			memo.Close()
			return nil, fmt.Errorf("write the rule set: %w", err)
		}
	}
	b.add(rules)
	b.now = rules.Hash()
	return b, nil
}

// rulesRecord is the record that makes a rule set known to all processes.
func rulesRecord(topic string, rules RuleBody) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(rules.Hash().String()), Value: rules.Canonical()}
}

// refresh reads what other processes have added to the rules topic.
func (b *ruleBook) refresh(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	p := partition{b.topic, 0}
	start, end, err := bounds(ctx, b.adm, p)
	if err == nil && max(start, b.read) < end {
		err = b.kafka.readRange(ctx, p, max(start, b.read), end, b.take)
	}
	if err != nil {
		return fmt.Errorf("read the rule sets: %w", err)
	}
	b.read = end
	return nil
}

// take adds a rule set of the rules topic.
func (b *ruleBook) take(r *kgo.Record) error {
	if strings.HasPrefix(string(r.Key), topicKey) {
		return nil
	}
	set, err := b.parse(r.Value)
	if err != nil {
		// A rule set of a newer quell: it matters only if a replay asks for it, and then the engine
		// stops and names it.
		b.log.Warn("a rule set in the log cannot be read", "rules", string(r.Key), "error", err)
		return nil
	}
	b.add(set)
	return nil
}

// know makes sure that the rule sets which records put in force are known, as far as anybody knows
// them: a process that was started later may have brought one.
func (b *ruleBook) know(ctx context.Context, records []correlate.Record) error {
	for i := range records {
		if records[i].Kind != correlate.KindRuleChange {
			continue
		}
		if _, ok := b.lookup(records[i].RuleChange.Hash); !ok {
			return b.refresh(ctx)
		}
	}
	return nil
}

func (b *ruleBook) add(set correlate.RuleSet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sets[set.Hash()] = memoise(set, b.memo)
}

// current is the configured rule set.
func (b *ruleBook) current() correlate.RuleSet {
	set, _ := b.lookup(b.now)
	return set
}

// lookup finds a rule set by hash, for an engine.
func (b *ruleBook) lookup(h correlate.RuleHash) (correlate.RuleSet, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	set, ok := b.sets[h]
	return set, ok
}

// Close stops the memo's goroutines.
func (b *ruleBook) Close() { b.memo.Close() }

// ApplyRules puts a rule set in force in every alerts partition, whatever is in force there, also one
// that was replaced before: it is a person's word. Owners take it up as they come to it in the log; a
// process with another configuration does not replace it again.
func ApplyRules(ctx context.Context, o *Options) error {
	cl, err := o.Kafka.client("rules", writing(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := write(ctx, cl, rulesRecord(o.Topics.Rules, o.Correlate.Rules)); err != nil {
		return fmt.Errorf("write the rule set: %w", err)
	}
	change := &correlate.Record{Kind: correlate.KindRuleChange,
		RuleChange: correlate.RuleChange{Hash: o.Correlate.Rules.Hash(), Explicit: true}}
	var records []*kgo.Record
	for id := range o.Topics.AlertsPartitions {
		records = append(records, appended(o, id, change, 0))
	}
	if err := write(ctx, cl, records...); err != nil {
		return fmt.Errorf("append the rule change to %s: %w", o.Topics.Alerts, err)
	}
	return nil
}
