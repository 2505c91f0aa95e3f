package chdb

import (
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Exception is an error of the engine.
type Exception struct {
	Code int    // ClickHouse's error code, 1002 (UNKNOWN_EXCEPTION) where the engine named none
	Text string // "DB::Exception: what. (NAME)", without the "Code: N. " before it
}

func (e *Exception) Error() string { return "Code: " + strconv.Itoa(e.Code) + ". " + e.Text }

func newException(text string) *Exception {
	if rest, ok := strings.CutPrefix(text, "Code: "); ok {
		if digits, what, ok := strings.Cut(rest, ". "); ok {
			if code, err := strconv.Atoi(digits); err == nil {
				return &Exception{Code: code, Text: strings.TrimSpace(what)}
			}
		}
	}
	return &Exception{Code: 1002, Text: "DB::Exception: " + text + ". (UNKNOWN_EXCEPTION)"}
}

// Result is an answer in C memory.
type Result struct {
	lib *Library
	p   unsafe.Pointer
	// Data is the answer's bytes. They are gone after Free.
	Data []byte
}

func (l *Library) result(p unsafe.Pointer) (*Result, error) {
	if p == nil {
		return nil, errNoResult
	}
	if text := cString(l.resultError(p)); text != "" {
		l.destroy(p)
		return nil, newException(text)
	}
	r := &Result{lib: l, p: p}
	if n := l.length(p); n > 0 {
		r.Data = unsafe.Slice((*byte)(l.buffer(p)), int(n))
	}
	return r, nil
}

// Free gives the memory back. Legal twice.
func (r *Result) Free() {
	if r.p != nil {
		r.lib.destroy(r.p)
		r.p, r.Data = nil, nil
	}
}

// Stats is what a statement did.
type Stats struct {
	RowsRead, RowsWritten, BytesWritten uint64
	Elapsed                             time.Duration
}

// Stats must be asked before Free. RowsWritten counts materialized views too.
func (r *Result) Stats() Stats {
	return Stats{
		RowsRead:     r.lib.rowsRead(r.p),
		RowsWritten:  r.lib.rowsWritten(r.p),
		BytesWritten: r.lib.bytesWritten(r.p),
		Elapsed:      time.Duration(r.lib.elapsed(r.p) * float64(time.Second)),
	}
}

// Stream is a SELECT under way.
type Stream struct {
	conn *Conn
	p    unsafe.Pointer
	done bool
}

// Next returns the next piece, whole blocks of the format, or nil at the end.
func (s *Stream) Next() (*Result, error) {
	if s.done {
		return nil, nil
	}
	r, err := s.conn.lib.result(s.conn.lib.fetch(s.conn.handle(), s.p))
	if err != nil {
		s.done = true
		return nil, err
	}
	if len(r.Data) == 0 {
		s.done = true
		r.Free()
		return nil, nil
	}
	return r, nil
}

// Close ends the statement where it is. Legal twice; not while Next runs.
func (s *Stream) Close() {
	if s.p == nil {
		return
	}
	if !s.done {
		s.conn.lib.cancelStream(s.conn.handle(), s.p)
	}
	s.conn.lib.destroy(s.p)
	s.p = nil
}

// Insert is an INSERT under way. Nothing of its rows is certain before Done returns.
type Insert struct {
	lib *Library
	p   unsafe.Pointer
}

// Append hands over a piece of the rows; pieces may end anywhere. It copies b, and blocks while the
// engine is 16 pieces behind.
func (i *Insert) Append(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	failed := i.lib.appendRows(i.p, unsafe.Pointer(&b[0]), uintptr(len(b))) != 0
	runtime.KeepAlive(b)
	if !failed {
		return nil
	}
	// The reason is known for certain only after the end of the input.
	r, err := i.Done()
	if err != nil {
		return err
	}
	r.Free()
	return newException("the engine stopped reading the rows of an INSERT")
}

// Done ends the rows and waits until they are stored.
func (i *Insert) Done() (*Result, error) { return i.lib.result(i.lib.done(i.p)) }

// Close gives the rest up if Done was not called; blocks that were complete may have been stored.
// Legal twice.
func (i *Insert) Close() {
	if i.p != nil {
		i.lib.cancelInsert(i.p)
		i.lib.destroyInsert(i.p)
		i.p = nil
	}
}
