package audit

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/pipeline/kafkatest"
	"quell/sinks/clickhouse"
)

// events is how many the benchmarks audit: QUELL_AUDIT_EVENTS, or a million.
func events(tb testing.TB) int {
	n := 1_000_000
	if s := os.Getenv("QUELL_AUDIT_EVENTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			tb.Fatal("QUELL_AUDIT_EVENTS:", err)
		}
	}
	return n
}

// BenchmarkRealAudit audits an archive of many events in two partitions, of which every tenth was
// passed on, against a real broker's log, in transactions of a thousand if so named:
//
//	QUELL_AUDIT_EVENTS=5000000 go test -run '^$' -bench RealAudit -benchtime 1x ./cmd/quell/internal/audit
func BenchmarkRealAudit(b *testing.B) {
	n := events(b)
	broker := kafkatest.Start(b, kafkatest.Options{})
	w := newWorld(b, broker.Addr())
	for _, c := range []struct {
		name  string
		every int // records between two transaction markers; 0: none
		whole bool
	}{{"gaps only", 0, false}, {"every record", 0, true}, {"transactions of 1000", 1000, false}} {
		b.Run(c.name, func(b *testing.B) {
			topics := w.options.Topics
			topics.Raw = append(topics.Raw[:0:0], topics.Raw[0])
			topics.Raw[0].Name = fmt.Sprintf("raw-%d", c.every)
			name := fmt.Sprintf("bench%d", c.every)
			w.fill(b, topics.Raw[0].Name, n, c.every)
			client := w.database(name)
			fillArchive(b, client, topics.Raw[0].Name, n, c.every)
			b.ResetTimer()
			for b.Loop() {
				r, err := Run(b.Context(), Options{Kafka: w.cl, Archive: client, Topics: topics, TTLDays: 90,
					Wait: time.Second, EveryRecord: c.whole})
				if err != nil || !r.OK || r.Raw[0].Records+r.Raw[1].Records != int64(n) {
					b.Fatal(err, told(r), r.Raw)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(n)*1e8/1000, "s/100M")
		})
	}
}

// fill produces n records to a topic's two partitions, if it has none.
func (w *world) fill(b *testing.B, topic string, n, every int) {
	b.Helper()
	if _, err := w.adm.CreateTopic(b.Context(), 2, 1, nil, topic); err != nil {
		return // filled by the benchmark before
	}
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(5 * time.Millisecond)}
	if every > 0 {
		opts = append(opts, kgo.TransactionalID("bench"))
	}
	cl, err := app.Client(w.options.Kafka, opts...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	value := append(event(1, "firing"), make([]byte, 200)...)
	failed := make(chan error, 1)
	for i := range n {
		if every > 0 && i%(2*every) == 0 {
			w.turn(b, cl, i > 0)
		}
		cl.Produce(b.Context(), &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: value},
			func(_ *kgo.Record, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
	}
	if err := cl.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if every > 0 {
		if err := cl.EndTransaction(b.Context(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// turn ends a transaction, if there is one, and begins the next.
func (w *world) turn(b *testing.B, cl *kgo.Client, end bool) {
	if end {
		if err := cl.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := cl.EndTransaction(b.Context(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
	if err := cl.BeginTransaction(); err != nil {
		b.Fatal(err)
	}
}

// fillArchive inserts the rows that n records in two partitions would have.
func fillArchive(b *testing.B, client *clickhouse.Client, topic string, n, every int) {
	b.Helper()
	offset := "intDiv(number, 2)"
	if every > 0 {
		offset += fmt.Sprintf(" + intDiv(intDiv(number, 2), %d)", every)
	}
	if ask(b, client, "SELECT count() FROM events")[0][0].(uint64) > 0 {
		return
	}
	exec(b, client, fmt.Sprintf("INSERT INTO events (topic, partition, offset, time, received, scope, service, entity, "+
		"severity, status, verdict, fingerprint, archive_day) SELECT '%s', number %% 2, %s, now64(3), now64(3), 'default', "+
		"'s', toString(number %% 1000), 'error', 'firing', number %% 20 < 2 ? 'update' : 'duplicate', "+
		"toString(number %% 100000), today() FROM numbers(%d)", topic, offset, n))
	exec(b, client, fmt.Sprintf("INSERT INTO dispositions (topic, partition, offset, raw_topic, raw_partition, raw_offset, "+
		"received, verdict, disposition, archive_day) SELECT 'quell.alerts', 0, number, '%s', number %% 2, %s, now64(3), "+
		"'update', 'joined', today() FROM numbers(%d) WHERE number %% 20 < 2", topic, offset, n))
}
