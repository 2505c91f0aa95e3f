package clickhouse

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestBody(t *testing.T) {
	large := bytes.Repeat([]byte("abcdefg"), sending/4)
	pieces := func() *body { return &body{rest: [][]byte{[]byte("x"), large, []byte("yz"), large}} }
	want := bytes.Join(pieces().rest, nil)
	var written bytes.Buffer
	if n, err := io.Copy(&written, pieces()); err != nil || n != int64(len(want)) || !bytes.Equal(written.Bytes(), want) {
		t.Errorf("written as a whole: %d bytes, %v; want %d", n, err, len(want))
	}
	read, err := io.ReadAll(struct{ io.Reader }{pieces()})
	if err != nil || !bytes.Equal(read, want) {
		t.Errorf("read: %d bytes, %v; want %d", len(read), err, len(want))
	}
}

// What is still being sent when an insert has ended is a copy: the memory of its pieces may be used
// for other rows.
func TestBodyEnds(t *testing.T) {
	piece := bytes.Repeat([]byte{1}, 3*sending)
	b := &body{rest: [][]byte{piece}}
	reused := writer(func(p []byte) (int, error) {
		b.end()
		for i := range piece {
			piece[i] = 2
		}
		if i := bytes.IndexByte(p, 2); i >= 0 {
			t.Errorf("byte %d of what is being sent is another insert's", i)
		}
		return len(p), nil
	})
	if n, err := b.WriteTo(reused); !errors.Is(err, errEnded) || n != sending {
		t.Errorf("%d bytes, %v; want %d and %v", n, err, sending, errEnded)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
