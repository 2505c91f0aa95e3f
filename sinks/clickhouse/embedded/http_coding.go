package embedded

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"quell/sinks/clickhouse/embedded/internal/frame"
)

// openBody prepares x.body: what the client sends, without its Content-Encoding, without the frames
// that decompress=1 announces, and bounded.
func (x *exchange) openBody() (closeBody func(), err error) {
	body, closeBody, err := decode(x.r.Header.Get("Content-Encoding"), x.r.Body)
	if err != nil {
		return nil, err
	}
	if x.params.Get("decompress") == "1" {
		frames := frame.NewReader(body)
		inner := closeBody
		body, closeBody = frames, func() { frames.Close(); inner() }
	}
	body = &boundedReader{src: body, left: x.limits.BodyBytes, bound: x.limits.BodyBytes}
	x.body = bufio.NewReaderSize(body, 64<<10)
	return closeBody, nil
}

// decode undoes a Content-Encoding. Brotli is not among them: its kept decoder (v1.2.8) refuses a
// stream whose last byte comes alone.
func decode(encoding string, body io.Reader) (decoded io.Reader, closeBody func(), err error) {
	closeBody = func() {}
	switch encoding {
	case "", "identity":
		return body, closeBody, nil
	case "gzip":
		decoded, err = gzip.NewReader(body)
	case "deflate":
		decoded, err = zlib.NewReader(body)
	case "zstd":
		d, zerr := zstd.NewReader(body, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(64<<20))
		if zerr != nil {
			return nil, nil, zerr
		}
		return d, d.Close, nil
	default:
		return nil, nil, exception(codeNotImplemented, "Content-Encoding %q; gzip, deflate and"+
			" zstd are taken", encoding)
	}
	if err != nil {
		return nil, nil, exception(codeIncorrectData, "a body that is not %s: %v", encoding, err)
	}
	return decoded, closeBody, nil
}

// boundedReader fails, where io.LimitReader would silently end.
type boundedReader struct {
	src         io.Reader
	left, bound int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, exception(codeTooManyBytes, "a body of more than %d bytes", b.bound)
	}
	return n, err
}

// openAnswer sends the status and returns what packs the answer as the client asked: compress=1 for
// frames, enable_http_compression=1 for a Content-Encoding.
func (x *exchange) openAnswer() io.WriteCloser {
	if x.params.Get("compress") == "1" {
		zstd := strings.EqualFold(x.params.Get("network_compression_method"), "ZSTD")
		return keepOpen{frame.NewWriter(x.w, zstd)}
	}
	if x.params.Get("enable_http_compression") == "1" {
		accepted := x.r.Header.Get("Accept-Encoding")
		switch {
		case strings.Contains(accepted, "gzip"):
			x.head("Content-Encoding", "gzip")
			return gzip.NewWriter(x.w)
		case strings.Contains(accepted, "deflate"):
			x.head("Content-Encoding", "deflate")
			return zlib.NewWriter(x.w)
		}
	}
	return keepOpen{x.w}
}

// keepOpen is a writer that needs no end.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
