package embedded

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// listener is the port of the broker. kfake always listens on 127.0.0.1 and tells clients whatever
// address its listener has; here the address is the one that was configured, by name, so that a TLS
// certificate for that name fits. It also remembers the open connections: kfake leaves them to
// their own goroutines when it closes, and Run may not return before they are closed.
type listener struct {
	listen func(network, address string) (net.Listener, error)
	addr   string
	tls    *tls.Config

	net.Listener // set by open

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// open is kfake's ListenFn. The address that kfake asks for is not used.
func (l *listener) open(network, _ string) (net.Listener, error) {
	inner, err := l.listen(network, l.addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", l.addr, err)
	}
	l.Listener = inner
	l.conns = make(map[*conn]struct{})
	if l.tls != nil {
		return tls.NewListener(l, l.tls), nil
	}
	return l, nil
}

// Accept hands out connections that are remembered until they are closed.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, owner: l}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

// Addr is what kfake tells clients: the configured host with the real port.
func (l *listener) Addr() net.Addr { return hostPort(l.advertised()) }

func (l *listener) advertised() string {
	actual := l.Listener.Addr()
	if virtual(actual) {
		return actual.String()
	}
	host, _, _ := net.SplitHostPort(l.addr) // checked by New
	_, port, _ := net.SplitHostPort(actual.String())
	return net.JoinHostPort(host, port)
}

// virtual reports whether an address belongs to no real network, as those of kfake's
// VirtualNetwork do.
func virtual(a net.Addr) bool { return a.Network() != "tcp" }

// closeConns closes what is still open.
func (l *listener) closeConns() {
	l.mu.Lock()
	open := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// conn takes itself off its listener's list.
type conn struct {
	net.Conn
	owner *listener
}

func (c *conn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// hostPort is a TCP address by name.
type hostPort string

func (hostPort) Network() string  { return "tcp" }
func (a hostPort) String() string { return string(a) }

// clusterLog passes kfake's log on. Its Info is a line for every request, hence one level lower.
type clusterLog struct{ to *slog.Logger }

func (c clusterLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		c.to.Error(fmt.Sprintf(format, args...), "broker", "embedded")
	case kfake.LogLevelWarn:
		c.to.Warn(fmt.Sprintf(format, args...), "broker", "embedded")
	default:
		if c.to.Enabled(context.Background(), slog.LevelDebug) {
			c.to.Debug(fmt.Sprintf(format, args...), "broker", "embedded")
		}
	}
}
