package tap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/brokertest"
	"quell/cmd/quell/internal/tap"
	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/correlate/wire"
	"quell/pipeline"
	"quell/pipeline/decode"
)

func topics() pipeline.Topics {
	return pipeline.Topics{
		Raw: []pipeline.RawTopic{{Name: "events", Partitions: 2, Retention: -1,
			Format: decode.Native(decode.Options{}, decode.KeepUnknown)}},
		Responses: "q.responses", Alerts: "q.alerts", Incidents: "q.incidents", Pages: "q.pages",
		Rejected: "q.rejected", Archive: "q.archive", Dispositions: "q.dispositions",
		Checkpoints: "q.checkpoints", Snapshots: "q.snapshots", Rules: "q.rules",
		AlertsPartitions: 1, ArchivePartitions: 1, Retention: -1,
	}
}

func kafka(t *testing.T) pipeline.Kafka {
	topics := topics()
	return brokertest.Start(t, topics.Specs(correlate.ClockEvent)...)
}

func produce(t *testing.T, k pipeline.Kafka, records ...*kgo.Record) {
	t.Helper()
	cl := brokertest.Client(t, k, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(8<<20))
	if err := cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func from(t *testing.T, s string) tap.From {
	t.Helper()
	f, err := tap.ParseFrom(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lines runs a tap to its end and returns what it printed.
func lines(t *testing.T, o tap.Options) []map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out bytes.Buffer
	o.Out, o.Topics = &out, topics()
	if err := tap.Run(ctx, o); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("too few records: %s", out.String())
	}
	var all []map[string]any
	d := json.NewDecoder(&out)
	d.UseNumber()
	for {
		var line map[string]any
		switch err := d.Decode(&line); err {
		case nil:
			all = append(all, line)
		case io.EOF:
			return all
		default:
			t.Fatal(err)
		}
	}
}

// raw is what a line must be, as JSON text.
func same(t *testing.T, got any, want string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(want))
	d.UseNumber()
	var w any
	if err := d.Decode(&w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(got, w) {
		text, _ := json.Marshal(got)
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// TestEveryTopic: one record of each kind, and what a person sees of it.
func TestEveryTopic(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	raw := correlate.RawPosition{RawPartition: correlate.RawPartition{Topic: "events", Partition: 1}, Offset: 9}
	encode := func(r correlate.Record) []byte { return wire.Append(nil, &r) }
	tests := []struct {
		name, topic, key string
		value            []byte
		want             string
	}{
		{"an event", "events", "k",
			[]byte(`{"time":"2022-01-26T00:00:01Z","service":"p<y","severity":"error","user":"ada"}`),
			`"event":{"time":"2022-01-26T00:00:01.000Z","scope":"default","source":"events",` +
				`"service":"p<y","entity":"","check":"","severity":"error","status":"firing",` +
				`"labels":{"user":"ada"}}`},
		{"what is no event", "events", "k", []byte("{\"a\":\xff}"),
			`"rejection":{"reason":"invalid_utf8","detail":"invalid_utf8: DETAIL","bytes":7,"hex":"7b2261223aff7d"}`},
		{"a response", "q.responses", "k", []byte(`{"incident":"0-ab","action":"acknowledge","by":"ada"}`),
			`"response":{"incident":"0-ab","action":"acknowledge","by":"ada","at":null}`},
		{"what is no response", "q.responses", "k", []byte(`[1]`),
			`"rejection":{"reason":"bad_response","detail":"DETAIL","bytes":3,"text":"[1]"}`},
		{"an alert", "q.alerts", "k", encode(correlate.Record{Kind: correlate.KindAlert,
			Alert: &correlate.Alert{Fingerprint: correlate.Fingerprint{0xab}, Raw: raw, FirstOffset: 4,
				Episode: 3, Epoch: 1<<64 - 1, Verdict: correlate.VerdictChanged, Scope: "default",
				Source: "prom", Service: "pay", Severity: correlate.Critical, Status: correlate.Firing,
				Labels: []correlate.Label{{Name: "a", Value: "b"}}, Count: 5, First: 1000, Since: 2000,
				Last: 3000, Received: 4000, Behind: 7}}),
			`"alert":{"fingerprint":"ab000000000000000000000000000000","verdict":"changed",` +
				`"scope":"default","source":"prom","service":"pay","entity":"","check":"",` +
				`"severity":"critical","status":"firing","labels":{"a":"b"},"count":5,` +
				`"first":"1970-01-01T00:00:01.000Z","since":"1970-01-01T00:00:02.000Z",` +
				`"last":"1970-01-01T00:00:03.000Z","received":"1970-01-01T00:00:04.000Z",` +
				`"raw":{"topic":"events","partition":1,"offset":9},"first_offset":4,"episode":3,` +
				`"epoch":"ffffffffffffffff","behind":7}`},
		{"a tick", "q.alerts", "k", encode(correlate.Record{Kind: correlate.KindTick,
			Tick: correlate.Tick{At: 1000}}), `"tick":{"at":"1970-01-01T00:00:01.000Z"}`},
		{"a forwarded response", "q.alerts", "k", encode(correlate.Record{Kind: correlate.KindResponse,
			Response: &correlate.Response{Raw: raw, Incident: "0-a", Action: correlate.ActionNote, Note: "n"}}),
			`"response":{"raw":{"topic":"events","partition":1,"offset":9},"incident":"0-a",` +
				`"action":"note","by":"","at":null,"note":"n"}`},
		{"a watermark", "q.alerts", "k", encode(correlate.Record{Kind: correlate.KindWatermark,
			Watermark: &correlate.Watermark{Raw: raw.RawPartition, At: 1000, Finished: true,
				Of: []correlate.RawPartition{raw.RawPartition}}}),
			`"watermark":{"raw":{"topic":"events","partition":1},"at":"1970-01-01T00:00:01.000Z",` +
				`"finished":true,"idle":false,"of":[{"topic":"events","partition":1}]}`},
		{"a rule change", "q.alerts", "k", encode(correlate.Record{Kind: correlate.KindRuleChange,
			RuleChange: correlate.RuleChange{Hash: correlate.RuleHash{1}}}),
			`"rule_change":{"previous":"00000000000000000000000000000000",` +
				`"hash":"01000000000000000000000000000000"}`},
		{"an alert of another version", "q.alerts", "k", []byte{9, 1},
			`"undecodable":{"reason":"DETAIL","bytes":2,"text":"\t\u0001"}`},
		{"an incident", "q.incidents", "0-ab", []byte(`{"id":"0-ab", "revision":2}`),
			`"incident":{"id":"0-ab","revision":2}`},
		{"a page", "q.pages", "0-ab", []byte(`{"routing_key":"x"}`), `"page":{"routing_key":"x"}`},
		{"a page that is no JSON", "q.pages", "0-ab", []byte(`x`),
			`"undecodable":{"reason":"not JSON","bytes":1,"text":"x"}`},
		{"a rejected event", "q.rejected", "k", []byte(`{"reason":"bad_time"}`),
			`"rejected":{"reason":"bad_time"}`},
		{"a manifest", "q.checkpoints", "intake/events/1/manifest",
			[]byte(`{"position":5,"epoch":18446744073709551615}`),
			`"manifest":{"unit":"intake/events/1","position":5,"epoch":18446744073709551615}`},
		{"a committed position", "q.snapshots", "correlate/0/position", []byte(`{"position":5}`),
			`"position":{"unit":"correlate/0","position":5}`},
		{"a chunk", "q.snapshots", "correlate/0/chunk/1/12", []byte("12345"),
			`"chunk":{"unit":"correlate/0","slot":1,"index":12,"bytes":5}`},
		{"a key of nobody", "q.snapshots", "correlate/0", []byte("1"),
			`"undecodable":{"reason":"DETAIL","bytes":1,"text":"1"}`},
		{"rules", "q.rules", "hash", []byte(`{"rules":[]}`), `"rules":{"rules":[]}`},
		{"a tombstone", "q.incidents", "0-ab", nil, `"tombstone":true`},
	}
	k := kafka(t)
	offsets := map[string]int64{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			offset := offsets[tt.topic]
			offsets[tt.topic]++
			produce(t, k, &kgo.Record{Topic: tt.topic, Key: []byte(tt.key), Value: tt.value, Timestamp: at})
			got := lines(t, tap.Options{Kafka: k, Topic: tt.topic, From: from(t, fmt.Sprint(offset)),
				Partition: 0, Count: 1})
			if len(got) != 1 {
				t.Fatalf("%d lines", len(got))
			}
			if tt.topic != "events" && tt.topic != "q.alerts" { // these topics have the broker's time
				delete(got[0], "time")
				got[0]["time"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
			}
			want := fmt.Sprintf(`{"topic":%q,"partition":0,"offset":%d,"time":"2023-11-14T22:13:20.123Z",`+
				`"key":%q,%s}`, tt.topic, offset, tt.key, detail(t, tt.want, got[0]))
			same(t, any(got[0]), want)
		})
	}
}

// detail puts the words that a decoder found for a rejection in the place of DETAIL: they belong to
// its own tests, but there must be some.
func detail(t *testing.T, want string, got map[string]any) string {
	for _, kind := range []string{"rejection", "undecodable"} {
		says, ok := got[kind].(map[string]any)
		if !ok {
			continue
		}
		for _, name := range []string{"detail", "reason"} {
			for _, form := range []string{"invalid_utf8: DETAIL", "DETAIL"} {
				word, _ := says[name].(string)
				if strings.Contains(want, `"`+name+`":"`+form+`"`) && len(word) > 5 {
					quoted, err := json.Marshal(word)
					if err != nil {
						t.Fatal(err)
					}
					want = strings.Replace(want, `"`+form+`"`, string(quoted), 1)
				}
			}
		}
	}
	return want
}

// TestBlocks: coverage and rows of the archive topics.
func TestBlocks(t *testing.T) {
	k := kafka(t)
	origin := archivetest.Origin("events", 3)
	env := archive.Envelope{Origin: origin, From: 40, To: 45,
		Sections: []archive.Section{archivetest.Events(origin, 42, 2)}}
	produce(t, k, &kgo.Record{Topic: "q.archive", Value: env.Append(nil)})

	got := lines(t, tap.Options{Kafka: k, Topic: "q.archive", From: from(t, "start"),
		Partition: tap.AllPartitions, Count: 1})[0]
	block := got["block"].(map[string]any)
	if got["key"] != nil {
		t.Errorf("key %v of a record without one", got["key"])
	}
	table := block["tables"].([]any)[0].(map[string]any)
	rows := table["rows"].([]any)
	delete(block, "tables")
	same(t, any(block), `{"topic":"events","partition":3,"from":40,"to":45,"archive_day":"2026-11-21",
		"epoch":"fedcba9876543210"}`)
	if table["table"] != "events" || len(rows) != 2 {
		t.Fatalf("%v", table)
	}
	same(t, rows[1], `{"offset":43,"time":"2001-09-09T01:46:40.001Z","received":"2001-09-09T01:46:40.006Z",
		"scope":"default","source":"prometheus","service":"service-1","entity":"pod-1","check":"latency",
		"severity":"warning","status":"resolved","verdict":"changed",
		"fingerprint":"01010000000000000000000000000000","id":"id-1","summary":"latency is above 1 s",
		"url":"","value":"1","labels":{"env":"prod"},"clamped":false}`)
}

// TestLive: from the end, what comes afterwards is shown, and what a transaction took back is not.
func TestLive(t *testing.T) {
	k := kafka(t)
	produce(t, k, &kgo.Record{Topic: "q.pages", Value: []byte(`{"n":0}`)})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ready, out := make(chan map[int32]int64, 1), new(bytes.Buffer)
	done := make(chan error, 1)
	go func() {
		done <- tap.Run(ctx, tap.Options{Kafka: k, Topics: topics(), Topic: "q.pages", From: from(t, "end"),
			Partition: tap.AllPartitions, Count: 2, Out: out,
			Ready: func(offsets map[int32]int64) { ready <- offsets }})
	}()
	if begin := <-ready; !reflect.DeepEqual(begin, map[int32]int64{0: 1}) {
		t.Errorf("it begins at %v", begin)
	}
	cl := brokertest.Client(t, k, kgo.TransactionalID("t"))
	for n, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		value := fmt.Appendf(nil, `{"n":%d}`, n+1)
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "q.pages", Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		// The first record is answered before the client knows its topic, and the end of a transaction
		// passes over a topic that it does not know.
		for leader := int32(-1); leader < 0; leader, _, _ = cl.PartitionLeader("q.pages", 0) {
			runtime.Gosched()
		}
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), `"page":{"n":2}`) ||
		!strings.Contains(out.String(), `"page":{"n":4}`) {
		t.Errorf("%s", out)
	}
}

// TestEndOfContext: ctrl-C is no error.
func TestEndOfContext(t *testing.T) {
	k := kafka(t)
	ctx, cancel := context.WithCancel(context.Background())
	err := tap.Run(ctx, tap.Options{Kafka: k, Topics: topics(), Topic: "q.pages", From: from(t, "end"),
		Partition: tap.AllPartitions, Out: io.Discard, Ready: func(map[int32]int64) { cancel() }})
	if err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	k, empty := kafka(t), brokertest.Start(t)
	produce(t, k, &kgo.Record{Topic: "events", Partition: 1, Value: []byte("{}")})
	tests := []struct {
		name    string
		kafka   pipeline.Kafka
		topic   string
		from    string
		part    int32
		want    string
		unknown bool
	}{
		{"not a topic of ours", k, "orders", "end", -1, "events, q.alerts, q.archive, q.checkpoints", true},
		{"a topic that was not created", empty, "q.pages", "end", -1, "quell topics create", false},
		{"a partition too far", k, "events", "end", 2, "partitions 0 to 1, and no 2", false},
		{"an offset of several partitions", k, "events", "0", -1, "--partition", false},
		{"an offset beyond the end", k, "events", "5", 1, "offset 5 is not there: it holds 0 to 0", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tap.Run(context.Background(), tap.Options{Kafka: tt.kafka, Topics: topics(),
				Topic: tt.topic, From: from(t, tt.from), Partition: tt.part, Out: io.Discard})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if errors.Is(err, tap.ErrUnknownTopic) != tt.unknown {
				t.Errorf("ErrUnknownTopic: %v", !tt.unknown)
			}
		})
	}
	for _, bad := range []string{"", "-1", "begin", "1.5"} {
		if _, err := tap.ParseFrom(bad); err == nil {
			t.Errorf("ParseFrom(%q) is accepted", bad)
		}
	}
}
