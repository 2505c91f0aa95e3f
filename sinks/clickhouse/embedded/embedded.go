// Package embedded serves a real ClickHouse from a shared library, on loopback, so that quell's
// defaults and tests need no server: quell and everybody else speak to it with the unmodified
// clients of ClickHouse's native protocol and of its HTTP interface.
//
// # What it is
//
// One process holds one engine on one directory (a second process is refused with the address of
// the first). A Server boots the engine, listens on both protocols, writes its addresses into
// <DataDir>/clickhouse.json, and stops all of it when its context ends:
//
//	srv, err := embedded.New(embedded.Options{DataDir: ".quell"})
//	...
//	go func() { done <- srv.Run(ctx) }()
//	select {
//	case <-srv.Ready():
//	case err := <-done: // it could not start
//	}
//	clickhouse.Open(&clickhouse.Options{Addr: []string{srv.TCPAddr()}})
//
// Between the clients and the engine it does little: it authenticates, bounds what comes in,
// applies settings and parameters to a session, passes rows on as the bytes they are, and re-frames
// blocks between the client's protocol revision and the engine's (internal/native).
//
// # What it guarantees
//
// Rows that were acknowledged are in the engine's tables, under the engine's own rules of
// durability and deduplication; the bytes of an insert arrive unaltered, block by block, so that
// insert_deduplication_token works as with a server. Credentials and TLS hold on both protocols.
// A client that breaks the protocol loses its connection and nobody else's. A client that goes away
// has its statement killed.
//
// # What it does not
//
// It is for trying quell out, for development and for tests. A failed assertion in the engine, or
// its running out of memory, ends the process, and whatever else runs in it: that is why
// `quell dev clickhouse` exists as a process of its own. There is one user; whoever may query may
// read the files that the process may read (the engine's file functions). There are no replicated
// or distributed tables, no query_log, no external tables, no sessions over HTTP (session_id is
// ignored; a TCP connection is a session), and no native transport of values whose length only the
// engine knows (states of AggregateFunction, JSON, Dynamic, Variant): convert them in the query.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Options say what to serve and where. Only DataDir is needed.
type Options struct {
	// DataDir is quell's data directory: the engine keeps its tables in <DataDir>/clickhouse.
	DataDir string
	// HTTPAddr and TCPAddr are host:port; the default is a free port on loopback.
	HTTPAddr, TCPAddr string
	// Library is the path of libchdb.so; the default is what FindLibrary finds.
	Library string
	// User and Password are the one account. Without User it is "default" with an empty password,
	// and only loopback addresses are served.
	User, Password string
	// TLS, if set, is required of the clients of both protocols.
	TLS *tls.Config
	// Logger gets what an operator should know; the default discards it.
	Logger *slog.Logger
	// Limits bound what comes in; a zero field means the default.
	Limits Limits
}

// Server is a ClickHouse on loopback. It runs once.
type Server struct {
	opts   Options
	access access
	log    *slog.Logger
	ready  chan struct{}
	ran    atomic.Bool

	httpListener, tcpListener net.Listener // set before ready closes
}

// New checks the options. Nothing is opened before Run.
func New(o Options) (*Server, error) {
	if o.DataDir == "" {
		return nil, errors.New("embedded ClickHouse: no data directory; set Options.DataDir")
	}
	if o.User == "" && o.Password != "" {
		return nil, errors.New("embedded ClickHouse: a password without a user; set both or none")
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: data directory %q: %w", o.DataDir, err)
	}
	o.DataDir = dir
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, addr := range []*string{&o.HTTPAddr, &o.TCPAddr} {
		if *addr == "" {
			*addr = "127.0.0.1:0"
		}
		if o.Password == "" && !isLoopback(*addr) {
			return nil, fmt.Errorf("embedded ClickHouse: %s can be reached from other machines;"+
				" set a user and a password, or listen on 127.0.0.1", *addr)
		}
		if o.TLS == nil && !isLoopback(*addr) {
			o.Logger.Warn("ClickHouse is served without TLS: the password crosses the network as"+
				" it is", "address", *addr)
		}
	}
	o.Limits = o.Limits.withDefaults()
	return &Server{
		opts:   o,
		access: newAccess(o.User, o.Password),
		log:    o.Logger.With("component", "clickhouse"),
		ready:  make(chan struct{}),
	}, nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Ready is closed when both protocols are served. It stays open if Run fails before.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// HTTPAddr is the host:port of the HTTP interface, TCPAddr that of the native protocol. They are
// known once Ready is closed, and empty before.
func (s *Server) HTTPAddr() string { return s.addr(func() net.Listener { return s.httpListener }) }

// TCPAddr is the host:port of the native protocol.
func (s *Server) TCPAddr() string { return s.addr(func() net.Listener { return s.tcpListener }) }

func (s *Server) addr(listener func() net.Listener) string {
	select {
	case <-s.ready:
		return listener().Addr().String()
	default:
		return ""
	}
}

// Run boots the engine, serves until ctx ends, and returns when everything has stopped: nil if
// that was ctx's doing. Statements that still run then get a second to end and are killed. After
// Run the same process may start another Server, on the same directory or another.
func (s *Server) Run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return errors.New("embedded ClickHouse: this Server ran already; make a new one")
	}
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("embedded ClickHouse: %w", err)
	}
	return nil
}

func (s *Server) run(ctx context.Context) error {
	e, err := boot(s.opts)
	if err != nil {
		return err
	}
	defer e.stop()
	if err := s.listen(); err != nil {
		return err
	}
	defer s.httpListener.Close() // legal twice
	defer s.tcpListener.Close()
	remove, err := s.publish()
	if err != nil {
		return err
	}
	defer remove()
	return s.serve(ctx, e)
}

func (s *Server) listen() error {
	slots := make(chan struct{}, s.opts.Limits.Connections)
	open := func(addr, protocol string) (net.Listener, error) {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listen for %s: %w", protocol, err)
		}
		var limited net.Listener = &limitedListener{Listener: ln, slots: slots, log: s.log}
		if s.opts.TLS != nil {
			config := s.opts.TLS.Clone()
			config.NextProtos = nil // HTTP/1.1 and nothing else
			limited = tls.NewListener(limited, config)
		}
		return limited, nil
	}
	var err error
	if s.httpListener, err = open(s.opts.HTTPAddr, "HTTP"); err != nil {
		return err
	}
	if s.tcpListener, err = open(s.opts.TCPAddr, "TCP"); err != nil {
		s.httpListener.Close()
		return err
	}
	return nil
}

// serve runs both protocols until ctx ends or one of them fails.
func (s *Server) serve(ctx context.Context, e *engine) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	// statements outlive ctx by the grace period; ending this context kills them.
	statements, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()

	front := front{engine: e, access: s.access, limits: s.opts.Limits, log: s.log}
	var (
		wg   sync.WaitGroup
		errs = make([]error, 2)
	)
	wg.Go(func() {
		defer stop()
		errs[0] = front.serveHTTP(serving, statements, kill, s.httpListener)
	})
	wg.Go(func() {
		defer stop()
		errs[1] = front.serveTCP(serving, statements, kill, s.tcpListener)
	})
	s.log.Info("serving", "http", s.httpListener.Addr().String(),
		"tcp", s.tcpListener.Addr().String(), "version", e.version, "data", e.dir)
	close(s.ready)
	wg.Wait()
	s.log.Info("stopped", "data", e.dir)
	return errors.Join(errs...)
}

// front is what the two protocols share.
type front struct {
	engine *engine
	access access
	limits Limits
	log    *slog.Logger
}
