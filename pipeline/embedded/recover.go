package embedded

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// More of the header of a record batch: see appendtime.go.
const (
	batchProducer = 43 // int64
	batchEpoch    = 51 // int16

	transactional = 0x10 // attributes
	control       = 0x20
)

const recoverWithin = time.Minute

// openTransaction is one that has records in a partition and neither a commit nor an abort.
type openTransaction struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16
}

// recoverLog ends the transactions that were open when the last broker on the directory was killed.
//
// kfake takes them for aborted when it loads the directory and fences their producers, but it writes
// no abort into the log. A read_committed consumer drops everything of a producer from an aborted
// record up to the next abort or commit; and because a transactional id keeps its producer id, that
// next one ends the *new* transaction, whose records are dropped with the old ones. So a broker that
// nobody can reach loads the directory first, gets the missing aborts, and writes all of it down.
func (b *Broker) recoverLog(ctx context.Context) error {
	open, err := b.openTransactions()
	if err != nil {
		return fmt.Errorf("embedded broker: look for open transactions in %s: %w", b.logDir(), err)
	}
	if len(open) == 0 {
		return nil
	}
	b.opts.Logger.Warn("embedded broker was killed the last time: aborting what was open",
		"partitions", len(open))
	var network kfake.VirtualNetwork
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(b.logDir()),
		kfake.ListenFn(network.Listen), kfake.WithLogger(clusterLog{b.opts.Logger}))
	if err != nil {
		return fmt.Errorf("embedded broker: recover %s: %w", b.logDir(), err)
	}
	defer cluster.Close() // writes it down
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.Dialer(network.DialContext))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	for _, tx := range open {
		if err := tx.abort(ctx, cl); err != nil {
			return fmt.Errorf("embedded broker: abort in %s, partition %d, what producer %d left: %w",
				tx.topic, tx.partition, tx.producer, err)
		}
	}
	return nil
}

// abort writes the abort marker, as the coordinator of the transaction would.
func (tx openTransaction) abort(ctx context.Context, cl *kgo.Client) error {
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = tx.topic, []int32{tx.partition}
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch = tx.producer, tx.epoch
	marker.Topics = append(marker.Topics, topic)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, marker)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, m := range resp.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				// A topic that was deleted has nothing left to abort.
				err := kerr.ErrorForCode(p.ErrorCode)
				if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
					return err
				}
			}
		}
	}
	return nil
}

// openTransactions reads the headers of all batches on disk. Where something is open, it also
// removes kfake's summary of the partition, which may be older than the log and would hide it.
func (b *Broker) openTransactions() ([]openTransaction, error) {
	root := filepath.Join(b.logDir(), "partitions")
	dirs, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []openTransaction
	for _, d := range dirs {
		dash := strings.LastIndexByte(d.Name(), '-') // <escaped topic>-<partition>
		if dash < 0 {
			continue
		}
		topic, err := url.PathUnescape(d.Name()[:dash])
		if err != nil {
			continue
		}
		partition, err := strconv.ParseInt(d.Name()[dash+1:], 10, 32)
		if err != nil {
			continue
		}
		dir := filepath.Join(root, d.Name())
		open, err := openIn(dir)
		if err != nil {
			return nil, err
		}
		if len(open) == 0 {
			continue
		}
		err = os.Remove(filepath.Join(dir, "snapshot.json"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for producer, epoch := range open {
			all = append(all, openTransaction{topic, int32(partition), producer, epoch})
		}
	}
	return all, nil
}

// openIn returns the producers, with their epochs, whose transaction is open at the end of a
// partition's log.
func openIn(dir string) (map[int64]int16, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64 // the names of the log's segments are their first offsets
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".dat")
		if base, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	open := make(map[int64]int16)
	for _, base := range bases {
		if err := scanSegment(filepath.Join(dir, fmt.Sprintf("%d.dat", base)), open); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// scanSegment follows the transactions through one file of batches. A batch that was cut off by the
// kill is the last one and is ignored here, as by kfake.
func scanSegment(path string, open map[int64]int16) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	header := make([]byte, batchHeader)
	for {
		if _, err := io.ReadFull(r, header); err != nil {
			return cutOff(err)
		}
		length := int64(int32(binary.BigEndian.Uint32(header[batchLength:])))
		rest := length - (batchHeader - batchLength - 4) // of the header, length counts what follows it
		if rest < 0 {
			return nil
		}
		if _, err := io.CopyN(io.Discard, r, rest); err != nil {
			return cutOff(err)
		}
		attributes := binary.BigEndian.Uint16(header[batchAttributes:])
		producer := int64(binary.BigEndian.Uint64(header[batchProducer:]))
		switch {
		case attributes&control != 0:
			delete(open, producer)
		case attributes&transactional != 0:
			open[producer] = int16(binary.BigEndian.Uint16(header[batchEpoch:]))
		}
	}
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
