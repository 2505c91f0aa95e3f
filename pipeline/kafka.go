package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Sizes that all clients share. A block of the archive topic is cut near blockBytes; the topics
// that quell creates take records of up to maxRecordBytes.
const (
	maxRecordBytes     = 8 << 20
	blockBytes         = 640 << 10
	maxDecompressBytes = 64 << 20
	fetchBytes         = 64 << 20 // more than the largest record: fetchPartition is the bound
	fetchPartition     = 1 << 20
	fetchWait          = 250 * time.Millisecond // of a broker that has nothing

	// A block of the dispositions topic holds at least what one record of the alerts topic brought
	// about. That is usually little, and can be much: a tick that ends ten thousand windows, a
	// watermark that lets a minute's alerts pass. The engine bounds it: see largeBytes.
	maxDispositionsBytes = 48 << 20
	blockRoom            = 1 << 10 // of that, for what a batch says of itself and its record
)

// session returns how long a process may be silent before others take over its partitions.
func (k *Kafka) session() time.Duration {
	if k.SessionTimeout > 0 {
		return k.SessionTimeout
	}
	return 6 * time.Second
}

// options returns what every client of the process has in common.
func (k *Kafka) options(role string) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID(k.ClientID + "-" + role),
		kgo.MaxDecompressBatchBytes(maxDecompressBytes),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RetryBackoffFn(backoff),
	}
	if k.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(k.TLS))
	}
	if k.SASL != nil {
		opts = append(opts, kgo.SASL(k.SASL))
	}
	return opts
}

// reading returns the options of a direct consumer. The start and reset offsets are given for the
// partitions that are added later without one; quell always adds partitions at a known position.
func reading(isolation kgo.IsolationLevel) []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchIsolationLevel(isolation),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartition),
		kgo.FetchMaxWait(fetchWait),
		// A client reads few partitions, so a session saves little; and closing one waits for a
		// broker that hangs.
		kgo.DisableFetchSessions(),
	}
}

// writing returns the options of a producer whose caller chooses each record's partition.
func writing(linger time.Duration) []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(linger),
		kgo.WithCompressor(packer{}),
		kgo.ProducerBatchMaxBytes(maxRecordBytes),
		kgo.MaxBufferedRecords(200_000),
		kgo.MaxBufferedBytes(64 << 20),
	}
}

// dispositions raises the bounds of a producer for the blocks of the dispositions topic.
func dispositions(topic string) []kgo.Opt {
	return []kgo.Opt{
		kgo.ProducerBatchMaxBytesFn(func(t string) int32 {
			if t == topic {
				return maxDispositionsBytes
			}
			return maxRecordBytes
		}),
		kgo.MaxBufferedBytes(3 * maxDispositionsBytes),
	}
}

// client makes a client of the given role and options.
func (k *Kafka) client(role string, opts ...[]kgo.Opt) (*kgo.Client, error) {
	all := k.options(role)
	for _, o := range opts {
		all = append(all, o...)
	}
	all = append(all, k.More...)
	cl, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("kafka client for %s: %w", role, err)
	}
	return cl, nil
}

// recycling makes a client whose records' memory is used again once they are recycled. The batches
// that it reads may decompress to most bytes.
func (k *Kafka) recycling(role string, most int, opts ...[]kgo.Opt) (*kgo.Client, error) {
	again, err := recycles(most)
	if err != nil {
		return nil, fmt.Errorf("kafka client for %s: %w", role, err)
	}
	return k.client(role, append(opts, again)...)
}

// recycles returns the options of a client whose records' memory is used again once they are
// recycled.
func recycles(most int) ([]kgo.Opt, error) {
	memory := new(recycled)
	u, err := newUnpacker(memory, most)
	if err != nil {
		return nil, err
	}
	return []kgo.Opt{kgo.WithPools(memory), kgo.WithDecompressor(u)}, nil
}

// backoff is the wait before the n-th try of whatever is tried again: 100 ms, doubled, at most 5 s.
func backoff(n int) time.Duration {
	return min(100*time.Millisecond<<min(n, 6), 5*time.Second)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// fenced reports whether err says that another owner has taken the transactional id.
func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.InvalidProducerIDMapping) || errors.Is(err, kerr.UnknownProducerID)
}

// connect waits until the brokers answer, telling why they do not, and returns an admin client.
func (k *Kafka) connect(ctx context.Context, log *slog.Logger) (*kgo.Client, *kadm.Client, error) {
	cl, err := k.client("admin")
	if err != nil {
		return nil, nil, err
	}
	for n := 0; ; n++ {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := cl.Ping(try)
		cancel()
		if err == nil {
			return cl, kadm.NewClient(cl), nil
		}
		if ctx.Err() != nil {
			cl.Close()
			return nil, nil, fmt.Errorf("kafka at %v: %w", k.Brokers, err)
		}
		log.Warn("kafka does not answer; trying again", "brokers", k.Brokers, "error", err,
			"wait", backoff(n))
		pause(ctx, backoff(n))
	}
}

// fetchErrors returns the errors of a poll that are not the poll's own deadline.
func fetchErrors(fs kgo.Fetches) error {
	var errs []error
	fs.EachError(func(topic string, partition int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return
		}
		errs = append(errs, fetchError(topic, partition, err))
	})
	return errors.Join(errs...)
}
