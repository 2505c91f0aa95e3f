package chdb

import (
	"errors"
	"runtime"
	"unsafe"
)

// Param is a value for a {name:Type} placeholder, as text in the escaped TSV form. It holds for one
// statement.
type Param struct{ Name, Value string }

// Conn is a session in the engine. It runs one statement at a time and is not safe for concurrent
// use; closing it while a statement runs would abort the process.
type Conn struct {
	lib *Library
	p   unsafe.Pointer // chdb_connection*, freed by Close
}

// Close ends the session; the last one to close stops the engine. Legal twice.
func (c *Conn) Close() {
	if c.p != nil {
		c.lib.close(c.p)
		c.p = nil
	}
}

func (c *Conn) handle() unsafe.Pointer { return *(*unsafe.Pointer)(c.p) }

// Query runs a statement and returns its whole answer in format, which a FORMAT clause overrides.
func (c *Conn) Query(sql, format string, params []Param) (*Result, error) {
	return c.lib.result(c.begin(c.lib.query, sql, format, params))
}

// Exec runs a statement whose answer does not matter.
func (c *Conn) Exec(sql string) error {
	r, err := c.Query(sql, "Null", nil)
	if err != nil {
		return err
	}
	r.Free()
	return nil
}

// Stream begins a SELECT whose answer comes in pieces. The caller must Close it.
func (c *Conn) Stream(sql, format string, params []Param) (*Stream, error) {
	p := c.begin(c.lib.stream, sql, format, params)
	if p == nil {
		return nil, errNoResult
	}
	if text := cString(c.lib.resultError(p)); text != "" {
		c.lib.destroy(p)
		return nil, newException(text)
	}
	return &Stream{conn: c, p: p}, nil
}

// Insert begins an INSERT, without a FORMAT clause, of rows that Append brings in format. The
// caller must Close it.
func (c *Conn) Insert(sql, format string, params []Param) (*Insert, error) {
	p := c.begin(c.lib.insert, sql, format, params)
	if p == nil {
		return nil, errNoResult
	}
	if text := cString(c.lib.insertError(p)); text != "" {
		c.lib.destroyInsert(p)
		return nil, newException(text)
	}
	return &Insert{lib: c.lib, p: p}, nil
}

func (c *Conn) begin(call statementCall, sql, format string, params []Param) unsafe.Pointer {
	names, nameLens := make([]*byte, len(params)), make([]uintptr, len(params))
	values, valueLens := make([]*byte, len(params)), make([]uintptr, len(params))
	for i, p := range params {
		names[i], nameLens[i] = bytesOf(p.Name), uintptr(len(p.Name))
		values[i], valueLens[i] = bytesOf(p.Value), uintptr(len(p.Value))
	}
	r := call(c.handle(),
		unsafe.Pointer(bytesOf(sql)), uintptr(len(sql)),
		unsafe.Pointer(bytesOf(format)), uintptr(len(format)),
		first(names), first(nameLens), first(values), first(valueLens), uintptr(len(params)))
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	runtime.KeepAlive(params)
	runtime.KeepAlive(names)
	runtime.KeepAlive(nameLens)
	runtime.KeepAlive(values)
	runtime.KeepAlive(valueLens)
	return r
}

// bytesOf returns where a string's bytes are; never nil, which the engine would take for missing.
func bytesOf(s string) *byte {
	if s == "" {
		return new(byte)
	}
	return unsafe.StringData(s)
}

func first[T any](s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Pointer(&s[0])
}

var errNoResult = errors.New("the ClickHouse engine returned nothing")

func cString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
