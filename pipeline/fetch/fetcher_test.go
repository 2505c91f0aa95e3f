package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stand is a cluster of three brokers with one topic of two partitions, and a Fetcher on it.
type stand struct {
	t       *testing.T
	cluster *kfake.Cluster
	cl      *kgo.Client // produces
	f       *Fetcher
	memory  *wary
	said    [2]int64 // records produced
}

func newStand(t *testing.T) *stand {
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &stand{t: t, cluster: c, memory: newWary()}
	s.cl = s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	s.f = New(Options{Client: s.client(), PartitionBytes: 1 << 10, Bytes: 1 << 20, Wait: 50 * time.Millisecond,
		Committed: true, Memory: s.memory})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.f.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return s
}

func (s *stand) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.cluster.ListenAddrs()...), kgo.RetryBackoffFn(func(int) time.Duration {
		return 10 * time.Millisecond
	}), kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

// say produces n records to each partition; each says its number.
func (s *stand) say(n int) {
	s.t.Helper()
	var recs []*kgo.Record
	for p := range s.said {
		for range n {
			recs = append(recs, &kgo.Record{Topic: "t", Partition: int32(p), Value: fmt.Appendf(nil, "%d/%d", p, s.said[p])})
			s.said[p]++
		}
	}
	if err := s.cl.ProduceSync(s.t.Context(), recs...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// poll reads until f is content, and fails after some seconds.
func (s *stand) poll(f func(p *Part) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		enough := false
		for _, p := range s.f.Poll(ctx) {
			enough = f(p) || enough
			p.Close()
		}
		if enough {
			return
		}
	}
	s.t.Fatal("nothing more came")
}

// expect reads the partitions exactly up to the given offsets.
func (s *stand) expect(next *[2]int64, to [2]int64) {
	s.t.Helper()
	s.read(next, to)
	if *next != to {
		s.t.Fatalf("read to %v, want %v", *next, to)
	}
}

// read reads the partitions up to the given offsets at least: every record once, in order.
func (s *stand) read(next *[2]int64, to [2]int64) {
	s.t.Helper()
	var recs [7]Record
	s.poll(func(p *Part) bool {
		if p.Err != nil {
			s.t.Fatalf("partition %d at %d: %v", p.Partition, next[p.Partition], p.Err)
		}
		for got := p.Next(recs[:], 100); len(got) > 0; got = p.Next(recs[:], 100) {
			for _, r := range got {
				if want := fmt.Sprintf("%d/%d", p.Partition, next[p.Partition]); r.Offset != next[p.Partition] || string(r.Value) != want {
					s.t.Fatalf("offset %d says %s; want %d, %s", r.Offset, r.Value, next[p.Partition], want)
				}
				next[p.Partition]++
			}
		}
		return next[0] >= to[0] && next[1] >= to[1]
	})
}

// Every record comes once and in order, whatever happens to the brokers meanwhile.
func TestFetcher(t *testing.T) {
	s := newStand(t)
	s.say(300)
	var next [2]int64
	s.f.Add("t", 0, 0)
	s.f.Add("t", 1, 0)
	s.expect(&next, s.said)
	for round := range 6 {
		for p := range int32(2) { // other leaders
			if err := s.cluster.MoveTopicPartition("t", p, int32(round+int(p))%3); err != nil {
				t.Fatal(err)
			}
		}
		s.say(50)
		s.expect(&next, s.said)
	}
}

// What fails and passes by itself is tried again: requests that fail as a whole, partitions that do,
// look-ups that do.
func TestFaultsPass(t *testing.T) {
	s := newStand(t)
	var next [2]int64
	s.f.Add("t", 0, 0)
	s.f.Add("t", 1, 0)
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError,
		kerr.FencedLeaderEpoch, kerr.UnknownServerError} {
		failures := 3
		s.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			if failures--; failures < 0 {
				return nil, nil, false
			}
			s.cluster.KeepControl()
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			for _, rt := range req.(*kmsg.FetchRequest).Topics {
				at := kmsg.FetchResponseTopic{Topic: rt.Topic, TopicID: rt.TopicID}
				for _, rp := range rt.Partitions {
					p := kmsg.NewFetchResponseTopicPartition()
					p.Partition, p.ErrorCode = rp.Partition, e.Code
					at.Partitions = append(at.Partitions, p)
				}
				resp.Topics = append(resp.Topics, at)
			}
			return resp, nil, true
		})
		s.cluster.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
			return nil, errors.New("the connection breaks"), true
		})
		s.say(20)
		s.expect(&next, s.said)
	}
}

// A position outside of the log, and a topic that was made again, stop the partition and say why.
func TestStops(t *testing.T) {
	s := newStand(t)
	s.say(10)
	s.f.Add("t", 0, 1000)
	s.poll(func(p *Part) bool {
		if !errors.Is(p.Err, kerr.OffsetOutOfRange) {
			t.Fatalf("beyond the end of the log: %v", p.Err)
		}
		return true
	})
	s.f.Remove("t", 0)
	var next [2]int64
	s.f.Add("t", 0, 0)
	s.f.Add("t", 1, 0)
	s.expect(&next, s.said)
	if err := s.cluster.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if err := s.cluster.CreateTopic("t", 2, nil); err != nil {
		t.Fatal(err)
	}
	stopped := map[int32]bool{}
	s.poll(func(p *Part) bool {
		if p.Err == nil {
			t.Fatalf("partition %d of another topic was read", p.Partition)
		}
		stopped[p.Partition] = true
		return len(stopped) == 2
	})
}

// Records of transactions come when those have been committed, and not at all if they were aborted.
func TestTransactions(t *testing.T) {
	s := newStand(t)
	tx := s.client(kgo.TransactionalID("x"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 6 {
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := tx.EndTransaction(t.Context(), kgo.TransactionEndTry(i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	s.f.Add("t", 0, 0)
	var values []string
	s.poll(func(p *Part) bool {
		var recs [2]Record
		for got := p.Next(recs[:], 100); len(got) > 0; got = p.Next(recs[:], 100) {
			for _, r := range got {
				values = append(values, fmt.Sprintf("%d:%s", r.Offset, r.Value))
			}
		}
		return p.Err != nil || p.End() == 12
	})
	if got := fmt.Sprint(values); got != "[0:0 4:2 8:4]" {
		t.Errorf("%s", got)
	}
}

// What was asked for before a partition was removed, or added anew, does not come; a paused one is not
// asked for.
func TestLetGo(t *testing.T) {
	s := newStand(t)
	s.say(500)
	var next [2]int64
	s.f.Add("t", 1, 0)
	for range 50 {
		s.f.Add("t", 0, 0)
		s.f.Remove("t", 0)
		s.f.Add("t", 0, 400)
	}
	next[0] = 400
	s.expect(&next, s.said)
	s.f.Pause("t", 0, true)
	// An answer may be under way, and one may wait to be polled.
	for range 2 {
		s.say(1)
		s.read(&next, [2]int64{next[0], s.said[1]})
	}
	before := next[0]
	s.say(5)
	s.expect(&next, [2]int64{before, s.said[1]})
	s.f.Pause("t", 0, false)
	s.expect(&next, s.said)
}
