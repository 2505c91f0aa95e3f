package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"quell/sinks/clickhouse/embedded/internal/frame"
)

// Packets of the native protocol, by direction.
const (
	clientHello, clientQuery, clientData, clientCancel, clientPing = 0, 1, 2, 3, 4

	serverHello, serverData, serverException    = 0, 1, 2
	serverProgress, serverPong, serverEndStream = 3, 4, 5
)

// serveTCP serves the native protocol until serving ends. Then idle connections are closed, the
// others get a grace period, kill ends their statements, and they are closed.
func (f front) serveTCP(
	serving, statements context.Context, kill func(), ln net.Listener,
) error {
	var (
		mu    sync.Mutex
		open  = map[*tcpConn]struct{}{}
		wg    sync.WaitGroup
		conns = func(do func(*tcpConn)) {
			mu.Lock()
			defer mu.Unlock()
			for c := range open {
				do(c)
			}
		}
	)
	stop := context.AfterFunc(serving, func() { ln.Close() })
	defer stop()
	var err error
	for {
		nc, acceptErr := ln.Accept()
		if acceptErr != nil {
			if serving.Err() == nil {
				err = acceptErr
			}
			break
		}
		c := f.newConn(nc, serving, statements)
		mu.Lock()
		open[c] = struct{}{}
		mu.Unlock()
		wg.Go(func() {
			c.serve()
			mu.Lock()
			delete(open, c)
			mu.Unlock()
		})
	}
	conns(func(c *tcpConn) {
		if c.idle.Load() {
			c.nc.Close()
		}
	})
	grace := time.AfterFunc(stopGrace, func() {
		kill()
		conns(func(c *tcpConn) { c.nc.Close() })
	})
	wg.Wait()
	grace.Stop()
	return err
}

// tcpConn is a client of the native protocol and its session.
type tcpConn struct {
	front
	nc         net.Conn
	serving    context.Context // ends when the server stops
	statements context.Context // ends when statements must end
	idle       atomic.Bool     // waits for the next packet between two statements

	in       wire
	frames   *frame.Reader // unpacks compressed blocks from in
	out      packet
	w        *bufio.Writer
	packed   *frame.Writer // packs into out; nil if the statement's blocks are not compressed
	revision int
	s        *session
}

func (f front) newConn(nc net.Conn, serving, statements context.Context) *tcpConn {
	in := wire{bufio.NewReaderSize(nc, 64<<10)}
	return &tcpConn{front: f, nc: nc, serving: serving, statements: statements,
		in: in, frames: frame.NewReader(in), w: bufio.NewWriterSize(nc, 64<<10)}
}

// serve runs the connection until the client leaves, breaks the protocol, or the server stops.
func (c *tcpConn) serve() {
	defer c.nc.Close()
	defer c.frames.Close()
	defer func() {
		if c.s != nil {
			c.s.Close()
		}
	}()
	// As net/http does: a mistake of ours in reading what one client sent is not worth the process.
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("a connection failed", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	err := c.greet()
	for err == nil {
		err = c.next()
	}
	if !errors.Is(err, io.EOF) && c.serving.Err() == nil {
		c.log.Info("a connection was closed", "protocol", "tcp",
			"remote", c.nc.RemoteAddr().String(), "why", err)
	}
}

// flush sends what was put together.
func (c *tcpConn) flush() error {
	if _, err := c.w.Write(c.out); err != nil {
		return err
	}
	c.out = c.out[:0]
	return c.w.Flush()
}

// greet exchanges hellos and opens the session.
func (c *tcpConn) greet() error {
	_ = c.nc.SetDeadline(time.Now().Add(helloTimeout))
	code, err := c.in.uvarint()
	if err != nil {
		return err
	}
	if code != clientHello {
		return fmt.Errorf("packet %d where a hello should be", code)
	}
	h, err := c.in.hello()
	if err != nil {
		return err
	}
	if h.revision < revision {
		return c.refuse(exception(codeNotImplemented,
			"the client's protocol revision %d is too old; %d is needed", h.revision, revision))
	}
	c.revision = revision
	if err := c.access.check(h.user, h.password); err != nil {
		c.log.Warn("wrong credentials", "protocol", "tcp", "remote", c.nc.RemoteAddr().String())
		return c.refuse(err)
	}
	if c.s, err = c.engine.open(h.database); err != nil {
		return c.refuse(err)
	}
	var major, minor, patch uint64
	_, _ = fmt.Sscanf(c.engine.version, "%d.%d.%d", &major, &minor, &patch)
	c.out.uvarint(serverHello)
	c.out.string("ClickHouse")
	c.out.uvarint(major)
	c.out.uvarint(minor)
	c.out.uvarint(revision)
	c.out.string("UTC")
	c.out.string(c.engine.name)
	c.out.uvarint(patch)
	if err := c.flush(); err != nil {
		return err
	}
	_, err = c.in.string(maxHelloString) // a quota key
	_ = c.nc.SetDeadline(time.Time{})
	return err
}

// refuse tells the client why its connection ends.
func (c *tcpConn) refuse(err error) error {
	c.exception(err)
	_ = c.flush()
	return err
}

// next waits for a packet and answers it.
func (c *tcpConn) next() error {
	_ = c.nc.SetReadDeadline(time.Now().Add(idleTimeout))
	c.idle.Store(true)
	// serveTCP closes idle connections after serving has ended: either it saw that this one is
	// idle, or this sees that serving has ended.
	if err := c.serving.Err(); err != nil {
		return err
	}
	code, err := c.in.uvarint()
	if err != nil {
		return err
	}
	c.idle.Store(false)
	_ = c.nc.SetReadDeadline(time.Time{})
	switch code {
	case clientPing:
		c.out.uvarint(serverPong)
	case clientCancel: // of a statement that has ended
	case clientQuery:
		q, err := c.in.query(c.limits.QueryBytes)
		if err != nil {
			return err
		}
		if err := c.statement(q); err != nil {
			return err
		}
	default:
		return fmt.Errorf("packet %d where a query should be", code)
	}
	return c.flush()
}

// exception puts an exception into the answer; the connection stays usable.
func (c *tcpConn) exception(err error) {
	ex := asException(err)
	c.out.uvarint(serverException)
	c.out.uint32(uint32(ex.Code))
	c.out.string("DB::Exception")
	c.out.string(ex.Text)
	c.out.string("") // no stack
	c.out.byte(0)    // no nested exception
}

// watch returns a context that ends when the client cancels or leaves while its statement runs;
// the protocol lets it say nothing else then. The caller must call stop before it reads on.
func (c *tcpConn) watch() (watched context.Context, stop func()) {
	watched, cancel := context.WithCancel(c.statements)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := c.in.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel()
		}
	}()
	return watched, func() {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes Peek
		<-done
		_ = c.nc.SetReadDeadline(time.Time{})
		cancel()
	}
}
