package clickhouse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Password is a password that prints as [redacted], whatever prints it.
type Password string

const redacted = "[redacted]"

// String returns [redacted].
func (Password) String() string { return redacted }

// GoString returns [redacted].
func (Password) GoString() string { return redacted }

// Format writes [redacted] for every verb.
func (Password) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// MarshalText returns [redacted].
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [redacted].
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// Options say where the archive is. Only Address is needed.
type Options struct {
	// Address is scheme://host:port: http, https, clickhouse (native protocol) or clickhouses
	// (native protocol with TLS). It may hold user:password@ and /database, which count where the
	// fields below are empty.
	Address  string
	Database string // default quell
	User     string // default "default"
	Password Password

	// TLS is the client's side of TLS; nil means the system's roots, with https and clickhouses.
	TLS *tls.Config
	// Compress sends inserts compressed (LZ4 over the native protocol, gzip over HTTP): for a network
	// that is slower than the processors.
	Compress bool
	// RetentionDays is how long rows are kept, from the day of archiving. Default 90; -1: for ever.
	RetentionDays int
	// DialTimeout bounds a connection attempt, default 5 s; ReadTimeout the wait for an answer,
	// default 5 min.
	DialTimeout, ReadTimeout time.Duration
	// Connections bounds how many are open at once, default 10.
	Connections int
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// target is an Options with its defaults and what Address says.
type target struct {
	Options
	protocol driver.Protocol
	host     string
}

// resolve fills in the defaults. Its errors never quote the address, which may hold a password.
func (o Options) resolve() (target, error) {
	t := target{Options: o, protocol: driver.HTTP}
	u, err := url.Parse(o.Address)
	if err != nil || u.Host == "" {
		return t, errors.New("clickhouse: the address is not a URL: write, for example, " +
			"http://127.0.0.1:8123 or clickhouse://127.0.0.1:9000")
	}
	port := ""
	switch u.Scheme {
	case "http":
		port = "8123"
	case "https":
		port = "8443"
	case "clickhouse":
		t.protocol, port = driver.Native, "9000"
	case "clickhouses":
		t.protocol, port = driver.Native, "9440"
	default:
		return t, fmt.Errorf("clickhouse: the address begins with %s://: write http, https, "+
			"clickhouse or clickhouses", u.Scheme)
	}
	if strings.HasSuffix(u.Scheme, "s") && t.TLS == nil {
		t.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.host = u.Host; u.Port() == "" {
		t.host = u.Host + ":" + port
	}
	if u.User != nil && t.User == "" {
		t.User = u.User.Username()
		if p, ok := u.User.Password(); ok && t.Password == "" {
			t.Password = Password(p)
		}
	}
	if t.Database == "" {
		t.Database = strings.Trim(u.Path, "/")
	}
	return t, t.defaults()
}

func (t *target) defaults() error {
	if t.Database == "" {
		t.Database = "quell"
	}
	if !identifier.MatchString(t.Database) {
		return fmt.Errorf("clickhouse: database %q: use letters, digits and _", t.Database)
	}
	if t.User == "" {
		t.User = "default"
	}
	if t.RetentionDays == 0 {
		t.RetentionDays = 90
	}
	if t.RetentionDays < -1 || t.RetentionDays > 36500 {
		return fmt.Errorf("clickhouse: retention of %d days: use 1 to 36500, or -1 for ever",
			t.RetentionDays)
	}
	if t.DialTimeout == 0 {
		t.DialTimeout = 5 * time.Second
	}
	if t.ReadTimeout == 0 {
		t.ReadTimeout = 5 * time.Minute
	}
	if t.Connections == 0 {
		t.Connections = 10
	}
	return nil
}

// connection returns clickhouse-go's options for a connection with this current database.
func (t *target) connection(database string) *driver.Options {
	o := &driver.Options{
		Protocol: t.protocol, Addr: []string{t.host}, TLS: t.TLS,
		Auth: driver.Auth{Database: database, Username: t.User, Password: string(t.Password)},
		ClientInfo: driver.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "quell", Version: "1"}}},
		DialTimeout: t.DialTimeout, ReadTimeout: t.ReadTimeout,
		MaxOpenConns: t.Connections, MaxIdleConns: t.Connections,
	}
	switch {
	case t.Compress && t.protocol == driver.Native:
		o.Compression = &driver.Compression{Method: driver.CompressionLZ4}
	case t.Compress: // the only kind that clickhouse-go applies to a body of bytes
		o.Compression = &driver.Compression{Method: driver.CompressionGZIP, Level: 1}
	}
	return o
}
