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

// incidents is how many the benchmarks audit among n events.
func incidents(n int) int { return max(n/100, 2) }

// BenchmarkRealAudit audits an archive of many events in two partitions, of which every tenth was
// passed on, and of an incident with two revisions and a page for every hundredth, against a real
// broker's log, in transactions of a thousand if so named:
//
//	QUELL_AUDIT_EVENTS=100000000 QUELL_AUDIT_WITHIN=5m go test -run '^$' -bench RealAudit -benchtime 1x -timeout 0 \
//		./cmd/quell/internal/audit
//
// The audit must find nothing wrong, and every record, incident, revision and page. With
// QUELL_AUDIT_WITHIN it must not take longer than that either.
func BenchmarkRealAudit(b *testing.B) {
	n := events(b)
	broker := kafkatest.Start(b, kafkatest.Options{})
	w := newWorld(b, broker.Addr())
	w.fillBooks(b, incidents(n))
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
				if err != nil {
					b.Fatal(err)
				}
				proven(b, r, int64(n))
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(n)*1e8/1000, "s/100M")
		})
	}
}

// proven demands that the audit looked at everything, found nothing wrong, and was fast enough.
func proven(b *testing.B, r *Report, n int64) {
	b.Helper()
	m := int64(incidents(int(n)))
	p, q := &r.Raw[0], &r.Raw[1]
	if !r.OK || p.Records+q.Records != n || p.Events+q.Events != n || p.Passed+q.Passed != n/10 ||
		p.Dispositions+q.Dispositions != n/10 {
		b.Fatal(told(r), r.Raw)
	}
	if r.Incidents != m || r.Revisions.Rows != 2*m || r.Revisions.Records != 2*m || r.Pages.Rows != m || r.Pages.Records != m {
		b.Fatalf("%d incidents, revisions %+v, pages %+v", r.Incidents, r.Revisions, r.Pages)
	}
	if s := os.Getenv("QUELL_AUDIT_WITHIN"); s != "" {
		within, err := time.ParseDuration(s)
		if err != nil {
			b.Fatal("QUELL_AUDIT_WITHIN:", err)
		}
		if r.Seconds > within.Seconds() {
			b.Errorf("it took %.1f s, more than %v", r.Seconds, within)
		}
	}
}

// fillBooks produces m incidents of two revisions, the first of them a page.
func (w *world) fillBooks(b *testing.B, m int) {
	b.Helper()
	cl, err := app.Client(w.options.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	t := &w.options.Topics
	failed := make(chan error, 1)
	for i := range 3 * m {
		topic, revision, id := t.Incidents, 1+i%3, fmt.Sprintf("%d-%020x", i/3%2, i/3)
		if i%3 == 2 {
			topic, revision = t.Pages, 1
		}
		cl.Produce(b.Context(), &kgo.Record{Topic: topic, Partition: int32(i / 3 % 2), Key: []byte(id),
			Value: fmt.Appendf(nil, `{"id":%q,"revision":%d,"pages":1}`, id, revision)}, first(failed))
	}
	if err := cl.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	none(b, failed)
}

// first keeps the first error of producing.
func first(failed chan<- error) func(*kgo.Record, error) {
	return func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
}

func none(b *testing.B, failed <-chan error) {
	b.Helper()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
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
			first(failed))
	}
	if err := cl.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if every > 0 {
		if err := cl.EndTransaction(b.Context(), kgo.TryCommit); err != nil {
			b.Fatal(err)
		}
	}
	none(b, failed)
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

// fillArchive inserts the rows that n records in two partitions and their incidents would have.
func fillArchive(b *testing.B, client *clickhouse.Client, topic string, n, every int) {
	b.Helper()
	offset := "intDiv(number, 2)"
	if every > 0 {
		offset += fmt.Sprintf(" + intDiv(intDiv(number, 2), %d)", every)
	}
	if ask(b, client, "SELECT count() FROM events")[0][0].(uint64) > 0 {
		return
	}
	fillTable(b, client, n, fmt.Sprintf("events (topic, partition, offset, time, received, scope, service, entity, "+
		"severity, status, verdict, fingerprint, archive_day) SELECT '%s', number %% 2, %s, now64(3), now64(3), 'default', "+
		"'s', toString(number %% 1000), 'error', 'firing', number %% 20 < 2 ? 'update' : 'duplicate', "+
		"toString(number %% 100000), today()", topic, offset), "1")
	fillTable(b, client, n, fmt.Sprintf("dispositions (topic, partition, offset, raw_topic, raw_partition, raw_offset, "+
		"received, verdict, disposition, archive_day) SELECT 'quell.alerts', 0, number, '%s', number %% 2, %s, now64(3), "+
		"'update', 'joined', today()", topic, offset), "number % 20 < 2")
	const id = "concat(toString(intDiv(number, 2) % 2), '-', leftPad(lower(hex(intDiv(number, 2))), 20, '0'))"
	const of = "'quell.alerts', intDiv(number, 2) % 2, number, now64(3), " + id + ", 1 + number % 2, now64(3), today()"
	const columns = "(topic, partition, offset, at, incident, revision, opened, archive_day"
	fillTable(b, client, 2*incidents(n), "incident_revisions "+columns+", pages) SELECT "+of+", 1", "1")
	fillTable(b, client, 2*incidents(n), "pages "+columns+") SELECT "+of, "number % 2 = 0")
}

// fillTable inserts what makes rows of the numbers below n, so many at a time that each statement is
// answered soon.
func fillTable(b *testing.B, client *clickhouse.Client, n int, rows, where string) {
	b.Helper()
	const most = 5_000_000
	for from := 0; from < n; from += most {
		exec(b, client, fmt.Sprintf("INSERT INTO %s FROM numbers(%d, %d) WHERE %s", rows, from, min(most, n-from), where))
	}
}
