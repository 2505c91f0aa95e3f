package clickhouse_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"quell/sinks/clickhouse"
	"quell/sinks/clickhouse/embedded"
)

// The tests run on the real engine, one for the process (a process can't have two at a time), with
// credentials; each test has a database of its own.
const (
	testUser     = "archivist"
	testPassword = clickhouse.Password("correct horse/battery:staple@%")
)

var (
	engine    *running
	dataDir   string
	databases atomic.Int64
)

type running struct {
	*embedded.Server
	stop func() error
}

func TestMain(m *testing.M) {
	var err error
	dataDir, err = os.MkdirTemp("", "quell-clickhouse")
	if err != nil {
		panic(err)
	}
	code := 1
	if engine, err = start(dataDir, nil); err != nil {
		fmt.Fprintln(os.Stderr, "the tests need the ClickHouse engine:", err)
	} else {
		code = m.Run()
		if err := engine.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dataDir)
	os.Exit(code)
}

func start(dir string, config *tls.Config) (*running, error) {
	srv, err := embedded.New(embedded.Options{DataDir: dir, User: testUser,
		Password: string(testPassword), TLS: config})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- srv.Run(ctx) }()
	select {
	case <-srv.Ready():
	case err := <-result:
		cancel()
		return nil, err
	case <-time.After(time.Minute):
		cancel()
		return nil, fmt.Errorf("the engine is not ready after a minute: %v", <-result)
	}
	return &running{Server: srv, stop: func() error { cancel(); return <-result }}, nil
}

// ways are the protocols, with and without compression.
var ways = []struct {
	name     string
	address  func() string
	compress bool
}{
	{"http", func() string { return "http://" + engine.HTTPAddr() }, false},
	{"http compressed", func() string { return "http://" + engine.HTTPAddr() }, true},
	{"native", func() string { return "clickhouse://" + engine.TCPAddr() }, false},
	{"native compressed", func() string { return "clickhouse://" + engine.TCPAddr() }, true},
}

// options returns options for a new database, over HTTP.
func options() clickhouse.Options {
	return clickhouse.Options{Address: ways[0].address(), User: testUser, Password: testPassword,
		Database: fmt.Sprintf("t%d", databases.Add(1))}
}

func open(t testing.TB, o clickhouse.Options) *clickhouse.Client {
	t.Helper()
	c, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// migrated returns a client of a new database with all tables.
func migrated(t testing.TB, o clickhouse.Options) *clickhouse.Client {
	t.Helper()
	c := open(t, o)
	if err := c.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask returns all rows of a statement.
func ask(t testing.TB, c *clickhouse.Client, statement string) [][]any {
	t.Helper()
	r, err := c.Query(context.Background(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out [][]any
	for row, err := range r.All() {
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		out = append(out, row)
	}
	return out
}

// run runs a statement that answers nothing.
func run(t testing.TB, c *clickhouse.Client, statement string) {
	t.Helper()
	ask(t, c, statement)
}
