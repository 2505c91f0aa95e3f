package clickhouse

import (
	"errors"
	"io"
	"sync"
)

// body is the body of an insert: a block's pieces, one after the other.
//
// After an error the connection may still be sending for a moment, and the pieces lie in memory that
// the next block, or the next records, will use: bytes of others must not get into an insert. So
// whatever is sent is a copy, and after end there is nothing more to copy.
type body struct {
	mu    sync.Mutex
	rest  [][]byte
	ended bool
}

// sending is how many bytes are sent at a time.
const sending = 256 << 10

var errEnded = errors.New("clickhouse: the insert has ended")

// Read copies what comes next.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errEnded
	}
	for n < len(p) && len(b.rest) > 0 {
		k := copy(p[n:], b.rest[0])
		n += k
		if b.rest[0] = b.rest[0][k:]; len(b.rest[0]) == 0 {
			b.rest = b.rest[1:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo writes everything to w. The connections use it; by themselves they would send an eighth at a
// time.
func (b *body) WriteTo(w io.Writer) (written int64, err error) {
	p := make([]byte, sending)
	for {
		n, err := b.Read(p)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err = w.Write(p[:n])
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// end makes all that comes later fail.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended, b.rest = true, nil
}
