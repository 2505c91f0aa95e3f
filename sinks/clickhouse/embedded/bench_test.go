package embedded

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// wideTable is like quell's table of events: 20 columns, the codecs and indexes that it will have.
const wideTable = `CREATE TABLE wide (
	scope LowCardinality(String), topic LowCardinality(String), part UInt32,
	off UInt64 CODEC(Delta, ZSTD(1)), at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	received DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)), day Date, source LowCardinality(String),
	service LowCardinality(String), entity String CODEC(ZSTD(1)), name LowCardinality(String),
	severity Enum8('info' = 1, 'error' = 2), status Enum8('firing' = 1, 'resolved' = 2),
	verdict Enum8('new' = 1, 'duplicate' = 2), fingerprint FixedString(16),
	dedup_key String CODEC(ZSTD(1)),
	summary String CODEC(ZSTD(1)), details String CODEC(ZSTD(1)),
	labels Map(LowCardinality(String), String) CODEC(ZSTD(1)), behind UInt64,
	INDEX by_time at TYPE minmax GRANULARITY 1,
	INDEX by_fp fingerprint TYPE bloom_filter GRANULARITY 1
) ENGINE = MergeTree PARTITION BY day
ORDER BY (scope, toStartOfFiveMinutes(at), service, fingerprint, at)
SETTINGS non_replicated_deduplication_window = 1000`

// wideBlock encodes a block of rows for wideTable, some 400 bytes a row.
func wideBlock(tb testing.TB, rows int) []byte {
	tb.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	low := func() *proto.ColLowCardinality[string] { return new(proto.ColStr).LowCardinality() }
	scope, topic, source, service, name := low(), low(), low(), low(), low()
	var part proto.ColUInt32
	var off, behind proto.ColUInt64
	var at, received proto.ColDateTime64
	at.WithPrecision(3)
	received.WithPrecision(3)
	var day proto.ColDate
	var severity, status, verdict proto.ColEnum8
	var fp proto.ColFixedStr
	fp.SetSize(16)
	entity, key, summary, details := new(proto.ColStr), new(proto.ColStr), new(proto.ColStr),
		new(proto.ColStr)
	labels := proto.NewMap(low(), new(proto.ColStr))
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		host := random.IntN(2000)
		scope.Append("prod")
		topic.Append("monitoring.raw")
		part.Append(3)
		off.Append(uint64(i))
		when := begin.Add(time.Duration(i*7) * time.Millisecond)
		at.Append(when)
		received.Append(when.Add(time.Duration(random.IntN(900)) * time.Millisecond))
		day.Append(begin)
		source.Append("prometheus")
		service.Append(fmt.Sprint("service-", host%80))
		entity.Append(fmt.Sprintf("host-%d.example.org", host))
		name.Append(fmt.Sprint("check-", random.IntN(40)))
		severity.Append(proto.Enum8(1 + i%2))
		status.Append(proto.Enum8(1 + i/3%2))
		verdict.Append(proto.Enum8(1 + i%2))
		fp.Append(fmt.Appendf(nil, "%016x", random.Uint64()%50_000))
		key.Append(fmt.Sprintf("prod/service-%d/host-%d/check-%d", host%80, host, i%40))
		summary.Append(fmt.Sprintf("disk of host-%d is %d %% full", host, random.IntN(100)))
		details.Append(fmt.Sprintf("value %d over threshold 90 for 5m on /dev/sda%d, runbook %d",
			random.IntN(1e6), i%8, host))
		labels.Append(map[string]string{"region": "eu-1", "rack": fmt.Sprint(host % 50),
			"instance": fmt.Sprintf("10.0.%d.%d:9100", host/250, host%250), "job": "node"})
		behind.Append(uint64(random.IntN(1000)))
	}
	in := proto.Input{}
	for _, c := range []struct {
		name string
		data proto.Column
	}{{"scope", scope}, {"topic", topic}, {"part", &part}, {"off", &off}, {"at", &at}, {"received",
		&received},
		{"day", &day}, {"source", source}, {"service", service}, {"entity", entity}, {"name", name},
		{"severity", proto.Wrap(&severity, "'info' = 1, 'error' = 2")},
		{"status", proto.Wrap(&status, "'firing' = 1, 'resolved' = 2")},
		{"verdict",
			proto.Wrap(&verdict, "'new' = 1, 'duplicate' = 2")}, {"fingerprint", &fp},
		{"dedup_key", key},
		{"summary", summary}, {"details", details}, {"labels", labels}, {"behind", &behind}} {
		in = append(in, proto.InputColumn{Name: c.name, Data: c.data})
	}
	var buf proto.Buffer
	block := proto.Block{Rows: rows, Columns: len(in)}
	if err := block.EncodeRawBlock(&buf, 0, in); err != nil {
		tb.Fatal(err)
	}
	return buf.Buf
}

// BenchmarkInsert compares the server with the bare engine: the same bytes, 100,000 rows a block.
func BenchmarkInsert(b *testing.B) {
	const rows = 100_000
	block := wideBlock(b, rows)
	report := func(b *testing.B) {
		b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(len(block))/rows, "B/row")
	}
	b.Run("engine", func(b *testing.B) {
		needLibrary(b)
		e, err := boot(Options{DataDir: b.TempDir()})
		must(b, err)
		defer e.stop()
		s, err := e.open("")
		must(b, err)
		defer s.Close()
		must(b, s.Exec(wideTable))
		for b.Loop() {
			in, err := s.Insert("INSERT INTO wide", "Native", nil)
			must(b, err)
			must(b, in.Append(block))
			res, err := in.Done()
			must(b, err)
			res.Free()
			in.Close()
		}
		report(b)
	})
	b.Run("http", func(b *testing.B) {
		srv := start(b, Options{})
		c := srv.open(ways[3])
		must(b, c.Exec(b.Context(), wideTable))
		n := 0
		for b.Loop() {
			n++
			ctx := clickhouse.Context(b.Context(), clickhouse.WithSettings(clickhouse.Settings{
				"insert_deduplication_token": fmt.Sprint(n)}))
			must(b, c.InsertFormat(ctx, "Native", "INSERT INTO wide", bytes.NewReader(block)))
		}
		report(b)
	})
}

// BenchmarkReady is the time from Run to Ready and back.
func BenchmarkReady(b *testing.B) {
	for b.Loop() {
		srv := start(b, Options{})
		must(b, srv.stop())
	}
}
