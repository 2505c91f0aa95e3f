// Package load reads files of events for `quell produce` and `quell try`: JSON lines or CSV, plain
// or gzip, and puts them in the order of their times.
//
// A [Reader] yields the lines of one file, in the file's order. A line of a CSV file becomes a JSON
// object of strings under the names of its header; what cannot be read as CSV is passed on as it
// stands, so that it is rejected by the pipeline, with a reason and a position, and not by the
// loader, in silence. Blank lines of a CSV file are no records; of a JSON lines file they are.
//
// A [Plan] holds the lines of several files in the order of the events' times, ties in the order
// of the files. It keeps everything in memory: a file is as long as it is. A line that the topic's
// format rejects has no time; it goes with the line before it.
package load

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine bounds one line; a longer one is an error of the file, not of an event.
const maxLine = 64 << 20

// Line is one event as the file has it.
type Line struct {
	Number int    // 1-based; a CSV header is line 1
	Value  []byte // JSON, or whatever stood there; valid until the next call
}

// Reader yields the lines of one file.
type Reader struct {
	next  func() (Line, error)
	close func() error
	taken *counted
}

// counted counts the bytes that were read from a file, compressed if it is.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// Open opens a file, or standard input for "-". Compression is told by the content; CSV by the
// name (.csv, .csv.gz) or, for standard input, by a first byte that begins no JSON object.
func Open(name string, stdin io.Reader) (*Reader, error) {
	if name == "-" {
		return newReader(name, stdin, func() error { return nil })
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := newReader(name, f, f.Close)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func newReader(name string, src io.Reader, closing func() error) (*Reader, error) {
	taken := &counted{Reader: src}
	b := bufio.NewReaderSize(taken, 1<<20)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b = bufio.NewReaderSize(z, 1<<20)
	}
	r := &Reader{close: closing, taken: taken}
	if isCSV(name, b) {
		c, err := newCSV(name, b)
		if err != nil {
			return nil, err
		}
		r.next = c.next
		return r, nil
	}
	r.next = (&lines{name: name, r: b}).next
	return r, nil
}

func isCSV(name string, b *bufio.Reader) bool {
	plain := strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch {
	case strings.HasSuffix(plain, ".csv"):
		return true
	case strings.HasSuffix(plain, ".json"), strings.HasSuffix(plain, ".jsonl"),
		strings.HasSuffix(plain, ".ndjson"), strings.HasSuffix(plain, ".log"):
		return false
	}
	first, _ := b.Peek(1)
	return len(first) == 1 && first[0] != '{' && first[0] != '\n'
}

// Next returns the next line, or io.EOF.
func (r *Reader) Next() (Line, error) { return r.next() }

// Taken returns how many bytes of the file were read so far, as they stand there: compressed if it
// is. It runs ahead of the lines by what is buffered.
func (r *Reader) Taken() int64 { return r.taken.n }

// Close closes the file.
func (r *Reader) Close() error { return r.close() }

// lines yields JSON lines.
type lines struct {
	name   string
	r      *bufio.Reader
	number int
	long   []byte
}

func (l *lines) next() (Line, error) {
	l.number++
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if err == nil && len(l.long) == 0 {
			return Line{l.number, trimEnd(part)}, nil
		}
		l.long = append(l.long, part...)
		switch {
		case err == nil, err == io.EOF && len(l.long) > 0:
			return Line{l.number, trimEnd(l.long)}, nil
		case err == io.EOF:
			return Line{}, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return Line{}, fmt.Errorf("%s:%d: %w", l.name, l.number, err)
		case len(l.long) > maxLine:
			return Line{}, fmt.Errorf("%s:%d: a line of more than %d bytes", l.name, l.number, maxLine)
		}
	}
}

func trimEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// csvLines yields the records of a CSV file as JSON objects.
type csvLines struct {
	name   string
	r      *csv.Reader
	names  [][]byte // of the columns, as JSON members: "name":
	raw    bytes.Buffer
	base   int64 // input offset of raw's first byte
	number int
	value  []byte
}

func newCSV(name string, src io.Reader) (*csvLines, error) {
	c := &csvLines{name: name, number: 1}
	c.r = csv.NewReader(io.TeeReader(src, &c.raw))
	c.r.FieldsPerRecord, c.r.ReuseRecord = -1, true
	header, err := c.r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: no CSV header: %w", name, err)
	}
	for _, column := range header {
		member := append(appendQuoted(nil, strings.TrimPrefix(column, "\ufeff")), ':')
		c.names = append(c.names, member)
	}
	return c, nil
}

func (c *csvLines) next() (Line, error) {
	start := c.r.InputOffset()
	fields, err := c.r.Read()
	if err == io.EOF {
		return Line{}, io.EOF
	}
	var bad *csv.ParseError
	if err != nil && !errors.As(err, &bad) {
		return Line{}, fmt.Errorf("%s:%d: %w", c.name, c.number+1, err)
	}
	raw := c.take(start, c.r.InputOffset())
	if bad != nil {
		c.number = bad.StartLine
		c.value = append(c.value[:0], bytes.TrimRight(raw, "\r\n")...)
		return Line{c.number, c.value}, nil
	}
	c.number, _ = c.r.FieldPos(0)
	c.value = append(c.value[:0], '{')
	for i, f := range fields {
		if i > 0 {
			c.value = append(c.value, ',')
		}
		if i < len(c.names) {
			c.value = append(c.value, c.names[i]...)
		} else {
			c.value = fmt.Appendf(c.value, `"column_%d":`, i+1)
		}
		c.value = appendQuoted(c.value, f)
	}
	c.value = append(c.value, '}')
	return Line{c.number, c.value}, nil
}

// take returns the input between two offsets and forgets what lies before the second.
func (c *csvLines) take(from, to int64) []byte {
	c.raw.Next(int(from - c.base))
	c.base = to
	return c.raw.Next(int(to - from))
}

// appendQuoted appends s as a JSON string. Bytes that are no UTF-8 are passed on as they are: the
// pipeline rejects them and says where.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch b := s[i]; {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
