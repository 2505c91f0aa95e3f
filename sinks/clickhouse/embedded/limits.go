package embedded

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"quell/sinks/clickhouse/embedded/internal/native"
)

// Limits bound what clients may send. Whatever breaks one is refused with an exception that names
// it, or, where the protocol is broken too, with the end of the connection.
type Limits struct {
	// Connections is how many may be open on both protocols together; further ones are closed at
	// once. Default 256.
	Connections int
	// QueryBytes bounds a statement's text, rows of a VALUES clause included. Default 64 MiB.
	QueryBytes int
	// BodyBytes bounds the rows of one insert over HTTP, after decompression. Default 16 GiB.
	BodyBytes int64
	// BlockColumns, BlockRows and BlockBytes bound a block of an insert over TCP. Defaults 10,000
	// columns, 16,777,216 rows and 1 GiB.
	BlockColumns, BlockRows, BlockBytes int
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Connections, 256)
	orDefault(&l.QueryBytes, 64<<20)
	orDefault(&l.BodyBytes, 16<<30)
	orDefault(&l.BlockColumns, 10_000)
	orDefault(&l.BlockRows, 1<<24)
	orDefault(&l.BlockBytes, 1<<30)
	return l
}

func orDefault[T int | int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (l Limits) block() native.Limits {
	return native.Limits{Columns: l.BlockColumns, Rows: l.BlockRows, Bytes: l.BlockBytes}
}

// Bounds that no honest client comes near, so that they need no configuration.
const (
	maxHelloString = 4 << 10  // a name, a user, a password
	maxQueryString = 64 << 10 // what a query packet says besides its text and settings
	maxSettings    = 1 << 10  // settings, and parameters, of a statement
	maxSetting     = 1 << 20  // bytes of a setting's or a parameter's value
	maxHeaderBytes = 1 << 20  // of an HTTP request, its URL included

	helloTimeout = 10 * time.Second // from the connection to the end of the greeting
	idleTimeout  = time.Hour        // between two statements on a connection
	stopGrace    = time.Second      // for statements that run when the server stops
)

// limitedListener closes what comes while all slots are taken. Waiting instead would leave clients
// hanging without a word.
type limitedListener struct {
	net.Listener
	slots chan struct{}
	log   *slog.Logger
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &limitedConn{Conn: c, slots: l.slots}, nil
		default:
			l.log.Warn("too many connections: one was closed", "limit", cap(l.slots),
				"remote", c.RemoteAddr().String())
			c.Close()
		}
	}
}

type limitedConn struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

func (c *limitedConn) Close() error {
	c.once.Do(func() { <-c.slots })
	return c.Conn.Close()
}
