// Package servers makes the Kafka and the ClickHouse of a configuration available to a command:
// where the configuration names addresses it passes them on; where it says "embedded" it attaches
// to the server that already runs on the data directory, in whatever process, and otherwise starts
// one in this process.
package servers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	broker "quell/pipeline/embedded"
	engine "quell/sinks/clickhouse/embedded"
)

// Want says what a command needs.
type Want struct {
	Kafka, ClickHouse bool // start or find the embedded one
	DataDir           string
	// Fresh starts both for this command alone, the broker in memory: nothing is attached to.
	Fresh  bool
	Logger *slog.Logger
}

// Set is the servers of one command.
type Set struct {
	Kafka      string // host:port; "" if it was not wanted
	ClickHouse string // http://host:port; "" if it was not wanted
	OwnsKafka  bool   // started by this process
	OwnsEngine bool

	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	errs   []error
	failed chan struct{}
	once   sync.Once
}

// Start makes the wanted servers available; Stop ends those that it started.
func Start(ctx context.Context, w Want) (*Set, error) {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Set{cancel: cancel, failed: make(chan struct{})}
	if w.Kafka {
		if err := s.startBroker(ctx, run, w); err != nil {
			_ = s.Stop() // its error is this one
			return nil, err
		}
	}
	if w.ClickHouse {
		if err := s.startEngine(ctx, run, w); err != nil {
			_ = s.Stop()
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) startBroker(ctx, run context.Context, w Want) error {
	o := broker.Options{Logger: w.Logger}
	if !w.Fresh {
		if a, err := broker.ReadAddress(w.DataDir); err == nil {
			s.Kafka = a.Addr
			return nil
		}
		o.DataDir = w.DataDir
	}
	b, err := broker.New(o)
	if err != nil {
		return fmt.Errorf("embedded Kafka: %w", err)
	}
	if err := s.launch(ctx, run, "embedded Kafka", b.Run, b.Ready()); err != nil {
		return err
	}
	s.Kafka, s.OwnsKafka = b.Addr(), true
	return nil
}

func (s *Set) startEngine(ctx, run context.Context, w Want) error {
	if !w.Fresh {
		if a, err := engine.ReadAddress(w.DataDir); err == nil {
			if a.TLS {
				return fmt.Errorf("the ClickHouse on %s speaks TLS: give its address with --clickhouse", w.DataDir)
			}
			s.ClickHouse = "http://" + a.HTTP
			return nil
		}
	}
	e, err := engine.New(engine.Options{DataDir: w.DataDir, Logger: w.Logger})
	if err != nil {
		return fmt.Errorf("embedded ClickHouse: %w", err)
	}
	if err := s.launch(ctx, run, "embedded ClickHouse", e.Run, e.Ready()); err != nil {
		return err
	}
	s.ClickHouse, s.OwnsEngine = "http://"+e.HTTPAddr(), true
	return nil
}

// launch runs a server until Stop and waits until it is ready.
func (s *Set) launch(ctx, run context.Context, name string, f func(context.Context) error,
	ready <-chan struct{}) error {
	done := make(chan error, 1)
	s.wg.Go(func() {
		err := f(run)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			s.mu.Lock()
			s.errs = append(s.errs, err)
			s.mu.Unlock()
			s.once.Do(func() { close(s.failed) })
		}
		done <- err
	})
	select {
	case <-ready:
		return nil
	case err := <-done:
		if err == nil {
			err = fmt.Errorf("%s stopped before it was ready", name)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Failed is closed when a server that was started ended by itself.
func (s *Set) Failed() <-chan struct{} { return s.failed }

// Stop ends what Start started and returns what went wrong. It may be called twice.
func (s *Set) Stop() error {
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}
