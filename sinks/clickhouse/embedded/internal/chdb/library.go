// Package chdb is a small binding of libchdb, which is the ClickHouse engine as a shared
// library, by purego: no C compiler is needed, and it works with cgo and without.
//
// The shape of the library decides the shape of the binding. A process has one engine, booted by
// Boot on a directory and stopped by the last Close; a Conn is a session in it with
// settings, a current database and temporary tables of its own, and it runs one statement at a
// time: the caller serialises. Results live in C memory until Free. Connecting costs 0.2 ms.
//
// Three traps are closed here. Rows appended to the text of an INSERT are cut at the first empty
// line, so rows always go through the streaming insert. The engine would install handlers of its
// own for fatal signals, which belong to the Go runtime, so it is told not to before it boots.
// And it takes its time zone from TZ when it first needs one and keeps it for the life of the
// process, so Boot holds TZ at UTC while the engine comes up and asks it what it took.
//
// What the binding cannot do is survive the engine: a failed assertion in there ends the process.
package chdb

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Version is the release of the npm package that the binding was written and tested against.
const Version = "26.7.3-stable.1"

// Library is an opened libchdb. It is never unloaded: its threads outlive its connections.
type Library struct {
	open  func(argc int32, argv **byte) unsafe.Pointer
	close func(conn unsafe.Pointer)

	query  statementCall
	stream statementCall
	insert statementCall

	fetch        func(conn, result unsafe.Pointer) unsafe.Pointer
	cancelStream func(conn, result unsafe.Pointer)

	appendRows    func(insert, data unsafe.Pointer, n uintptr) int32
	done          func(insert unsafe.Pointer) unsafe.Pointer
	cancelInsert  func(insert unsafe.Pointer)
	insertError   func(insert unsafe.Pointer) unsafe.Pointer
	destroyInsert func(insert unsafe.Pointer)

	buffer       func(result unsafe.Pointer) unsafe.Pointer
	length       func(result unsafe.Pointer) uintptr
	resultError  func(result unsafe.Pointer) unsafe.Pointer
	rowsRead     func(result unsafe.Pointer) uint64
	rowsWritten  func(result unsafe.Pointer) uint64
	bytesWritten func(result unsafe.Pointer) uint64
	elapsed      func(result unsafe.Pointer) float64
	destroy      func(result unsafe.Pointer)

	setenv   func(name, value string, overwrite int32) int32
	unsetenv func(name string) int32
}

// statementCall is the common C signature of the calls that begin a statement with parameters.
type statementCall func(
	conn, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, params uintptr,
) unsafe.Pointer

// Open loads the library at path and resolves everything that the binding calls. It boots nothing.
func Open(path string) (*Library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the ClickHouse engine: %w", err)
	}
	var (
		l       Library
		signals func(enabled int32)
		missing []string
	)
	for name, fn := range map[string]any{
		"chdb_connect":                     &l.open,
		"chdb_close_conn":                  &l.close,
		"chdb_query_with_params_n":         &l.query,
		"chdb_stream_query_with_params_n":  &l.stream,
		"chdb_stream_insert_with_params_n": &l.insert,
		"chdb_stream_fetch_result":         &l.fetch,
		"chdb_stream_cancel_query":         &l.cancelStream,
		"chdb_stream_append":               &l.appendRows,
		"chdb_stream_done":                 &l.done,
		"chdb_stream_cancel_insert":        &l.cancelInsert,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.destroyInsert,
		"chdb_result_buffer":               &l.buffer,
		"chdb_result_length":               &l.length,
		"chdb_result_error":                &l.resultError,
		"chdb_result_storage_rows_read":    &l.rowsRead,
		"chdb_result_rows_written":         &l.rowsWritten,
		"chdb_result_bytes_written":        &l.bytesWritten,
		"chdb_result_elapsed":              &l.elapsed,
		"chdb_destroy_query_result":        &l.destroy,
		"chdb_set_signal_handlers_enabled": &signals,
	} {
		if !resolve(handle, name, fn) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("%s is not the ClickHouse engine %s: it lacks %s",
			path, Version, strings.Join(missing, ", "))
	}
	if !resolve(purego.RTLD_DEFAULT, "setenv", &l.setenv) ||
		!resolve(purego.RTLD_DEFAULT, "unsetenv", &l.unsetenv) {
		return nil, errors.New("load the ClickHouse engine: the C library has no setenv")
	}
	signals(0)
	return &l, nil
}

func resolve(handle uintptr, name string, fn any) bool {
	symbol, err := purego.Dlsym(handle, name)
	if err != nil {
		return false
	}
	purego.RegisterFunc(fn, symbol)
	return true
}

// Boot starts the engine on directory dir with the options given ("--name=value") and returns its
// first session. It fails while a session on another directory is open in this process or another
// process holds the directory; the library tells no reason, but prints one to standard error.
func (l *Library) Boot(dir string, options ...string) (*Conn, error) {
	defer l.inUTC()()
	c, err := l.connect(append([]string{"quell", "--path=" + dir}, options...))
	if err != nil {
		return nil, fmt.Errorf("the ClickHouse engine refused to open %s; it says why on standard"+
			" error", dir)
	}
	zone, err := c.Query("SELECT serverTimezone()", "TSVRaw", nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	defer zone.Free()
	if got := strings.TrimSpace(string(zone.Data)); got != "UTC" {
		c.Close()
		return nil, fmt.Errorf("the ClickHouse engine came up in time zone %s: something in this"+
			" process used it before; start the process with TZ=UTC", got)
	}
	return c, nil
}

// Connect opens a further session on the directory that Boot named.
func (l *Library) Connect(dir string) (*Conn, error) {
	return l.connect([]string{"quell", "--path=" + dir})
}

func (l *Library) connect(args []string) (*Conn, error) {
	argv := make([]*byte, 0, len(args)+1)
	for _, s := range args {
		argv = append(argv, &append([]byte(s), 0)[0])
	}
	argv = append(argv, nil)
	p := l.open(int32(len(args)), &argv[0])
	runtime.KeepAlive(argv)
	if p == nil || *(*unsafe.Pointer)(p) == nil {
		return nil, errors.New("the ClickHouse engine refused a session")
	}
	return &Conn{lib: l, p: p}, nil
}

// inUTC sets the C library's TZ, which Go's os.Setenv need not reach, and returns what restores
// it. The engine reads it once, at its first use of a time: nothing of it runs yet at the first
// Boot, so nobody else reads the environment meanwhile, and at a later one TZ changes nothing.
func (l *Library) inUTC() (restore func()) {
	old, had := os.LookupEnv("TZ")
	if had && old == "UTC" {
		return func() {}
	}
	l.setenv("TZ", "UTC", 1)
	return func() {
		if had {
			l.setenv("TZ", old, 1)
		} else {
			l.unsetenv("TZ")
		}
	}
}
