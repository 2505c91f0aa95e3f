package embedded_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/embedded"
)

var yearsAgo = time.Date(2022, 1, 24, 3, 4, 5, 678_000_000, time.UTC)

// Time comes from the log: whatever a producer says, a LogAppendTime topic holds the time of
// arrival, in every codec, and a CreateTime topic holds what the producer said.
func TestTimestampsAreThoseOfTheTopicsType(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	admin := client(t, b.Addr())
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		"snappy": kgo.SnappyCompression(), "gzip": kgo.GzipCompression(),
	}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			arrival, creation := "arrival."+name, "creation."+name
			create(t, admin, arrival, 1, "message.timestamp.type=LogAppendTime")
			create(t, admin, creation, 1, "message.timestamp.type=CreateTime")
			cl := client(t, b.Addr(), kgo.ProducerBatchCompression(codec),
				kgo.ProducerLinger(50*time.Millisecond))
			for i, r := range sendFourDays(t, cl, b.Addr(), creation) {
				if sent := yearsAgo.Add(time.Duration(i) * time.Hour); !r.Timestamp.Equal(sent) {
					t.Fatalf("record %d is stamped %s, but was sent with %s", i, r.Timestamp, sent)
				}
			}
			before := time.Now().Truncate(time.Millisecond)
			got := sendFourDays(t, cl, b.Addr(), arrival)
			after := time.Now()
			for i, r := range got {
				if r.Timestamp.Before(before) || r.Timestamp.After(after) {
					t.Fatalf("record %d is stamped %s, but arrived from %s to %s",
						i, r.Timestamp, before, after)
				}
			}
		})
	}
}

// sendFourDays produces a batch of records, an hour apart, and returns them as a consumer sees them.
func sendFourDays(t *testing.T, cl *kgo.Client, addr, topic string) []*kgo.Record {
	t.Helper()
	const n = 100
	var sent []*kgo.Record
	for i := range n {
		r := record(topic, fmt.Sprint("key ", i), strings.Repeat("value ", i))
		r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}
		r.Timestamp = yearsAgo.Add(time.Duration(i) * time.Hour)
		sent = append(sent, r)
	}
	produce(t, cl, sent...)
	got := consume(t, addr, topic, n)
	for i, r := range got {
		same := string(r.Key) == fmt.Sprint("key ", i) && len(r.Headers) == 1 &&
			string(r.Value) == strings.Repeat("value ", i)
		if !same {
			t.Fatalf("record %d of %s came back damaged: %q", i, topic, r.Value)
		}
	}
	return got
}

// The type may be altered while the topic is in use, as on a real broker.
func TestAlteringTheTimestampTypeWorksAtOnce(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	cl := client(t, b.Addr())
	create(t, cl, "t", 1)
	send := func() { produce(t, cl, &kgo.Record{Topic: "t", Timestamp: yearsAgo}) }
	send()
	_, err := kadm.NewClient(cl).AlterTopicConfigs(within(t), []kadm.AlterConfig{
		{Name: "message.timestamp.type", Value: kadm.StringPtr("LogAppendTime")},
	}, "t")
	if err != nil {
		t.Fatal(err)
	}
	send()
	got := consume(t, b.Addr(), "t", 2)
	if !got[0].Timestamp.Equal(yearsAgo) || time.Since(got[1].Timestamp) > time.Minute {
		t.Errorf("stamped %s and %s", got[0].Timestamp, got[1].Timestamp)
	}
}

// A search by time goes by the time of arrival too.
func TestSearchByArrivalTime(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	cl := client(t, b.Addr())
	create(t, cl, "t", 1, "message.timestamp.type=LogAppendTime")
	produce(t, cl, &kgo.Record{Topic: "t", Value: []byte("first"), Timestamp: yearsAgo})
	first := consume(t, b.Addr(), "t", 1)[0]
	var boundary time.Time
	for boundary = time.Now(); boundary.UnixMilli() <= first.Timestamp.UnixMilli(); {
		boundary = time.Now()
	}
	produce(t, cl, &kgo.Record{Topic: "t", Value: []byte("second"), Timestamp: yearsAgo})
	found, err := kadm.NewClient(cl).ListOffsetsAfterMilli(within(t), boundary.UnixMilli(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := found.Lookup("t", 0); o.Offset != 1 {
		t.Errorf("the first record from %s on is at offset %d, want 1", boundary, o.Offset)
	}
}

// Events of 2022 survive in a topic without a limit, and only there.
func TestOldEventsSurviveRetentionWhereTheTopicSaysSo(t *testing.T) {
	b, retain := startWithRetention(t)
	cl := client(t, b.Addr())
	create(t, cl, "kept", 1, "message.timestamp.type=CreateTime", "retention.ms=-1")
	create(t, cl, "default", 1, "message.timestamp.type=CreateTime")
	create(t, cl, "limited", 1, "message.timestamp.type=CreateTime", "retention.ms=60000")
	create(t, cl, "arrival", 1, "message.timestamp.type=LogAppendTime", "retention.ms=60000")
	topics := []string{"kept", "default", "limited", "arrival"}
	for _, topic := range topics {
		produce(t, cl, &kgo.Record{Topic: topic, Value: []byte("2022"), Timestamp: yearsAgo})
	}
	starts := func() map[string]int64 {
		found, err := kadm.NewClient(cl).ListStartOffsets(within(t), topics...)
		if err != nil {
			t.Fatal(err)
		}
		m := make(map[string]int64)
		found.Each(func(o kadm.ListedOffset) { m[o.Topic] = o.Offset })
		return m
	}
	retain(func() bool { return starts()["limited"] == 1 })
	got := starts()
	if got["kept"] != 0 || got["default"] != 0 || got["arrival"] != 0 {
		t.Errorf("retention took records that it should not: first offsets are %v", got)
	}
}

func TestABatchOverTheTopicsLimitIsRefused(t *testing.T) {
	b, _ := start(t, embedded.Options{})
	cl := client(t, b.Addr(), kgo.ProducerBatchMaxBytes(32<<20), kgo.BrokerMaxWriteBytes(64<<20),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	create(t, cl, "small", 1)
	create(t, cl, "large", 1, "max.message.bytes=16777216")
	big := make([]byte, 10<<20)
	err := cl.ProduceSync(within(t), &kgo.Record{Topic: "small", Value: big}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("10 MiB into a topic with the default of 1 MiB: %v", err)
	}
	produce(t, cl, &kgo.Record{Topic: "large", Value: big})
	if got := consume(t, b.Addr(), "large", 1); len(got[0].Value) != len(big) {
		t.Errorf("%d bytes came back of %d", len(got[0].Value), len(big))
	}
}
