package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"quell/sinks/clickhouse/embedded/internal/chdb"
	"quell/sinks/clickhouse/embedded/internal/frame"
	"quell/sinks/clickhouse/embedded/internal/native"
)

// statement runs a query packet. The client learns of the engine's errors in the answer; an error
// that is returned ends the connection.
func (c *tcpConn) statement(q query) error {
	c.packed = nil
	if q.compressed {
		c.packed = frame.NewWriter(&c.out, wantsZSTD(q.settings))
	}
	external, err := c.externalTables()
	if err != nil {
		return err
	}
	st := parseStatement(q.text)
	switch {
	case external:
		err = exception(codeNotImplemented, "external tables are not supported")
	case st.several:
		err = exception(codeSyntaxError, "Multi-statements are not allowed")
	default:
		err = c.s.set(q.settings)
	}
	if err != nil {
		c.exception(err)
		return nil
	}
	if in := st.insert; in != nil && st.inline() == "" {
		return c.insert(in, q.params)
	}
	watched, stop := c.watch()
	defer stop()
	defer c.s.guard(watched)()
	return c.read(watched, st, q.params)
}

func wantsZSTD(settings []pair) bool {
	for _, s := range settings {
		if s.name == "network_compression_method" {
			return strings.EqualFold(s.value, "ZSTD")
		}
	}
	return false
}

// externalTables reads the blocks that follow a query, up to an empty one, and tells whether there
// was another.
func (c *tcpConn) externalTables() (some bool, err error) {
	for {
		code, err := c.in.uvarint()
		if err != nil {
			return some, inside(err)
		}
		if code != clientData {
			return some, fmt.Errorf("packet %d where data should be", code)
		}
		_, block, err := c.readBlock(nil)
		if err != nil || len(block.Names) == 0 {
			return some, err
		}
		some = true
	}
}

// readBlock reads what follows a data packet's number and appends it to dst as revision 0.
func (c *tcpConn) readBlock(dst []byte) ([]byte, native.Block, error) {
	if _, err := c.in.string(maxQueryString); err != nil { // the table's name
		return dst, native.Block{}, err
	}
	var src native.Source = c.in
	if c.packed != nil {
		src = c.frames
	}
	dst, block, err := native.Reframe(dst, src, c.revision, 0, c.limits.block())
	if err == nil && c.packed != nil && c.frames.Buffered() > 0 {
		err = fmt.Errorf("%d bytes behind a compressed block", c.frames.Buffered())
	}
	return dst, block, inside(err)
}

// writeBlock sends a block that has the client's framing already.
func (c *tcpConn) writeBlock(block []byte) error {
	c.out.uvarint(serverData)
	c.out.string("")
	var err error
	if c.packed != nil {
		_, err = c.packed.Write(block)
	} else {
		_, err = c.out.Write(block)
	}
	if err != nil {
		return err
	}
	return c.flush()
}

// read runs a statement that takes no rows and sends what it answers.
func (c *tcpConn) read(ctx context.Context, st *statement, params []param) error {
	next, done, err := c.pieces(st, params)
	if err != nil {
		c.exception(err)
		return nil
	}
	defer done()
	var block []byte
	for first := true; ; first = false {
		piece, err := next()
		if err != nil {
			c.exception(err)
			return nil
		}
		if piece == nil {
			if first && (st.streams || st.lists) {
				return c.endEmpty(st, params)
			}
			c.out.uvarint(serverEndStream)
			return nil
		}
		block, err = c.writePiece(block, piece.Data, first)
		piece.Free()
		switch e := err.(type) {
		case nil:
		case *native.UnsupportedError:
			c.exception(e)
			return nil
		default:
			return err
		}
		if err := ctx.Err(); err != nil {
			c.exception(err)
			return nil
		}
	}
}

// pieces runs a statement: a SELECT piece by piece, another whole.
func (c *tcpConn) pieces(st *statement, params []param) (
	next func() (*chdb.Result, error), done func(), err error,
) {
	if st.streams {
		s, err := c.s.Stream(st.withoutFormat(), "Native", params)
		if err != nil {
			return nil, nil, err
		}
		return s.Next, s.Close, nil
	}
	answered := false
	return func() (*chdb.Result, error) {
		if answered {
			return nil, nil
		}
		answered = true
		res, err := c.s.Query(st.withoutFormat(), "Native", params)
		if err != nil {
			return nil, err
		}
		c.progress(res.Stats())
		if len(res.Data) == 0 {
			res.Free()
			return nil, nil
		}
		return res, nil
	}, func() {}, nil
}

// writePiece sends the blocks of a piece; before the first of all goes a header, as from a server.
func (c *tcpConn) writePiece(buf, data []byte, first bool) ([]byte, error) {
	src := bytes.NewReader(data)
	for {
		out, block, err := native.Reframe(buf[:0], src, 0, c.revision, trusted())
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		buf = out
		if first {
			first = false
			head := native.AppendHeader(nil, c.revision, block.Names, block.Types)
			if err := c.writeBlock(head); err != nil {
				return buf, err
			}
		}
		if err := c.writeBlock(buf); err != nil {
			return buf, err
		}
	}
}

// endEmpty ends an answer without rows. The client still wants a block, for the columns; those of a
// SHOW and the like cannot be described, and are left out.
func (c *tcpConn) endEmpty(st *statement, params []param) error {
	var none columns
	if st.streams {
		text := strings.TrimRight(strings.TrimSpace(st.withoutFormat()), ";")
		var err error
		if none, err = c.describe("("+text+"\n)", params); err != nil {
			c.exception(err)
			return nil
		}
	}
	if err := c.writeBlock(none.header(c.revision)); err != nil {
		return err
	}
	c.out.uvarint(serverEndStream)
	return nil
}

// columns are what a table takes or a query returns.
type columns struct{ names, types []string }

func (c columns) header(to int) []byte { return native.AppendHeader(nil, to, c.names, c.types) }

// describe lists the columns of a table, or of a query in parentheses, that can be written.
func (c *tcpConn) describe(what string, params []param) (columns, error) {
	r, err := c.s.Query("DESCRIBE TABLE "+what+" SETTINGS print_pretty_type_names = 0",
		"JSONCompactEachRow", params)
	if err != nil {
		return columns{}, err
	}
	defer r.Free()
	var list columns
	for line := range bytes.Lines(r.Data) {
		var column []string // name, type, kind of default, ...
		if err := json.Unmarshal(line, &column); err != nil || len(column) < 3 {
			return columns{}, fmt.Errorf("the engine describes a column as %q: %v", line, err)
		}
		if column[2] != "MATERIALIZED" && column[2] != "ALIAS" {
			list.names, list.types = append(list.names, column[0]), append(list.types, column[1])
		}
	}
	return list, nil
}

func (c *tcpConn) progress(s chdb.Stats) {
	c.out.uvarint(serverProgress)
	for _, v := range []uint64{s.RowsRead, 0, 0, s.RowsWritten, s.BytesWritten,
		uint64(s.Elapsed.Nanoseconds())} {
		c.out.uvarint(v)
	}
}
