package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// wire reads the native protocol's numbers and strings. It allocates nothing on a client's word: a
// string's memory comes with its bytes.
type wire struct{ *bufio.Reader }

func (w wire) uvarint() (uint64, error) { return binary.ReadUvarint(w) }

// string reads a string of at most max bytes.
func (w wire) string(max int) (string, error) {
	n, err := w.uvarint()
	if err != nil {
		return "", inside(err)
	}
	if n > uint64(max) {
		return "", fmt.Errorf("a string of %d bytes where at most %d are taken", n, max)
	}
	var b strings.Builder
	if _, err := io.CopyN(&b, w, int64(n)); err != nil {
		return "", inside(err)
	}
	return b.String(), nil
}

// skip passes over fields: 's' a string, 'v' a number, '1' a byte, '8' eight bytes.
func (w wire) skip(fields string) error {
	for _, f := range fields {
		var err error
		switch f {
		case 's':
			_, err = w.string(maxQueryString)
		case 'v':
			_, err = w.uvarint()
		case '1':
			_, err = w.Discard(1)
		case '8':
			_, err = w.Discard(8)
		}
		if err != nil {
			return inside(err)
		}
	}
	return nil
}

// inside marks an end of input in the middle of a packet.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

type hello struct {
	revision                 uint64
	database, user, password string
}

func (w wire) hello() (h hello, err error) {
	if _, err = w.string(maxHelloString); err != nil { // the client's name
		return h, err
	}
	if err = w.skip("vv"); err != nil { // its version
		return h, err
	}
	if h.revision, err = w.uvarint(); err != nil {
		return h, inside(err)
	}
	for _, s := range []*string{&h.database, &h.user, &h.password} {
		if *s, err = w.string(maxHelloString); err != nil {
			return h, err
		}
	}
	return h, nil
}

type query struct {
	text       string
	compressed bool
	settings   []pair
	params     []param
}

// query reads a query packet of this package's revision.
func (w wire) query(maxText int) (q query, err error) {
	if err = w.skip("s"); err != nil { // query id
		return q, err
	}
	if err = w.clientInfo(); err != nil {
		return q, err
	}
	if q.settings, err = w.settings(); err != nil {
		return q, err
	}
	if err = w.skip("sv"); err != nil { // a secret between servers, the stage
		return q, err
	}
	compression, err := w.uvarint()
	if err != nil {
		return q, inside(err)
	}
	q.compressed = compression != 0
	if q.text, err = w.string(maxText); err != nil {
		return q, err
	}
	params, err := w.settings()
	for _, p := range params {
		q.params = append(q.params, param{Name: p.name, Value: unquoteDump(p.value)})
	}
	return q, err
}

func (w wire) clientInfo() error {
	kind, err := w.ReadByte()
	if err != nil {
		return inside(err)
	}
	if kind == 0 { // none
		return nil
	}
	if err := w.skip("sss8"); err != nil { // initial user, query, address, time
		return err
	}
	over, err := w.ReadByte()
	if err != nil {
		return inside(err)
	}
	if over != 1 {
		return fmt.Errorf("client info of interface %d where TCP should be", over)
	}
	// OS user, host, client, its version and revision; quota key, depth, patch
	if err := w.skip("sssvvv" + "svv"); err != nil {
		return err
	}
	traced, err := w.ReadByte()
	if err != nil {
		return inside(err)
	}
	if traced != 0 { // trace, span, state, flags
		if err := w.skip("88" + "8" + "s1"); err != nil {
			return err
		}
	}
	return w.skip("vvv") // parallel replicas
}

// settings reads names and values up to an empty name.
func (w wire) settings() (list []pair, err error) {
	for {
		name, err := w.string(maxQueryString)
		if err != nil || name == "" {
			return list, err
		}
		if len(list) == maxSettings {
			return nil, fmt.Errorf("more than %d settings", maxSettings)
		}
		if err := w.skip("v"); err != nil { // flags
			return nil, err
		}
		value, err := w.string(maxSetting)
		if err != nil {
			return nil, err
		}
		list = append(list, pair{name, value})
	}
}

// unquoteDump undoes the quotes in which parameters travel; the escapes of the parameter's own text
// stay.
func unquoteDump(s string) string {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return s
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case '0':
			b.WriteByte(0)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// packet puts an answer together.
type packet []byte

func (p *packet) byte(b byte)      { *p = append(*p, b) }
func (p *packet) uvarint(v uint64) { *p = binary.AppendUvarint(*p, v) }
func (p *packet) uint32(v uint32)  { *p = binary.LittleEndian.AppendUint32(*p, v) }

func (p *packet) string(s string) {
	p.uvarint(uint64(len(s)))
	*p = append(*p, s...)
}

// Write makes a packet the target of a frame.Writer.
func (p *packet) Write(b []byte) (int, error) {
	*p = append(*p, b...)
	return len(b), nil
}
