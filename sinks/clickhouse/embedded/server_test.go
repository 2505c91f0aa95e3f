package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// running is a Server under test.
type running struct {
	*Server
	t    testing.TB
	stop func() error // ends Run and returns its error; legal twice
}

// needLibrary returns the engine's path. Without it a test fails, or is skipped by -short.
func needLibrary(t testing.TB) string {
	t.Helper()
	path, err := FindLibrary()
	if err != nil && testing.Short() {
		t.Skip(err)
	}
	must(t, err)
	return path
}

// start runs a Server for the time of a test. A process has one engine, so these tests are not
// parallel; booting takes some 50 ms.
func start(t testing.TB, o Options) *running {
	t.Helper()
	if o.Library == "" {
		needLibrary(t)
	}
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- srv.Run(ctx) }()
	ended, err := false, error(nil)
	stop := func() error {
		if !ended {
			cancel()
			err, ended = <-result, true
		}
		return err
	}
	select {
	case <-srv.Ready():
	case err := <-result:
		cancel()
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("not ready after a minute")
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &running{srv, t, stop}
}

// way is a protocol and a compression of clickhouse-go.
type way struct {
	protocol clickhouse.Protocol
	method   clickhouse.CompressionMethod
}

func (w way) String() string { return w.protocol.String() + "/" + w.method.String() }

var ways = []way{
	{clickhouse.Native, clickhouse.CompressionNone},
	{clickhouse.Native, clickhouse.CompressionLZ4},
	{clickhouse.Native, clickhouse.CompressionZSTD},
	{clickhouse.HTTP, clickhouse.CompressionNone},
	{clickhouse.HTTP, clickhouse.CompressionLZ4},
	{clickhouse.HTTP, clickhouse.CompressionZSTD},
	{clickhouse.HTTP, clickhouse.CompressionGZIP},
	{clickhouse.HTTP, clickhouse.CompressionDeflate},
}

// protocols are the two ways without compression.
var protocols = []way{ways[0], ways[3]}

func (r *running) options(w way) *clickhouse.Options {
	o := &clickhouse.Options{
		Protocol: w.protocol,
		Addr:     []string{r.TCPAddr()},
		Auth:     clickhouse.Auth{Username: r.opts.User, Password: r.opts.Password},
	}
	if w.protocol == clickhouse.HTTP {
		o.Addr = []string{r.HTTPAddr()}
	}
	if w.method != clickhouse.CompressionNone {
		o.Compression = &clickhouse.Compression{Method: w.method, Level: 1}
	}
	return o
}

func (r *running) open(w way) driver.Conn { return r.dial(r.options(w)) }

func (r *running) dial(o *clickhouse.Options) driver.Conn {
	r.t.Helper()
	c, err := clickhouse.Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode checks that err is an exception of the engine with this code.
func wantCode(t *testing.T, err error, code int32) {
	t.Helper()
	var ex *clickhouse.Exception
	if !errors.As(err, &ex) || ex.Code != code {
		t.Errorf("got %v, want exception %d", err, code)
	}
}

func count(t *testing.T, c driver.Conn, sql string) (n uint64) {
	t.Helper()
	must(t, c.QueryRow(t.Context(), sql).Scan(&n))
	return n
}

func each(t *testing.T, list []way, f func(*testing.T, way)) {
	for _, w := range list {
		t.Run(w.String(), func(t *testing.T) { f(t, w) })
	}
}

// get is plain HTTP, without a client of ClickHouse.
func (r *running) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DisableCompression: true, DisableKeepAlives: true}}
}
