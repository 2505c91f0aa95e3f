package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// nativeBlock encodes rows [from, to) of (n UInt64, s LowCardinality(String), m Map(...)).
func nativeBlock(t testing.TB, from, to uint64) []byte {
	t.Helper()
	var n proto.ColUInt64
	s := new(proto.ColStr).LowCardinality()
	m := proto.NewMap(new(proto.ColStr).LowCardinality(), new(proto.ColStr))
	for i := from; i < to; i++ {
		n.Append(i)
		s.Append(fmt.Sprint("s", i%10))
		m.Append(map[string]string{"k": "\n\n"}) // an empty line, which text inserts end at
	}
	input := proto.Input{{Name: "n", Data: n}, {Name: "s", Data: s}, {Name: "m", Data: m}}
	var buf proto.Buffer
	block := proto.Block{Rows: int(to - from), Columns: len(input)}
	if err := block.EncodeRawBlock(&buf, 0, input); err != nil {
		t.Fatal(err)
	}
	return buf.Buf
}

func framed(t *testing.T, method compress.Method, data []byte) []byte {
	t.Helper()
	w := compress.NewWriter(0, method)
	must(t, w.Compress(data))
	return w.Data
}

const blockTable = "CREATE TABLE %s (n UInt64, s LowCardinality(String), m" +
	" Map(LowCardinality(String)," +
	" String)) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"

func tokened(t *testing.T, token string, more clickhouse.Settings) clickhouse.Settings {
	t.Helper()
	s := clickhouse.Settings{"insert_deduplication_token": token, "async_insert": 0}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// The way that quell's archive inserts: bytes built once, several blocks in a body, a token that
// makes a repeat harmless.
func TestInsertFormatNative(t *testing.T) {
	srv := start(t, Options{})
	two := append(nativeBlock(t, 0, 1000), nativeBlock(t, 1000, 1500)...)
	for _, test := range []struct {
		name string
		way  way
		body []byte
	}{
		{"plain", ways[3], two},
		{"gzip body", ways[6], two},
		{"deflate body", ways[7], two},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := srv.open(test.way)
			table := "native_" + strings.NewReplacer(" ", "_", ",", "").Replace(test.name)
			must(t, c.Exec(t.Context(), fmt.Sprintf(blockTable, table)))
			insert := func(token string) {
				ctx := clickhouse.Context(t.Context(),
					clickhouse.WithSettings(tokened(t, token, nil)))
				must(t, c.InsertFormat(ctx, "Native", "INSERT INTO "+table+" (n, s, m)",
					bytes.NewReader(test.body)))
			}
			insert("raw:3:0-1499")
			insert("raw:3:0-1499")
			if n := count(t, c, "SELECT count() FROM "+table); n != 1500 {
				t.Errorf("%d rows after a repeat, want 1500", n)
			}
			sum := count(t, c, "SELECT sum(n) FROM "+table+" WHERE m['k'] = '\\n\\n'")
			if sum != 1499*1500/2 {
				t.Errorf("sum %d", sum)
			}
			insert("raw:3:1500-2999")
			if n := count(t, c, "SELECT count() FROM "+table); n != 3000 {
				t.Errorf("%d rows after another token, want 3000", n)
			}
		})
	}
}

// ClickHouse's own frames around a body, by plain HTTP: clickhouse-go would set decompress for the
// first query of a new connection too, whose body has no frames.
func TestFramedBody(t *testing.T) {
	srv := start(t, Options{})
	c := srv.open(ways[3])
	for name, body := range map[string][]byte{
		"lz4":  framed(t, compress.LZ4, append(nativeBlock(t, 0, 1000), nativeBlock(t, 1000, 1500)...)),
		"zstd": append(framed(t, compress.ZSTD, nativeBlock(t, 0, 1000)), framed(t, compress.ZSTD, nativeBlock(t, 1000, 1500))...),
	} {
		must(t, c.Exec(t.Context(), fmt.Sprintf(blockTable, "framed_"+name)))
		params := sql("INSERT INTO framed_" + name + " (n, s, m) FORMAT Native")
		params.Set("decompress", "1")
		if status, text, _ := srv.ask("POST", params, bytes.NewReader(body), nil); status != 200 {
			t.Fatalf("%s: %d %s", name, status, text)
		}
		if n := count(t, c, "SELECT count() FROM framed_"+name); n != 1500 {
			t.Errorf("%s: %d rows, want 1500", name, n)
		}
	}
}

// Two blocks of a body are two blocks in the engine, not one and not three.
func TestBlocksArriveAsTheyAre(t *testing.T) {
	srv := start(t, Options{})
	c := srv.open(ways[3])
	must(t, c.Exec(t.Context(), fmt.Sprintf(blockTable, "blocks")))
	body := append(nativeBlock(t, 0, 700), nativeBlock(t, 700, 1000)...)
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{
		"min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0, "async_insert": 0,
		"optimize_on_insert": 0}))
	must(t, c.Exec(t.Context(), "SYSTEM STOP MERGES blocks"))
	must(t, c.InsertFormat(ctx, "Native", "INSERT INTO blocks", bytes.NewReader(body)))
	var sizes []uint64
	must(t, c.QueryRow(t.Context(), "SELECT arraySort(groupArray(rows)) FROM system.parts WHERE"+
		" active AND table = 'blocks'").Scan(&sizes))
	if fmt.Sprint(sizes) != "[300 700]" {
		t.Errorf("parts of %v rows, want [300 700]", sizes)
	}
}

func TestTokensOverPrepareBatch(t *testing.T) {
	srv := start(t, Options{})
	each(t, ways, func(t *testing.T, w way) {
		c := srv.open(w)
		table := "batch_" + strings.ReplaceAll(w.String(), "/", "_")
		must(t, c.Exec(t.Context(), fmt.Sprintf(blockTable, table)))
		send := func(token string) {
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(tokened(t, token, nil)))
			b, err := c.PrepareBatch(ctx, "INSERT INTO "+table+" (n, `s`)")
			must(t, err)
			for i := range 10 {
				must(t, b.Append(uint64(i), "x"))
			}
			must(t, b.Send())
		}
		send("a")
		send("a")
		send("b")
		if n := count(t, c, "SELECT count() FROM "+table); n != 20 {
			t.Errorf("%d rows, want 20", n)
		}
	})
}

func TestOtherInserts(t *testing.T) {
	srv := start(t, Options{})
	c := srv.open(ways[3])
	tcp := srv.open(ways[0])
	must(t, c.Exec(t.Context(), "CREATE TABLE other (a UInt64, b String DEFAULT concat('d',"+
		" toString(a)))"+
		" ENGINE = MergeTree ORDER BY a"))
	for _, test := range []struct {
		name   string
		insert func() error
		want   string // rows as a TSV, in order
	}{
		{"values in the text, HTTP", func() error {
			return c.Exec(t.Context(), "INSERT INTO other VALUES (1, 'format'), (1 + 1, 'x; y')")
		}, "1 format|2 x; y"},
		{"values in the text, TCP", func() error {
			return tcp.Exec(t.Context(), "INSERT INTO other (a, b) VALUES (1, 'values')")
		}, "1 values"},
		{"from a query", func() error {
			return tcp.Exec(t.Context(), "INSERT INTO other (a) SELECT number FROM numbers(2)")
		}, "0 d0|1 d1"},
		{"from a query in parentheses", func() error {
			return c.Exec(t.Context(), "INSERT INTO other (a) (SELECT 5)")
		}, "5 d5"},
		{"from a query with WITH", func() error {
			return tcp.Exec(t.Context(), "INSERT INTO other (a) WITH 6 AS six SELECT six")
		}, "6 d6"},
		{"CSV", func() error {
			return c.InsertFormat(t.Context(), "CSV", "INSERT INTO other",
				strings.NewReader("1,\"a\n\nb\"\n"))
		}, `1 a\n\nb`},
		{"JSONEachRow with a default", func() error {
			return c.InsertFormat(t.Context(), "JSONEachRow", "INSERT INTO other",
				strings.NewReader(`{"a":3}`+"\n"+`{"a":4,"b":""}`))
		}, "3 d3|4 "},
		{"no rows", func() error {
			return c.InsertFormat(t.Context(), "CSV", "INSERT INTO other", strings.NewReader(""))
		}, ""},
		{"asynchronous", func() error {
			ctx := clickhouse.Context(t.Context(), clickhouse.WithAsync(true))
			return tcp.Exec(ctx, "INSERT INTO other VALUES (9, 'late')")
		}, "9 late"},
	} {
		must(t, c.Exec(t.Context(), "TRUNCATE TABLE other"))
		if err := test.insert(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		r, err := c.QueryFormat(t.Context(), "TSV", "SELECT a, b FROM other ORDER BY a")
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		got := strings.NewReplacer("\t", " ", "\n", "|").Replace(strings.TrimSuffix(string(text),
			"\n"))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestInsertErrorsLeaveTheConnectionUsable(t *testing.T) {
	srv := start(t, Options{})
	setup := srv.open(ways[0])
	must(t, setup.Exec(t.Context(), "CREATE TABLE strict (n UInt64, m UInt64 MATERIALIZED n + 1,"+
		" CONSTRAINT small CHECK n < 100) ENGINE = MergeTree ORDER BY n"))
	each(t, ways[:6], func(t *testing.T, w way) {
		o := srv.options(w)
		o.MaxOpenConns = 1
		c := srv.dial(o)
		fill := func(n uint64) error {
			b, err := c.PrepareBatch(t.Context(), "INSERT INTO strict (n)")
			must(t, err)
			must(t, b.Append(n))
			return b.Send()
		}
		wantCode(t, fill(500), 469)
		must(t, fill(50))
		_, err := c.PrepareBatch(t.Context(), "INSERT INTO strict (nope)")
		if err == nil {
			t.Error("an insert into an unknown column was prepared")
		}
		must(t, c.Ping(t.Context()))
		if w.protocol == clickhouse.HTTP {
			wantCode(t, c.InsertFormat(t.Context(), "JSONEachRow", "INSERT INTO strict",
				strings.NewReader(`{"n":"not a number"}`)), 27)
			big := bytes.Repeat([]byte(`{"n":1}`+"\n"),
				1<<20) // the client still writes when it fails
			copy(big[100:], "##")
			err := c.InsertFormat(t.Context(), "JSONEachRow", "INSERT INTO strict",
				bytes.NewReader(big))
			var ex *clickhouse.Exception
			if !errors.As(err, &ex) {
				t.Errorf("got %v, want an exception", err)
			}
			must(t, c.Ping(t.Context()))
		}
	})
	if n := count(t, setup, "SELECT countIf(n != 50 AND n != 1) FROM strict"); n != 0 {
		t.Errorf("%d rows that were refused", n)
	}
}

func TestAbortedBatchInsertsNothing(t *testing.T) {
	srv := start(t, Options{})
	c := srv.open(ways[0])
	must(t, c.Exec(t.Context(), "CREATE TABLE aborted (n UInt64) ENGINE = MergeTree ORDER BY n"))
	b, err := c.PrepareBatch(t.Context(), "INSERT INTO aborted")
	must(t, err)
	must(t, b.Append(uint64(1)))
	must(t, b.Abort())
	empty, err := c.PrepareBatch(t.Context(), "INSERT INTO aborted")
	must(t, err)
	must(t, empty.Send())
	if n := count(t, c, "SELECT count() FROM aborted"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestFlushedBatchOverTCP(t *testing.T) {
	srv := start(t, Options{})
	each(t, ways[:3], func(t *testing.T, w way) {
		c := srv.open(w)
		must(t, c.Exec(t.Context(), "CREATE OR REPLACE TABLE flushed (n UInt64, s String)"+
			" ENGINE = MergeTree ORDER BY n"))
		b, err := c.PrepareBatch(t.Context(), "INSERT INTO flushed")
		must(t, err)
		for i := range 3 {
			must(t, appendMany(b, i*1000, 1000))
			must(t, b.Flush())
		}
		must(t, b.Send())
		if n := count(t, c, "SELECT uniqExact(n) FROM flushed"); n != 3000 {
			t.Errorf("%d rows", n)
		}
	})
}

func appendMany(b driver.Batch, from, n int) error {
	for i := range n {
		if err := b.Append(uint64(from+i), strings.Repeat("y", 3000)); err != nil {
			return err
		}
	}
	return nil
}

// ch-go is the other client of the native protocol; kept tools use it.
func TestCHGo(t *testing.T) {
	srv := start(t, Options{})
	for name, compression := range map[string]ch.Compression{
		"plain": ch.CompressionDisabled, "lz4": ch.CompressionLZ4, "zstd": ch.CompressionZSTD} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c, err := ch.Dial(ctx, ch.Options{Address: srv.TCPAddr(), Compression: compression})
			must(t, err)
			defer c.Close()
			must(t, c.Ping(ctx))
			must(t, c.Do(ctx, ch.Query{Body: "CREATE OR REPLACE TABLE chgo (at DateTime64(3," +
				" 'UTC')," +
				" n UInt64, m Map(LowCardinality(String), String)) ENGINE = MergeTree ORDER BY n"}))
			var (
				at proto.ColDateTime64
				n  proto.ColUInt64
				m  = proto.NewMap(new(proto.ColStr).LowCardinality(), new(proto.ColStr))
			)
			at.WithPrecision(3)
			in := proto.Input{{Name: "at", Data: &at}, {Name: "n", Data: &n}, {Name: "m", Data: m}}
			sent := 0
			must(t, c.Do(ctx, ch.Query{Body: in.Into("chgo"), Input: in,
				OnInput: func(context.Context) error {
					in.Reset()
					if sent == 5 {
						return io.EOF
					}
					for i := range 1000 {
						at.Append(time.UnixMilli(int64(i)))
						n.Append(uint64(sent*1000 + i))
						m.Append(map[string]string{"a": "b"})
					}
					sent++
					return nil
				}}))
			var sum proto.ColUInt64
			must(t, c.Do(ctx, ch.Query{Body: "SELECT sum(n) AS s FROM chgo",
				Result: proto.Results{{Name: "s", Data: &sum}}}))
			if sum.Rows() != 1 || sum.Row(0) != 5000*4999/2 {
				t.Errorf("sum %v", sum)
			}
			err = c.Do(ctx, ch.Query{Body: "SELECT * FROM nope", Result: proto.Results{}})
			if !ch.IsErr(err, proto.ErrUnknownTable) {
				t.Errorf("got %v, want an unknown table", err)
			}
		})
	}
}
