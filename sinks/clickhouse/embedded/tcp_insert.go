package embedded

import (
	"fmt"
	"slices"

	"quell/sinks/clickhouse/embedded/internal/chdb"
)

// insert tells the client the columns, streams its blocks into the engine, and answers when they
// are stored. The engine's stream begins with the first block: a client may take its time before.
func (c *tcpConn) insert(in *insert, params []param) error {
	list, err := c.insertColumns(in)
	if err != nil {
		c.exception(err)
		return nil
	}
	if err := c.writeBlock(list.header(c.revision)); err != nil {
		return err
	}
	rows := &tcpRows{c: c, in: in, params: params}
	defer rows.close()
	for more := true; more; {
		if more, err = rows.next(); err != nil {
			return err
		}
	}
	rows.finish()
	return nil
}

// insertColumns returns the columns that an INSERT names, or all, with their types.
func (c *tcpConn) insertColumns(in *insert) (columns, error) {
	all, err := c.describe(in.target, nil)
	if err != nil || in.columns == "" {
		return all, err
	}
	var named columns
	sc := scanner{text: in.columns}
	for sc.next() {
		name := sc.text[sc.from:sc.to]
		switch name {
		case "(", ")", ",":
			continue
		}
		for sc.peek() == "." { // of a Nested
			sc.next()
			sc.next()
			name += "." + unquoteName(sc.text[sc.from:sc.to])
		}
		name = unquoteName(name)
		i := slices.Index(all.names, name)
		if i < 0 {
			return columns{}, exception(codeNoSuchColumn, "No such column %s in table %s", name,
				in.target)
		}
		named.names = append(named.names, name)
		named.types = append(named.types, all.types[i])
	}
	return named, nil
}

func unquoteName(s string) string {
	if len(s) >= 2 && (s[0] == '`' || s[0] == '"') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// tcpRows are the rows of an INSERT under way.
type tcpRows struct {
	c      *tcpConn
	in     *insert
	params []param
	stream *chdb.Insert
	block  []byte // reused
	err    error  // the engine's; the client's blocks are read to their end nevertheless
}

// next takes a packet. It returns false at the end of the rows; an error ends the connection.
func (r *tcpRows) next() (more bool, err error) {
	code, err := r.c.in.uvarint()
	if err != nil {
		return false, inside(err)
	}
	switch code {
	case clientCancel:
		r.err = exception(codeQueryWasCancelled, "the client cancelled the insert")
		return false, nil
	case clientData:
	default:
		return false, fmt.Errorf("packet %d where rows should be", code)
	}
	block, head, err := r.c.readBlock(r.block[:0])
	if err != nil {
		return false, err
	}
	r.block = block
	if head.Rows == 0 {
		return len(head.Names) > 0, nil
	}
	if r.err == nil {
		r.err = r.append(block)
	}
	return true, nil
}

func (r *tcpRows) append(block []byte) (err error) {
	if r.stream == nil {
		if r.stream, err = r.c.s.Insert(r.in.head, "Native", r.params); err != nil {
			return err
		}
	}
	return r.stream.Append(block)
}

// finish waits until the rows are stored and answers. A client that leaves meanwhile has its insert
// killed.
func (r *tcpRows) finish() {
	if r.err == nil && r.stream != nil {
		watched, stop := r.c.watch()
		unguard := r.c.s.guard(watched)
		var res *chdb.Result
		if res, r.err = r.stream.Done(); r.err == nil {
			r.c.progress(res.Stats())
			res.Free()
		}
		unguard()
		stop()
	}
	if r.err != nil {
		r.c.exception(r.err)
		return
	}
	r.c.out.uvarint(serverEndStream)
}

func (r *tcpRows) close() {
	if r.stream != nil {
		r.stream.Close()
	}
}
