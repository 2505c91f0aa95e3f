// Package ops is the small HTTP server beside `quell run`: what operators and orchestrators ask.
//
//	/metrics       the registry, in Prometheus' formats
//	/healthz       200 while the process works; 503 once it stops or has failed: restart it
//	/readyz        200 while everything it depends on is connected; 503 with what is not, and why
//	/debug/pprof/  profiles, only if asked for in the configuration
//
// Health and readiness differ on purpose: a Kafka that is down makes quell not ready, and a restart
// of quell would not help. Both answer JSON, so that the reason stands in the probe's log.
//
// The server binds in [New], so that an address in use is an error of the start, and [Server.Addr]
// is known at once. It has a ServeMux of its own: whatever an imported package registers on the
// default one is not served. Requests are bounded in size and time; nothing here writes.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// stopGrace is how long answers that are under way may take when the server stops.
const stopGrace = time.Second

// Options configure a Server.
type Options struct {
	Listen   string              // host:port; port 0 is any free one
	Pprof    bool                // serve profiles
	Gatherer prometheus.Gatherer // of /metrics
	// Ready names each thing that the process depends on, with why it is not connected, or nil.
	// It is asked on every /readyz and must not block.
	Ready  func() map[string]error
	Logger *slog.Logger // nil: nothing is logged
}

// Server answers until its Run ends. It runs once.
type Server struct {
	o        Options
	listener net.Listener
	http     *http.Server

	mu   sync.Mutex
	down error // why the process is not healthy, or nil
}

// New listens on the address; nothing is answered before Run.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("metrics and health on %s: %w; set metrics.listen to another address",
			o.Listen, err)
	}
	s := &Server{o: o, listener: l}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	if o.Pprof {
		s.http.WriteTimeout = 5 * time.Minute // a profile is asked for in seconds
	}
	return s, nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	if s.o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.o.Gatherer, promhttp.HandlerOpts{
			ErrorLog:            slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelWarn),
			ErrorHandling:       promhttp.ContinueOnError,
			MaxRequestsInFlight: 4,
			Timeout:             15 * time.Second,
			EnableOpenMetrics:   true,
		}))
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if s.o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// Addr is the host:port that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Down makes /healthz and /readyz say 503 with this reason from now on: the process is stopping, or
// has failed. The first reason stays.
func (s *Server) Down(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down == nil {
		s.down = reason
	}
}

func (s *Server) healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Run answers until ctx ends. It returns nil then, and an error if it cannot go on serving.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.Down(errors.New("stopping"))
		grace, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			_ = s.http.Close() // whoever has not got the answer by now does without
		}
	})
	s.o.Logger.Info("metrics and health are served", "addr", s.Addr(), "pprof", s.o.Pprof)
	err := s.http.Serve(s.listener)
	if !stop() { // ctx ended: Serve returned at once, the answers under way may not have
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("metrics and health on %s: %w", s.Addr(), err)
}

// health is the answer of /healthz, readiness that of /readyz.
type health struct {
	Healthy bool   `json:"healthy"`
	Reason  string `json:"reason,omitempty"`
}

type readiness struct {
	Ready bool `json:"ready"`
	// Dependencies are "ok", or why not.
	Dependencies map[string]string `json:"dependencies"`
	Reason       string            `json:"reason,omitempty"`
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := s.healthy(); err != nil {
		answer(w, http.StatusServiceUnavailable, health{Reason: err.Error()})
		return
	}
	answer(w, http.StatusOK, health{Healthy: true})
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	out := readiness{Ready: true, Dependencies: map[string]string{}}
	if err := s.healthy(); err != nil {
		out.Ready, out.Reason = false, err.Error()
	}
	if s.o.Ready != nil {
		for name, err := range s.o.Ready() {
			out.Dependencies[name] = "ok"
			if err != nil {
				out.Ready = false
				out.Dependencies[name] = err.Error()
			}
		}
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, out)
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // structs of strings: cannot happen
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who asked may be gone
}
