package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// raw builds what a client of the native protocol sends, right or wrong.
type raw struct{ packet }

func (r *raw) hello(name string) *raw {
	r.uvarint(clientHello)
	r.string(name)
	r.uvarint(1)
	r.uvarint(1)
	r.uvarint(revision)
	r.string("default")
	r.string("default")
	r.string("")
	r.string("") // quota key
	return r
}

// query appends a query packet and the empty block behind it.
func (r *raw) query(text string, compressed bool) *raw {
	r.uvarint(clientQuery)
	r.string("")
	r.byte(0)    // no client info
	r.string("") // no settings
	r.string("") // no secret
	r.uvarint(2)
	r.uvarint(map[bool]uint64{true: 1}[compressed])
	r.string(text)
	r.string("") // no parameters
	return r
}

func (r *raw) data(block ...byte) *raw {
	r.uvarint(clientData)
	r.string("")
	r.packet = append(r.packet, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0) // block info
	r.packet = append(r.packet, block...)
	return r
}

func (r *raw) bytes(b ...byte) *raw {
	r.packet = append(r.packet, b...)
	return r
}

// column is a block of one column of rows, as far as its values.
func oneColumn(rows uint64, typ string, values ...byte) []byte {
	var p packet
	p.uvarint(1)
	p.uvarint(rows)
	p.string("c")
	p.string(typ)
	p.byte(0)
	return append(p, values...)
}

func u64s(values ...uint64) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// badIndex is a dictionary of one key and a row that is its tenth.
func badIndex() []byte {
	b := append(u64s(1, 1<<9, 1), 1, 'a') // keys' form, form, number of keys, the key
	return append(append(b, u64s(1)...), 9)
}

func endlessType() string {
	return strings.Repeat("Array(", 5000) + "UInt8" + strings.Repeat(")", 5000)
}

const insertHostile = "INSERT INTO hostile (c) VALUES"

func inserting(block []byte) []byte {
	return new(raw).hello("x").query(insertHostile, false).data(0, 0).data(block...).packet
}

func compressedBlock(frame []byte) []byte {
	r := new(raw).hello("x").query(insertHostile, true)
	r.uvarint(clientData)
	r.string("")
	empty := framedBytes(compress.LZ4, []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0})
	r.bytes(empty...)
	r.uvarint(clientData)
	r.string("")
	return r.bytes(frame...).packet
}

func framedBytes(method compress.Method, data []byte) []byte {
	w := compress.NewWriter(0, method)
	if err := w.Compress(data); err != nil {
		panic(err)
	}
	return w.Data
}

// Each of these ends its connection, and nothing else.
func TestBrokenPackets(t *testing.T) {
	srv := start(t, Options{})
	c := srv.open(ways[0])
	must(t, c.Exec(t.Context(), "CREATE TABLE hostile (c String) ENGINE = MergeTree ORDER BY c"))
	huge := binary.AppendUvarint(nil, 1<<62)
	noise := make([]byte, 4096)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	badSum := framedBytes(compress.LZ4, bytes.Repeat([]byte("x"), 100))
	badSum[0]++
	flagless := oneColumn(1, "String")
	special := append(flagless[:len(flagless)-1:len(flagless)-1], 1)
	behind := append([]byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0},
		oneColumn(1, "String", 1, 'x', 1, 2, 3)...)
	tests := map[string][]byte{
		"nothing":                   {},
		"half a hello":              new(raw).hello("x").packet[:5],
		"HTTP":                      []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":                       {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"a name of 4 EiB":           append([]byte{clientHello}, huge...),
		"a name of 1 MiB":           new(raw).hello(strings.Repeat("x", 1<<20)).packet,
		"a number without an end":   bytes.Repeat([]byte{0xff}, 64),
		"an unknown packet":         new(raw).hello("x").bytes(77).packet,
		"noise":                     noise,
		"noise after the hello":     new(raw).hello("x").bytes(noise...).packet,
		"a query of 4 EiB":          new(raw).hello("x").bytes(clientQuery).bytes(huge...).packet,
		"half a query":              new(raw).hello("x").bytes(clientQuery, 0, 0, 0).packet,
		"a query without its block": new(raw).hello("x").query("SELECT 1", false).packet,
		"a query, then another":     new(raw).hello("x").query("SELECT 1", false).bytes(1).packet,
		"a block info that is none": new(raw).hello("x").query("SELECT 1", false).
			bytes(2, 0, 9).packet,

		"4 E columns":                inserting(append(huge, 1)),
		"4 E rows":                   inserting(append([]byte{1}, huge...)),
		"20,000 columns":             inserting(binary.AppendUvarint(nil, 20_000)),
		"a claim of 16 M rows":       inserting(oneColumn(1<<24, "UInt64")),
		"a string of 4 EiB":          inserting(oneColumn(1, "String", huge...)),
		"a string of 1 GiB, claimed": inserting(oneColumn(1, "String", 0x9c, 0xff, 0xff, 0xff, 3)),
		"an array of 4 E":            inserting(oneColumn(1, "Array(UInt64)", u64s(1<<62)...)),
		"an array that goes back":    inserting(oneColumn(2, "Array(UInt8)", u64s(5, 1)...)),
		"a map of one type":          inserting(oneColumn(1, "Map(String)", u64s(1)...)),
		"a string of no size":        inserting(oneColumn(1, "FixedString(-1)", 1)),
		"a string of all sizes":      inserting(oneColumn(1<<20, "FixedString(99999999999)", 1)),
		"types without an end":       inserting(oneColumn(1, endlessType(), 1)),
		"a dictionary out of bounds": inserting(oneColumn(1, "LowCardinality(String)",
			badIndex()...)),
		"a dictionary of odd width": inserting(oneColumn(1, "LowCardinality(String)",
			u64s(1, 1<<9|200, 1)...)),
		"a dictionary of other rows": inserting(oneColumn(1, "LowCardinality(UInt8)",
			u64s(1, 1<<9, 0, 1<<60)...)),
		"a special serialisation": inserting(special),
		"a state of an aggregate": inserting(oneColumn(1, "AggregateFunction(uniq, UInt64)", 1)),

		"a frame of 4 GiB": compressedBlock(append(make([]byte, 16), 0x82,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
		"a frame of the wrong sum": compressedBlock(badSum),
		"a frame of no known method": compressedBlock(append(make([]byte, 16), 0x11,
			10, 0, 0, 0, 1, 0, 0, 0, 0)),
		"bytes behind a packed block": compressedBlock(framedBytes(compress.ZSTD, behind)),
	}
	// What could still become something is only broken when no more comes.
	unfinished := map[string]bool{"nothing": true, "half a hello": true, "half a query": true,
		"a query without its block": true, "a claim of 16 M rows": true,
		"a string of 1 GiB, claimed": true, "20,000 columns": true, "noise": true,
		"noise after the hello": true}
	for name, sent := range tests {
		nc, err := net.Dial("tcp", srv.TCPAddr())
		must(t, err)
		go func() {
			_, _ = nc.Write(sent) // the server may close before it has read all
			if unfinished[name] {
				_ = nc.(*net.TCPConn).CloseWrite()
			}
		}()
		must(t, nc.SetReadDeadline(time.Now().Add(20*time.Second)))
		if _, err := io.Copy(io.Discard, nc); err != nil && strings.Contains(err.Error(),
			"timeout") {
			t.Errorf("%s: the connection stays open", name)
		}
		nc.Close()
		must(t, c.Ping(t.Context()))
	}
	if n := count(t, c, "SELECT count() FROM hostile"); n != 0 {
		t.Errorf("%d rows came in", n)
	}
}

// Over HTTP rows go to the engine unseen; it must refuse these itself.
func TestBrokenRowsOverHTTP(t *testing.T) {
	srv := start(t, Options{Limits: Limits{BodyBytes: 1 << 20, QueryBytes: 10_000}})
	c := srv.open(ways[3])
	must(t, c.Exec(t.Context(), "CREATE TABLE hostile (c String) ENGINE = MergeTree ORDER BY c"))
	block := func(rows uint64, typ string, values ...byte) []byte { // revision 0 has no flag byte
		b := oneColumn(rows, typ, values...)
		at := len(b) - len(values) - 1
		return append(b[:at:at], values...)
	}
	for name, body := range map[string][]byte{
		"noise":           {0xff, 0xfe, 7, 7, 7},
		"half a block":    block(1, "String", 200, 'x'),
		"4 E rows":        binary.AppendUvarint([]byte{1}, 1<<62),
		"an unknown type": block(1, "Nothing(String", 1),
		"an array that goes back": block(2, "Array(UInt8)", append(u64s(5, 1), 1, 2, 3, 4,
			5)...),
		"an array of 4 E":            block(1, "Array(UInt8)", u64s(1<<62)...),
		"a dictionary out of bounds": block(1, "LowCardinality(String)", badIndex()...),
		"types without an end":       block(1, endlessType(), 1),
		"more than BodyBytes": block(1, "String", append(binary.AppendUvarint(nil, 2<<20),
			make([]byte, 2<<20)...)...),
	} {
		for how, settings := range map[string]clickhouse.Settings{"plain": {},
			"framed": {"decompress": 1}} {
			if how == "framed" {
				body = framedBytes(compress.ZSTD, body)
			}
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(settings))
			err := c.InsertFormat(ctx, "Native", "INSERT INTO hostile", bytes.NewReader(body))
			if err == nil {
				t.Errorf("%s, %s: taken", name, how)
			}
			must(t, c.Ping(t.Context()))
		}
	}
	if n := count(t, c, "SELECT count() FROM hostile"); n != 0 {
		t.Errorf("%d rows came in", n)
	}
	long := "SELECT '" + strings.Repeat("x", 10_000) + "'"
	if status, text, _ := srv.ask("POST", nil, strings.NewReader(long), nil); status != 413 {
		t.Errorf("a long statement: %d %.100s", status, text)
	}
}

func TestTooManyConnections(t *testing.T) {
	srv := start(t, Options{Limits: Limits{Connections: 3}})
	var open []net.Conn
	for range 3 {
		nc, err := net.Dial("tcp", srv.TCPAddr())
		must(t, err)
		defer nc.Close()
		_, err = nc.Write(new(raw).hello("x").packet)
		must(t, err)
		must(t, nc.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err = nc.Read(make([]byte, 1)) // the answer: it is in
		must(t, err)
		open = append(open, nc)
	}
	for _, w := range protocols {
		if err := srv.open(w).Ping(t.Context()); err == nil {
			t.Errorf("%v: a fourth connection", w)
		}
	}
	for _, nc := range open {
		nc.Close()
	}
	for _, w := range protocols {
		c := srv.open(w)
		waitFor(t, fmt.Sprint(w, " finds a place"),
			func() bool { return c.Ping(t.Context()) == nil })
	}
}

func newWire(sent []byte) wire { return wire{bufio.NewReader(bytes.NewReader(sent))} }
