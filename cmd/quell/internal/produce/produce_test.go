package produce_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/brokertest"
	"quell/cmd/quell/internal/produce"
	"quell/cmd/quell/internal/progress"
	"quell/correlate"
	"quell/pipeline"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
)

const topic = "events"

// kafka starts an embedded broker with the raw topic, made for the given clock.
func kafka(t testing.TB, clock correlate.ClockMode) pipeline.Kafka {
	t.Helper()
	topics := pipeline.Topics{Raw: []pipeline.RawTopic{{Name: topic, Partitions: 3, Retention: -1}}}
	return brokertest.Start(t, topics.Specs(clock)[0])
}

func options(k pipeline.Kafka, clock correlate.ClockMode, files ...string) produce.Options {
	return produce.Options{Kafka: k, Clock: clock, Files: files, ByTime: clock == correlate.ClockEvent,
		Topic:    pipeline.RawTopic{Name: topic, Format: decode.Native(decode.Options{}, decode.KeepUnknown)},
		Progress: func(progress.Step) {}}
}

// consume returns the n records of the topic by partition, each partition in its order.
func consume(t *testing.T, k pipeline.Kafka, n int) map[int32][]*kgo.Record {
	t.Helper()
	cl := brokertest.Client(t, k, kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out := map[int32][]*kgo.Record{}
	for got := 0; got < n; {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records", got, n)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset != int64(len(out[r.Partition])) {
				t.Errorf("partition %d: offset %d behind %d records", r.Partition, r.Offset,
					len(out[r.Partition]))
			}
			out[r.Partition] = append(out[r.Partition], r)
			got++
		})
	}
	return out
}

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		content = b.String()
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func event(second int, service string) string {
	return fmt.Sprintf(`{"time":"2022-01-26T00:00:%02dZ","service":"%s","check":"up"}`, second, service)
}

// fingerprint computes key and partition as intake will.
func fingerprint(t *testing.T, line string) (key string, partition int32) {
	t.Helper()
	var ev correlate.Event
	d := decode.Native(decode.Options{}, decode.KeepUnknown).NewDecoder()
	if _, no := d.Decode([]byte(line), decode.RecordMeta{Topic: topic, Time: 5000}, &ev); no != nil {
		t.Fatal(no)
	}
	id, err := dedup.NewIdentity(dedup.IdentityConfig{})
	if err != nil {
		t.Fatal(err)
	}
	fp, index := id.Fingerprint(&ev)
	return fp.String(), int32(index % 3)
}

// TestEventClock: two sorted streams one after the other, as real files have them, become one in
// the order of time, stamped with it; a rejected line stays behind the line before it.
func TestEventClock(t *testing.T) {
	k := kafka(t, correlate.ClockEvent)
	a := write(t, "a.jsonl", strings.Join([]string{event(1, "pay"), event(3, "pay"), `{"broken`,
		event(5, "pay"), event(2, "cart"), event(4, "pay")}, "\n")+"\n")
	b := write(t, "b.jsonl.gz", event(0, "pay")+"\n")
	res, err := produce.Run(context.Background(), options(k, correlate.ClockEvent, a, b))
	if err != nil {
		t.Fatal(err)
	}
	if res.Lines != 7 || res.Events != 6 || res.Rejected != 1 || res.Failed != 0 ||
		res.Topic != topic || res.LinesASecond <= 0 {
		t.Errorf("%+v", res)
	}
	got := consume(t, k, 7)
	payKey, pay := fingerprint(t, event(1, "pay"))
	cartKey, cart := fingerprint(t, event(1, "cart"))
	var lines []string
	var all int64
	for _, r := range got[pay] {
		all += int64(len(r.Value))
		if string(r.Key) == cartKey { // both may share a partition
			continue
		}
		if string(r.Key) != payKey {
			t.Errorf("key %s of %s", r.Key, r.Value)
		}
		lines = append(lines, fmt.Sprintf("%s %s", r.Timestamp.UTC().Format("15:04:05"), r.Value))
	}
	want := []string{"00:00:00 " + event(0, "pay"), "00:00:01 " + event(1, "pay"),
		"00:00:03 " + event(3, "pay"), `00:00:03 {"broken`, "00:00:04 " + event(4, "pay"),
		"00:00:05 " + event(5, "pay")}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if !slices.ContainsFunc(got[cart], func(r *kgo.Record) bool {
		return string(r.Key) == cartKey && string(r.Value) == event(2, "cart")
	}) {
		t.Errorf("cart is not in partition %d", cart)
	}
	if pay != cart {
		all += int64(len(event(2, "cart")))
	}
	if res.Bytes != all {
		t.Errorf("%d bytes, want %d", res.Bytes, all)
	}
}

// TestAppendClock: lines stream in the order of the files, and time is the broker's.
func TestAppendClock(t *testing.T) {
	k := kafka(t, correlate.ClockAppend)
	name := write(t, "a.csv", "time,service,check\n2022-01-26T00:00:09Z,pay,up\n"+
		"2022-01-26T00:00:01Z,pay,up\n2022-01-26T00:00:02Z,pay,\"a \"\"b\"\"\"\n")
	begun := time.Now().Add(-time.Second)
	var last progress.Step
	o := options(k, correlate.ClockAppend, name)
	o.Progress = func(s progress.Step) { last = s }
	res, err := produce.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if res.Lines != 3 || res.Rejected != 0 {
		t.Errorf("%+v", res)
	}
	if last.Done != 0 {
		t.Errorf("three lines are too few to tell: %+v", last)
	}
	var values []string
	for _, part := range consume(t, k, 3) {
		for _, r := range part {
			if r.Timestamp.Before(begun) {
				t.Errorf("%s has the event's time %v", r.Value, r.Timestamp)
			}
			values = append(values, string(r.Value))
		}
	}
	first := `{"time":"2022-01-26T00:00:09Z","service":"pay","check":"up"}`
	second := `{"time":"2022-01-26T00:00:01Z","service":"pay","check":"up"}`
	if slices.Index(values, first)+1 != slices.Index(values, second) ||
		!slices.Contains(values, `{"time":"2022-01-26T00:00:02Z","service":"pay","check":"a \"b\""}`) {
		t.Errorf("%q", values)
	}
}

// TestEndOfContext: whoever presses ctrl-C while standard input is silent gets the prompt back, and
// learns how many lines were acknowledged.
func TestEndOfContext(t *testing.T) {
	for _, clock := range []correlate.ClockMode{correlate.ClockAppend, correlate.ClockEvent} {
		t.Run(clock.String(), func(t *testing.T) {
			k := kafka(t, clock)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			o := options(k, clock, "-")
			text := strings.NewReader(strings.Repeat(event(1, "pay")+"\n", 2048))
			o.Stdin, o.ByTime = io.MultiReader(text, silence{}), false
			o.Progress = func(s progress.Step) {
				if s.Done == 2048 { // the next line never comes
					cancel()
				}
			}
			res, err := produce.Run(ctx, o)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if res.Lines != 2048 || res.Failed != 0 {
				t.Errorf("%+v", res)
			}
			consume(t, k, 2048)
		})
	}
}

// silence blocks for ever, as a terminal does at which nobody types.
type silence struct{}

func (silence) Read([]byte) (int, error) { select {} }

func TestRefusals(t *testing.T) {
	file := write(t, "a.jsonl", event(1, "pay")+"\n")
	event, appended := kafka(t, correlate.ClockEvent), kafka(t, correlate.ClockAppend)
	tests := []struct {
		name string
		o    produce.Options
		want string
	}{
		{"a topic that stamps records itself would lose the events' times",
			options(appended, correlate.ClockEvent, file), "message.timestamp.type=LogAppendTime"},
		{"no such topic", func() produce.Options {
			o := options(event, correlate.ClockEvent, file)
			o.Topic.Name = "nothing"
			return o
		}(), "quell topics create"},
		{"no such file", options(event, correlate.ClockEvent, file+".gone"), "no such file"},
		{"no such file, streaming", options(appended, correlate.ClockAppend, file+".gone"), "no such file"},
		{"a damaged file", options(appended, correlate.ClockAppend, damaged(t)),
			"a.jsonl.gz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := produce.Run(context.Background(), tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, error %v, want one with %q", res, err, tt.want)
			}
		})
	}
}

// damaged returns a gzip file that ends too early.
func damaged(t *testing.T) string {
	path := write(t, "a.jsonl.gz", strings.Repeat(event(1, "pay")+"\n", 1000))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTooLargeFailsAlone: what the broker does not take is counted and told; the rest arrives.
func TestTooLargeFailsAlone(t *testing.T) {
	k := kafka(t, correlate.ClockAppend)
	large := `{"service":"pay","summary":"` + strings.Repeat("x", 9<<20) + `"}`
	name := write(t, "a.jsonl", event(1, "pay")+"\n"+large+"\n"+event(2, "pay")+"\n")
	res, err := produce.Run(context.Background(), options(k, correlate.ClockAppend, name))
	if err == nil || !strings.Contains(err.Error(), "1 of 3 lines") {
		t.Errorf("error %v", err)
	}
	if res.Lines != 2 || res.Failed != 1 {
		t.Errorf("%+v", res)
	}
	consume(t, k, 2)
}

func TestRate(t *testing.T) {
	k := kafka(t, correlate.ClockAppend)
	name := write(t, "a.jsonl", strings.Repeat(event(1, "pay")+"\n", 101))
	o := options(k, correlate.ClockAppend, name)
	o.Rate = 200
	begun := time.Now()
	res, err := produce.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 490*time.Millisecond || res.Lines != 101 {
		t.Errorf("%d lines in %v at 200 a second", res.Lines, took)
	}
}

// BenchmarkRun loads 547-byte events into the embedded broker of the same process.
func BenchmarkRun(b *testing.B) {
	k := kafka(b, correlate.ClockAppend)
	var text bytes.Buffer
	for i := range b.N {
		fmt.Fprintf(&text, `{"time":"2022-01-26T00:%02d:%02d.%03dZ","service":"service-%d","entity":"host-%d",`+
			`"check":"check-%d","severity":"error","summary":"%s","labels":{"region":"eu","rack":"r%d"}}`+"\n",
			i/60000%60, i/1000%60, i%1000, i%40, i%1000, i%7, strings.Repeat("word ", 72), i%9)
	}
	name := write(b, "a.jsonl", text.String())
	b.SetBytes(int64(text.Len() / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	res, err := produce.Run(context.Background(), options(k, correlate.ClockAppend, name))
	if err != nil || res.Lines != int64(b.N) {
		b.Fatal(res, err)
	}
	b.ReportMetric(res.LinesASecond, "lines/s")
}
