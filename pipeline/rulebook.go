package pipeline

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

// ruleBook knows rule sets by hash: the configured one, and those that the rules topic carries
// because a partition may have to replay records that were folded under them.
type ruleBook struct {
	mu   sync.RWMutex
	sets map[correlate.RuleHash]correlate.RuleSet
	now  correlate.RuleHash
	memo *ristretto.Cache[uint64, memoEntry]
}

// openRuleBook reads the rules topic and adds the configured rule set to it if it is not there.
func openRuleBook(ctx context.Context, s *Service, cl *kgo.Client) (*ruleBook, error) {
	memo, err := newMemo(s.o.Correlate.MemoBytes)
	if err != nil {
		return nil, err
	}
	b := &ruleBook{sets: map[correlate.RuleHash]correlate.RuleSet{}, memo: memo}
	topic := s.o.Topics.Rules
	err = s.o.Kafka.readToEnd(ctx, s.adm, partition{topic, 0}, func(r *kgo.Record) error {
		if strings.HasPrefix(string(r.Key), topicKey) {
			return nil
		}
		set, err := s.o.Correlate.Parse(r.Value)
		if err != nil {
			// A rule set of a newer quell: it matters only if a replay asks for it, and then the
			// engine stops and names it.
			s.log.Warn("a rule set in the log cannot be read", "rules", string(r.Key), "error", err)
			return nil
		}
		b.add(set)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rule sets: %w", err)
	}
	rules := s.o.Correlate.Rules
	if _, ok := b.sets[rules.Hash()]; !ok {
		rec := &kgo.Record{Topic: topic, Key: []byte(rules.Hash().String()), Value: rules.Canonical()}
		if err := write(ctx, cl, rec); err != nil {
			return nil, fmt.Errorf("write the rule set: %w", err)
		}
	}
	b.add(rules)
	b.now = rules.Hash()
	return b, nil
}

func (b *ruleBook) add(set correlate.RuleSet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sets[set.Hash()] = &memoised{RuleSet: set, memo: b.memo}
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
