package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/servers"
	"quell/pipeline"
	"quell/sinks/clickhouse"
)

const raw = "quell.events"

const settings = `
topics:
  raw: [{name: quell.events, partitions: 2}]
  alerts_partitions: 2
dedup: {update_interval: 1s}
clickhouse: {insert: {every: 50ms}}
rules: [{name: default, group_by: [service], group_wait: 0s, group_interval: 1s}]
`

// world is a broker, the real engine, and the service's options on them.
type world struct {
	t       testing.TB
	c       *config.Config
	set     *servers.Set
	options pipeline.Options
	client  *clickhouse.Client
	cl      *kgo.Client
	adm     *kadm.Client
}

// newWorld starts an engine, and a broker unless one is given.
func newWorld(t testing.TB, kafka string) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quell.yaml")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := config.Load(path, config.Overrides{})
	if err != nil || c == nil || len(problems.Errors()) > 0 {
		t.Fatal(err, problems)
	}
	w := &world{t: t, c: c}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	w.set, err = servers.Start(t.Context(), servers.Want{Kafka: kafka == "", ClickHouse: true, Fresh: true,
		DataDir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.set.Stop(); err != nil {
			t.Error(err)
		}
	})
	if kafka == "" {
		kafka = w.set.Kafka
	}
	if w.options, err = app.Pipeline(c, kafka); err != nil {
		t.Fatal(err)
	}
	w.client = w.database(c.ClickHouse.Database)
	w.options.Archive.To, w.options.Logger = app.NewArchive(w.client, log), log
	w.cl = w.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	w.adm = kadm.NewClient(w.cl)
	if _, err := pipeline.CreateTopics(t.Context(), w.adm, w.options.Topics.Specs(w.options.Clock), 1); err != nil {
		t.Fatal(err)
	}
	return w
}

// database returns a client of a database with all tables.
func (w *world) database(name string) *clickhouse.Client {
	w.t.Helper()
	c := *w.c
	c.ClickHouse.Database = name
	client, err := app.ClickHouse(&c, w.set.ClickHouse)
	if err == nil {
		err = client.Migrate(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = client.Close() })
	return client
}

// twin returns a client of a new database with the rows of the world's.
func (w *world) twin(t *testing.T, name string) *clickhouse.Client {
	t.Helper()
	client := w.database(name)
	for _, table := range []string{"events", "rejected", "dispositions", "incident_revisions", "pages", "responses"} {
		exec(t, client, "INSERT INTO "+table+" SELECT * FROM "+w.c.ClickHouse.Database+"."+table)
	}
	return client
}

func (w *world) kafka(more ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	cl, err := app.Client(w.options.Kafka, more...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(cl.Close)
	return cl
}

// serve runs the service until the function that it returns is called.
func (w *world) serve() (stop func()) {
	w.t.Helper()
	s, err := pipeline.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// event is a native event of service number n.
func event(service int, status string) []byte {
	return fmt.Appendf(nil, `{"service":"s%d","entity":"e","check":"http","severity":"critical","status":%q}`,
		service, status)
}

// storm produces 60 events of ten services to partition 0, every tenth no event at all, and three
// transactions to partition 1: three events, two that are aborted, three events. So partition 1
// holds, with its markers, 11 offsets: 0 1 2 c a a c 7 8 9 c.
func (w *world) storm() {
	w.t.Helper()
	var records []*kgo.Record
	for i := range 60 {
		v := event(i%10, "firing")
		if i%10 == 9 {
			v = []byte("no event")
		}
		records = append(records, &kgo.Record{Topic: raw, Value: v})
	}
	if err := w.cl.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	tx := w.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("monitor"))
	for n, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := tx.BeginTransaction(); err != nil {
			w.t.Fatal(err)
		}
		records := []*kgo.Record{}
		for i := range 3 - n%2 {
			records = append(records, &kgo.Record{Topic: raw, Partition: 1, Value: event(20+3*n+i, "firing")})
		}
		if err := tx.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
		// The first records are answered before the client knows their topic, and a transaction of
		// which it knows no topic is aborted.
		for leader := int32(-1); leader < 0; leader, _, _ = tx.PartitionLeader(raw, 1) {
			runtime.Gosched()
		}
		if err := tx.EndTransaction(w.t.Context(), end); err != nil {
			w.t.Fatal(err)
		}
	}
	answers := []*kgo.Record{{Topic: w.options.Topics.Responses, Value: []byte("no response")},
		{Topic: w.options.Topics.Responses,
			Value: []byte(`{"incident":"0-00000000000000000000","action":"acknowledge","by":"ann"}`)}}
	if err := w.cl.ProduceSync(w.t.Context(), answers...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// audit audits against a database's client.
func (w *world) audit(t *testing.T, client *clickhouse.Client, change func(*Options)) *Report {
	t.Helper()
	o := Options{Kafka: w.cl, Archive: client, Topics: w.options.Topics, Clock: w.options.Clock, TTLDays: 90,
		Wait: time.Second, Note: func(s string) { t.Log(s) }}
	if change != nil {
		change(&o)
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// exec runs a statement.
func exec(t testing.TB, client *clickhouse.Client, statement string) {
	t.Helper()
	res, err := client.Query(t.Context(), statement)
	if err == nil {
		err = res.Close()
	}
	if err != nil {
		t.Fatal(statement, err)
	}
}

// ask returns the rows of a statement.
func ask(t testing.TB, client *clickhouse.Client, statement string) [][]any {
	t.Helper()
	a := &auditor{o: Options{Archive: client}}
	rows, err := a.rows(t.Context(), statement)
	if err != nil {
		t.Fatal(statement, err)
	}
	return rows
}

// read returns the first record of a topic.
func read(t *testing.T, w *world, topic string) *kgo.Record {
	t.Helper()
	cl := w.kafka(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for {
		fs := cl.PollFetches(t.Context())
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		if r := fs.Records(); len(r) > 0 {
			return r[0]
		}
	}
}

func mustJSON(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// sorted orders lines.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var place = regexp.MustCompile(`(quell\.(?:pages|incidents))/\d+(?: at \[\d+\])?`)

// anywhere leaves out where in the topics of incidents and pages something is.
func anywhere(text string) string {
	return sorted(place.ReplaceAllStringFunc(text, func(s string) string {
		out := place.FindStringSubmatch(s)[1] + "/P"
		if strings.Contains(s, " at ") {
			out += " at [N]"
		}
		return out
	}))
}
