package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Service runs the configured roles.
type Service struct {
	o       Options
	log     *slog.Logger
	metrics *metrics
	status  *status
	ready   chan struct{}

	adm *kadm.Client // while Run
}

// New makes a service; it connects nothing.
func New(o Options) (*Service, error) {
	if len(o.Kafka.Brokers) == 0 {
		return nil, errors.New("pipeline: no Kafka brokers")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s := &Service{o: o, log: o.Logger, metrics: newMetrics(o.Metrics), status: newStatus(),
		ready: make(chan struct{})}
	s.status.metrics = s.metrics
	return s, nil
}

// Ready is closed once Kafka answered, its topics were found right, and all roles run. ClickHouse
// is no part of it: a service that pages is ready.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Status returns what has been done so far.
func (s *Service) Status() Status { return s.status.snapshot() }

// role is one of the three.
type role interface {
	Run(ctx context.Context) error
}

// Run connects, recovers and works until ctx ends or a role cannot go on, and returns when
// everything has stopped.
func (s *Service) Run(ctx context.Context) error {
	cl, adm, err := s.o.Kafka.connect(ctx, s.log)
	if err != nil {
		return err
	}
	defer cl.Close()
	s.adm = adm
	err = s.patiently(ctx, "look at the topics", func() error { return s.check(ctx, cl) })
	if err != nil {
		return err
	}
	roles, err := s.roles(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(roles))
	var wg sync.WaitGroup
	for i, r := range roles {
		wg.Go(func() {
			defer cancel()
			errs[i] = r.Run(ctx)
		})
	}
	close(s.ready)
	wg.Wait()
	return errors.Join(errs...)
}

// patiently calls f until it succeeds, ctx ends, or it fails for a reason that stays. A broker that
// is leaving, starting or electing a leader is no reason to end a process that was just started.
func (s *Service) patiently(ctx context.Context, what string, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		if err == nil || ctx.Err() != nil || !kerr.IsRetriable(err) && !kgo.IsRetryableBrokerErr(err) {
			return err
		}
		s.log.Warn("kafka has no answer yet; trying again", "to", what, "error", err, "wait", backoff(n))
		pause(ctx, backoff(n))
	}
}

// check refuses brokers and topics that cannot carry the promises.
func (s *Service) check(ctx context.Context, cl *kgo.Client) error {
	if err := requireTransactions(ctx, s.adm); err != nil {
		return err
	}
	if err := checkTopics(ctx, s.adm, s.o.Topics.Specs(s.o.Clock)); err != nil {
		return err
	}
	if err := s.checkRetention(ctx); err != nil {
		return err
	}
	return s.checkIdentities(ctx, cl)
}

// requireTransactions demands the protocol that cannot tear a transaction (KIP-890).
func requireTransactions(ctx context.Context, adm *kadm.Client) error {
	versions, err := adm.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("ask the brokers for their versions: %w", err)
	}
	var silent error // a cluster works without one of its brokers
	for _, v := range versions.Sorted() {
		if v.Err != nil {
			silent = fmt.Errorf("ask broker %d for its versions: %w", v.NodeID, v.Err)
			continue
		}
		for _, f := range v.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" && f.MaxVersionLevel >= 2 {
				return nil
			}
		}
	}
	if silent != nil {
		return silent
	}
	return errors.New("the brokers do not offer transaction.version=2, without which a transaction " +
		"can be torn: run Kafka 4.0 or newer with `kafka-features.sh upgrade --feature transaction.version=2`")
}

func (s *Service) roles(ctx context.Context) ([]role, error) {
	var roles []role
	if s.o.Roles.Archive {
		roles = append(roles, newArchiving(s))
	}
	var c *correlating
	if s.o.Roles.Correlate {
		err := s.patiently(ctx, "read the rule sets", func() (err error) {
			c, err = newCorrelating(ctx, s)
			return err
		})
		if err != nil {
			return nil, err
		}
		roles = append(roles, c)
	}
	if s.o.Roles.Intake {
		var in *intake
		err := s.patiently(ctx, "list the raw topics", func() (err error) {
			in, err = newIntake(ctx, s)
			return err
		})
		if err != nil {
			if c != nil {
				c.close() // what never runs closes nothing
			}
			return nil, err
		}
		roles = append(roles, in)
	}
	if len(roles) == 0 {
		return nil, errors.New("pipeline: no role to run: intake, correlate or archive")
	}
	return roles, nil
}
