package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"quell/cmd/quell/internal/config"
	"quell/correlate/archive"
	"quell/sinks/clickhouse"
)

// ClickHouse opens the configured archive; addr replaces the address where it is embedded. No
// connection is made yet.
func ClickHouse(c *config.Config, addr string) (*clickhouse.Client, error) {
	o := clickhouse.Options{Address: c.ClickHouse.Address, Database: c.ClickHouse.Database,
		User: c.ClickHouse.User, Password: clickhouse.Password(c.ClickHouse.Password.Reveal()),
		RetentionDays: int(c.ClickHouse.TTL.Std() / (24 * time.Hour))}
	if c.ClickHouse.Embedded() {
		o.Address = addr
		return clickhouse.Open(o)
	}
	var err error
	if o.TLS, err = c.ClickHouse.TLS.Config(); err != nil {
		return nil, fmt.Errorf("clickhouse.tls: %w", err)
	}
	return clickhouse.Open(o)
}

// Archive is a ClickHouse whose schema is made when it first answers, so that a service can start,
// and page, while ClickHouse is away.
type Archive struct {
	*clickhouse.Client
	log *slog.Logger

	once  sync.Mutex
	ready atomic.Bool
}

// NewArchive wraps a client.
func NewArchive(c *clickhouse.Client, log *slog.Logger) *Archive {
	return &Archive{Client: c, log: log}
}

// Ready reports whether the schema has been found or made.
func (a *Archive) Ready() bool { return a.ready.Load() }

// Prepare makes the schema, trying until ctx ends or it is there.
func (a *Archive) Prepare(ctx context.Context) {
	for wait := 200 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		err := a.migrate(ctx)
		if err == nil {
			return
		}
		a.log.Warn("ClickHouse cannot be used yet; paging goes on, events wait in Kafka",
			"archive", a.String(), "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (a *Archive) migrate(ctx context.Context) error {
	if a.ready.Load() {
		return nil
	}
	a.once.Lock()
	defer a.once.Unlock()
	if a.ready.Load() {
		return nil
	}
	if err := a.Migrate(ctx); err != nil {
		return err
	}
	a.ready.Store(true)
	return nil
}

// Insert makes the schema if nobody has yet, then inserts.
func (a *Archive) Insert(ctx context.Context, b archive.Batch) error {
	if err := a.migrate(ctx); err != nil {
		return err
	}
	return a.Client.Insert(ctx, b)
}

// HighWater makes the schema if nobody has yet, then asks.
func (a *Archive) HighWater(ctx context.Context, table, topic string, partition int32) (int64, error) {
	if err := a.migrate(ctx); err != nil {
		return 0, err
	}
	return a.Client.HighWater(ctx, table, topic, partition)
}
