// Package dev runs the embedded servers as processes of their own, for development and tests: what
// `quell run` would start inside itself, but apart from it, so that it can be killed, shared between
// processes, or protected by credentials and TLS.
package dev

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"

	broker "quell/pipeline/embedded"
	engine "quell/sinks/clickhouse/embedded"
)

// Options say what to serve and where.
type Options struct {
	DataDir        string
	Listen         string // Kafka, or ClickHouse's HTTP; "" is a free port of 127.0.0.1
	ListenTCP      string // ClickHouse's native protocol; likewise
	User, Password string // both or none
	TLS            *tls.Config
	Logger         *slog.Logger
	// Ready is told the address when the server answers.
	Ready func(Address)
}

// Address says where a server answers.
type Address struct {
	Server string `json:"server"`         // kafka or clickhouse
	Addr   string `json:"addr,omitempty"` // kafka: host:port
	HTTP   string `json:"http,omitempty"` // clickhouse: host:port of each protocol
	TCP    string `json:"tcp,omitempty"`
	TLS    bool   `json:"tls"`
	Data   string `json:"data"`
	PID    int    `json:"pid"`
}

// String returns the address for people and for copying.
func (a Address) String() string {
	if a.Server == "kafka" {
		return "kafka " + a.Addr
	}
	scheme := "http"
	if a.TLS {
		scheme = "https"
	}
	return fmt.Sprintf("clickhouse %s://%s clickhouse://%s", scheme, a.HTTP, a.TCP)
}

// Kafka serves the embedded broker until ctx ends. A user logs in by SCRAM-SHA-256.
func Kafka(ctx context.Context, o Options) error {
	opts := broker.Options{DataDir: o.DataDir, Addr: o.Listen, TLS: o.TLS, Logger: o.Logger}
	if o.User != "" {
		opts.SASL = &broker.Credentials{Mechanism: broker.ScramSHA256, User: o.User, Password: o.Password}
	}
	b, err := broker.New(opts)
	if err != nil {
		return err
	}
	return run(ctx, b.Run, b.Ready(), func() {
		o.Ready(Address{Server: "kafka", Addr: b.Addr(), TLS: o.TLS != nil, Data: o.DataDir,
			PID: os.Getpid()})
	})
}

// ClickHouse serves the embedded engine until ctx ends.
func ClickHouse(ctx context.Context, o Options) error {
	e, err := engine.New(engine.Options{DataDir: o.DataDir, HTTPAddr: o.Listen, TCPAddr: o.ListenTCP,
		User: o.User, Password: o.Password, TLS: o.TLS, Logger: o.Logger})
	if err != nil {
		return err
	}
	return run(ctx, e.Run, e.Ready(), func() {
		o.Ready(Address{Server: "clickhouse", HTTP: e.HTTPAddr(), TCP: e.TCPAddr(), TLS: o.TLS != nil,
			Data: o.DataDir, PID: os.Getpid()})
	})
}

// run serves until ctx ends and says once when the server is ready.
func run(ctx context.Context, serve func(context.Context) error, ready <-chan struct{},
	tell func()) error {
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	select {
	case <-ready:
		tell()
		return <-done
	case err := <-done:
		return err
	}
}

// TLSConfig reads the server's certificate and key, both or none: then it returns nil.
func TLSConfig(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("--tls-cert and --tls-key belong together: give both or none")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// Password returns the value of an environment variable. A password on the command line would be
// seen by everybody who lists processes.
func Password(user, variable string) (string, error) {
	switch {
	case user == "" && variable == "":
		return "", nil
	case user == "" || variable == "":
		return "", errors.New("--user and --password-env belong together: give both or none")
	}
	p := os.Getenv(variable)
	if p == "" {
		return "", fmt.Errorf("--password-env: the environment variable %s is not set or empty", variable)
	}
	return p, nil
}
