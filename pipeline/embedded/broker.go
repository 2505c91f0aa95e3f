package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// retentionEvery is Kafka's own log.retention.check.interval.ms.
const retentionEvery = 5 * time.Minute

// never, in milliseconds, is how often kfake's own cleaner runs: once in a century. The package
// comment says why.
const never = 100 * 365 * 24 * 60 * 60 * 1000

// segmentInMemory is how large a segment becomes where nothing is kept on disk. kfake keeps one in one
// piece of memory, which it doubles and moves when it is full: of Kafka's large segments, all bytes
// would be moved several times over, to memory that was never touched before. A large batch gets a
// segment of its own.
const segmentInMemory = 256 << 10

// Broker is one embedded broker. Its life is one call of Run.
type Broker struct {
	opts           Options
	retentionEvery time.Duration

	started atomic.Bool
	ready   chan struct{} // closed once the broker answers
	addr    string        // written before ready is closed
}

// Ready is closed as soon as the broker accepts connections. If Run fails before that, it stays
// open: wait for Run's return as well.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr is the host:port that clients connect to. It is empty until Ready is closed.
func (b *Broker) Addr() string {
	select {
	case <-b.ready:
		return b.addr
	default:
		return ""
	}
}

// Run serves until the context ends, then writes everything to disk, closes all connections and
// returns nil. An error means that the broker never started: the directory is in use (the message
// names the other broker's address) or unreadable, or the address is taken. Run can be called once.
func (b *Broker) Run(ctx context.Context) error {
	if b.started.Swap(true) {
		return errors.New("embedded broker: Run was called before: make another with New")
	}
	if ctx.Err() != nil {
		return nil
	}
	if b.opts.DataDir == "" {
		return b.serve(ctx, nil)
	}
	if err := os.MkdirAll(b.logDir(), 0o700); err != nil {
		return fmt.Errorf("embedded broker: create the data directory: %w", err)
	}
	claim, err := claimDir(b.opts.DataDir)
	if err != nil {
		return err
	}
	if claim.killed {
		if err := b.recoverLog(ctx); err != nil {
			claim.lock.Close() // the address stays: the next start must recover as well
			return err
		}
	}
	defer claim.release()
	return b.serve(ctx, claim)
}

// serve runs the cluster. Everything that kfake started has ended when it returns, except
// goroutines that have nothing left to do but to notice it.
func (b *Broker) serve(ctx context.Context, claim *claim) error {
	port := &listener{listen: b.opts.Listen, addr: b.opts.Addr, tls: b.opts.TLS}
	cluster, err := b.newCluster(port)
	if err != nil {
		return err
	}
	defer port.closeConns() // after cluster.Close, which no longer accepts any
	defer cluster.Close()
	stamps, err := newStamper(cluster)
	if err != nil {
		return err
	}
	stamps.install()
	if b.opts.Cluster != nil {
		b.opts.Cluster(cluster)
	}

	b.addr = port.advertised()
	if claim != nil {
		if err := claim.publish(b.addr, time.Now()); err != nil {
			return err
		}
	}
	b.opts.Logger.Info("embedded Kafka broker is ready (for trying out and tests)",
		"addr", b.addr, "data", b.opts.DataDir)
	close(b.ready)

	tick := time.NewTicker(b.retentionEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			cluster.ApplyRetention()
		}
	}
}

func (b *Broker) newCluster(port *listener) (*kfake.Cluster, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DefaultNumPartitions(1),
		kfake.ClusterID("quell-embedded"),
		kfake.WithLogger(clusterLog{b.opts.Logger}),
		kfake.ListenFn(port.open),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms": strconv.Itoa(never),
			"log.retention.ms":       "-1",
			// Let clients that want to notice a dead member quickly do so.
			"group.min.session.timeout.ms":         "100",
			"group.consumer.heartbeat.interval.ms": "500",
		}),
	}
	if b.opts.DataDir != "" {
		opts = append(opts, kfake.DataDir(b.logDir()))
	} else {
		opts = append(opts, kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.Itoa(segmentInMemory)}))
	}
	if c := b.opts.SASL; c != nil {
		// The users of the last run would replace today's: kfake stores them.
		if err := b.forgetUsers(); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.EnableSASL(), kfake.Superuser(c.Mechanism, c.User, c.Password))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("embedded broker at %s, data %q: %w",
			b.opts.Addr, b.opts.DataDir, err)
	}
	if b.opts.DataDir != "" {
		b.compactAtStart(cluster)
	}
	return cluster, nil
}

func (b *Broker) logDir() string { return filepath.Join(b.opts.DataDir, "kafka") }

func (b *Broker) forgetUsers() error {
	if b.opts.DataDir == "" {
		return nil
	}
	err := os.Remove(filepath.Join(b.logDir(), "sasl.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("embedded broker: remove the users of the last run: %w", err)
	}
	return nil
}

// compactAtStart compacts what an earlier run left, unless a transaction is still open in it.
// kfake lets a record that was never committed supersede a committed one: if the transaction is
// then aborted, both are gone. After a clean stop in the middle of a transaction that can happen,
// and then this start compacts nothing.
func (b *Broker) compactAtStart(cluster *kfake.Cluster) {
	var stored struct {
		Topics []struct {
			Name string `json:"name"`
		} `json:"topics"`
	}
	raw, err := os.ReadFile(filepath.Join(b.logDir(), "topics.json"))
	if err == nil {
		err = json.Unmarshal(raw, &stored)
	}
	if err != nil {
		b.opts.Logger.Warn("embedded broker does not compact: its list of topics is not readable",
			"err", err)
		return
	}
	for _, t := range stored.Topics {
		for _, p := range cluster.PartitionInfos(t.Name) {
			if p.LastStableOffset != p.HighWatermark {
				b.opts.Logger.Info("embedded broker does not compact: a transaction is open",
					"topic", t.Name, "partition", p.Partition)
				return
			}
		}
	}
	cluster.Compact()
}
