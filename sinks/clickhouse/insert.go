package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"quell/correlate/archive"
)

// Insert adds the rows of a batch, once a (table, token), as one block.
func (c *Client) Insert(ctx context.Context, b archive.Batch) error {
	rows := b.Rows()
	if rows == 0 {
		return nil
	}
	if err := b.Check(); err != nil {
		return &archive.Error{Fault: archive.FaultReject, Err: err}
	}
	var block *archive.Native
	select {
	case block = <-c.blocks:
	case <-ctx.Done():
		return c.fault(fmt.Sprintf("insert of %d rows into %s, behind others", rows, b.Table), ctx.Err())
	}
	defer func() {
		clear(block.Pieces) // the memory of the sections is not ours to keep
		c.blocks <- block
	}()
	if err := block.Build(b.Sections); err != nil {
		return &archive.Error{Fault: archive.FaultReject, Err: err}
	}
	return c.surely(ctx, &b, block.Pieces)
}

// surely inserts the block. If the batch is a repeated one, it looks first whether its rows are there:
// a token may have been forgotten after so many others that the rows would go in again. And it makes
// sure that they are there afterwards: ClickHouse writes a token down before it makes the part of that
// insert visible; killed in between, it takes every repeat for done, and has no rows. Such a token is
// spent; the next one takes its place.
func (c *Client) surely(ctx context.Context, b *archive.Batch, block [][]byte) error {
	if b.Repeated {
		if there, err := c.holds(ctx, b); err != nil || there {
			return err
		}
	}
	for n := range archive.Tokens {
		token, body := b.TokenAfter(n), &body{rest: slices.Clone(block)} // sending eats it
		err := c.insert(ctx, b, token, body)
		body.end()
		if err != nil {
			return c.fault(fmt.Sprintf("insert of %d rows into %s, token %s", b.Rows(), b.Table, token), err)
		}
		if !b.Repeated {
			return nil
		}
		there, err := c.holds(ctx, b)
		if err != nil || there {
			return err
		}
	}
	return &archive.Error{Fault: archive.FaultStop, Err: fmt.Errorf("ClickHouse takes %d rows for table "+
		"%s, token %s, as inserted under %d tokens and does not have them: do rows expire at once there, "+
		"or does something delete them?", b.Rows(), b.Table, b.Token, archive.Tokens)}
}

// holds reports whether the batch is in the table. It is one part: the first section tells of all.
func (c *Client) holds(ctx context.Context, b *archive.Batch) (bool, error) {
	s := &b.Sections[0]
	topic, partition := s.Source()
	first, last := s.FirstOffset(), s.LastOffset()
	var n uint64
	err := c.conn.QueryRow(ctx, "SELECT count() FROM "+c.table(b.Table)+" WHERE topic = @topic AND "+
		"partition = @partition AND offset BETWEEN @first AND @last", driver.Named("topic", topic),
		driver.Named("partition", partition), driver.Named("first", first), driver.Named("last", last)).
		Scan(&n)
	if err != nil {
		return false, c.fault(fmt.Sprintf("look for the rows of %s, %s/%d %d-%d", b.Table, topic, partition,
			first, last), err)
	}
	return n > 0, nil
}

// insert sends a block. The settings are what makes it exact, whatever the server's defaults are.
func (c *Client) insert(ctx context.Context, b *archive.Batch, token string, block *body) error {
	settings := driver.Settings{
		"async_insert":               0,
		"insert_deduplication_token": token,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
	}
	names := make([]string, len(b.Sections[0].Columns))
	for i := range names {
		names[i] = "`" + b.Sections[0].Columns[i].Name + "`"
	}
	query := "INSERT INTO " + c.table(b.Table) + " (" + strings.Join(names, ", ") + ")"
	if c.target.protocol == driver.Native {
		return c.insertNative(driver.Context(ctx, driver.WithSettings(settings)), query, block)
	}
	settings["wait_end_of_query"] = 1
	ctx = driver.Context(ctx, driver.WithSettings(settings))
	return c.conn.InsertFormat(ctx, "Native", query, block)
}

// insertNative lets the columns of a native batch decode the block's bytes. The server has named
// their types, so a difference shows before anything is sent.
func (c *Client) insertNative(ctx context.Context, query string, block *body) error {
	batch, err := c.conn.PrepareBatch(ctx, query)
	if err != nil {
		return err
	}
	if err := fill(batch.Columns(), block); err != nil {
		return errors.Join(err, batch.Abort())
	}
	return batch.Send()
}

// errLayout is wrapped by what fill finds wrong.
var errLayout = errors.New("clickhouse: the table is not what this quell made")

func fill(columns []column.Interface, block io.Reader) error {
	r := proto.NewReader(block)
	n, err := r.UVarInt()
	if err != nil {
		return err
	}
	rows, err := r.UVarInt()
	if err != nil {
		return err
	}
	if int(n) != len(columns) {
		return fmt.Errorf("%w: %d columns, want %d", errLayout, len(columns), n)
	}
	for _, col := range columns {
		if err := fillColumn(col, r, int(rows)); err != nil {
			return err
		}
	}
	return nil
}

func fillColumn(col column.Interface, r *proto.Reader, rows int) error {
	name, err := r.Str()
	if err != nil {
		return err
	}
	typ, err := r.Str()
	if err != nil {
		return err
	}
	have := string(col.Type())
	if name != col.Name() || (typ != have && (typ != "Int8" || !strings.HasPrefix(have, "Enum8("))) {
		return fmt.Errorf("%w: column %s %s, want %s %s", errLayout, col.Name(), have, name, typ)
	}
	if s, ok := col.(column.CustomSerialization); ok {
		if err := s.ReadStatePrefix(r); err != nil {
			return fmt.Errorf("clickhouse: column %s: %w", name, err)
		}
	}
	if err := col.Decode(r, rows); err != nil {
		return fmt.Errorf("clickhouse: column %s: %w", name, err)
	}
	return nil
}

// HighWater returns the highest archived position of a partition in one table, or -1. The order of
// the tables of events makes it a look at the end of each part.
func (c *Client) HighWater(ctx context.Context, table, topic string, partition int32) (int64,
	error) {
	var high int64
	err := c.conn.QueryRow(ctx, "SELECT offset FROM "+c.table(table)+" WHERE topic = @topic AND "+
		"partition = @partition ORDER BY topic DESC, partition DESC, offset DESC LIMIT 1",
		driver.Named("topic", topic), driver.Named("partition", partition)).Scan(&high)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil
	}
	if err != nil {
		return 0, c.fault(fmt.Sprintf("high-water mark of %s, %s/%d", table, topic, partition), err)
	}
	return high, nil
}
