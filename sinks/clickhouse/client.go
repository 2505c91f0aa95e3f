package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate/archive"
)

// Client is the archive in one ClickHouse server. It is safe for concurrent use; several inserts
// run at the same time on connections of their own.
type Client struct {
	target target
	conn   driver.Conn // current database: ours
	root   driver.Conn // current database: default, for what runs before ours exists
	blocks sync.Pool   // *[]byte, for blocks
}

var _ archive.Archive = (*Client)(nil)

// Open checks the options. No connection is made before the first use.
func Open(o Options) (*Client, error) {
	t, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c := &Client{target: t}
	if c.conn, err = driver.Open(t.connection(t.Database)); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	if c.root, err = driver.Open(t.connection("default")); err != nil {
		return nil, fmt.Errorf("clickhouse: %w", errors.Join(err, c.conn.Close()))
	}
	return c, nil
}

// Close closes the connections.
func (c *Client) Close() error { return errors.Join(c.conn.Close(), c.root.Close()) }

// String returns where the archive is, without credentials.
func (c *Client) String() string {
	return fmt.Sprintf("ClickHouse at %s, database %s", c.target.host, c.target.Database)
}

// Ping returns nil if the server answers and knows us. The database need not exist.
func (c *Client) Ping(ctx context.Context) error {
	var one uint8
	if err := c.root.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
		return c.fault("ping", err)
	}
	return nil
}

// table returns the quoted name of a table with its database.
func (c *Client) table(name string) string { return c.target.Database + ".`" + name + "`" }
