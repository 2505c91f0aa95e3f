package clickhouse

import (
	"context"
	"errors"
	"fmt"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"quell/correlate/archive"
)

// atOnce is how many inserts run at the same time. The engine works on one insert with one thread
// mostly; more than two on their way only need more memory, here and there.
const atOnce = 2

// Client is the archive in one ClickHouse server. It is safe for concurrent use; two inserts
// run at the same time on connections of their own, others wait.
type Client struct {
	target target
	conn   driver.Conn // current database: ours
	root   driver.Conn // current database: default, for what runs before ours exists
	// blocks has the memory of the blocks that are under way at once: fresh memory costs as much as
	// what is written to it.
	blocks chan *archive.Native
}

var _ archive.Archive = (*Client)(nil)

// Open checks the options. No connection is made before the first use.
func Open(o Options) (*Client, error) {
	t, err := o.resolve()
	if err != nil {
		return nil, err
	}
	c := &Client{target: t, blocks: make(chan *archive.Native, atOnce)}
	for range atOnce {
		c.blocks <- new(archive.Native)
	}
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
