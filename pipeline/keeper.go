package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// keeper keeps the state of one unit on behalf of the one owner that the unit has.
//
// A transactional id belongs to the unit. Opening a keeper takes the id over, which fences the
// owner before, and only then reads: read first, and that one may commit once more after we looked.
// From then on nothing that a former owner still writes can become visible, however late it wakes
// up: its next commit fails with [errFenced].
type keeper struct {
	unit      string
	topic     string // of the state
	partition int32
	cl        *kgo.Client
	source    source
	off       bool        // Options.Uncheckpointed: nothing is kept
	outputs   []partition // that its transactions write to beside the state

	named []string // keys of the chunks that the committed manifest names
	idle  []string // keys of chunks to delete with the next manifest
}

// keeping says what to keep and where.
type keeping struct {
	role string // begins the unit's name
	of   partition
	// topic and partition hold the state.
	topic     string
	partition int32
	off       bool
	outputs   []partition // that the unit's transactions write to beside the state
	more      [][]kgo.Opt // for the client, which the owner may use as well
	recycles  bool        // the owner recycles what it reads with the client
}

// Why a commit failed: another owner has taken the unit, or nobody knows whether it succeeded. A
// keeper is of no more use after either.
var (
	errFenced    = errors.New("another owner has taken the partition")
	errUncertain = errors.New("it is not known whether it was written")
)

// transactionTimeout is how long a transaction of an owner that died, and that nobody succeeds,
// holds back the readers of its outputs. A checkpoint has no other readers than owners, who end what
// is open first; it may be a gigabyte on its way to a slow broker.
const (
	transactionTimeout = 30 * time.Second
	checkpointTimeout  = 5 * time.Minute
)

func (w keeping) timeout() time.Duration {
	if len(w.outputs) == 0 {
		return checkpointTimeout
	}
	return transactionTimeout
}

func (w keeping) unit() string { return fmt.Sprintf("%s/%s/%d", w.role, w.of.topic, w.of.id) }

// newKeeper makes a keeper that has not taken its unit over yet.
func (k *Kafka) newKeeper(w keeping) (*keeper, error) {
	kp := &keeper{unit: w.unit(), topic: w.topic, partition: w.partition, off: w.off, outputs: w.outputs}
	opts := append([][]kgo.Opt{writing(0)}, w.more...)
	if !w.off {
		opts = append(opts, []kgo.Opt{kgo.TransactionTimeout(w.timeout()),
			kgo.TransactionalID(k.Group + "-" + strings.ReplaceAll(kp.unit, "/", "-"))})
	}
	var err error
	if w.recycles {
		kp.cl, err = k.recycling(kp.unit, maxDecompressBytes, opts...)
	} else {
		kp.cl, err = k.client(kp.unit, opts...)
	}
	return kp, err
}

// keep takes the unit over and reads its state.
func (k *Kafka) keep(ctx context.Context, adm *kadm.Client, w keeping) (*keeper, *unitState, error) {
	kp, err := k.newKeeper(w)
	if err != nil {
		return nil, nil, err
	}
	st, err := kp.open(ctx, k, adm, w.of)
	if err != nil {
		kp.close()
		return nil, nil, err
	}
	return kp, st, nil
}

func (kp *keeper) open(ctx context.Context, k *Kafka, adm *kadm.Client, of partition) (*unitState, error) {
	var err error
	if kp.source, err = identify(ctx, adm, of.topic); err != nil || kp.off {
		return &unitState{unit: kp.unit}, err
	}
	if err := kp.take(ctx); err != nil {
		return nil, err
	}
	st, err := k.readState(ctx, adm, kp.topic, kp.partition, kp.unit)
	if err != nil {
		return nil, err
	}
	kp.named, kp.idle = st.keys()
	if m := st.manifest; m != nil && m.Source.ID != kp.source.ID {
		return nil, &Refusal{differs(m.Source, kp.source)}
	}
	return st, nil
}

// take fences the owner before, and then aborts a transaction of its own that touches every partition
// the unit writes to.
//
// Fencing aborts what the former owner had open. But a broker that lost its session for a moment may
// forget to write the abort into some partitions (seen with Kafka 4.3, whose log says that the markers
// "can be skipped"). There the transaction stays open: readers of committed records stand still before
// it, and the next commit of this producer would commit its records too. The abort of our own
// transaction ends it the right way.
//
// That transaction is written in two halves, and the second makes the first safe. A client enters a
// topic that it never produced to before into its books only behind the topic's first records (seen
// with franz-go v1.22: the metadata update produces what waited for it, and then stores the topic's
// partitions). On a busy machine the broker's answer overtakes that, and the end of the transaction
// passes over the topic: its sequence numbers go on where they should begin again, and the broker
// refuses the owner's first commit as OUT_OF_ORDER_SEQUENCE_NUMBER. If no topic of a transaction were
// entered yet, the client would even abort what it was told to commit, and report success. To produce
// to a topic again waits for the entry. So no topic is new to the client once a keeper has its unit.
func (kp *keeper) take(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stalled)
	defer cancel()
	_, _, err := kp.cl.ProducerID(ctx)
	if err == nil {
		err = kp.cl.BeginTransaction()
	}
	for range 2 { // see above
		if err == nil {
			err = write(ctx, kp.cl, kp.touch()...)
		}
	}
	if err == nil {
		err = kp.cl.EndTransaction(ctx, kgo.TryAbort)
	}
	if err != nil {
		return fmt.Errorf("take over the transactional id of %s: %w", kp.unit, err)
	}
	return nil
}

// touch returns a record that says nothing for every partition that the unit writes to.
func (kp *keeper) touch() []*kgo.Record {
	records := []*kgo.Record{kp.record(kp.unit+"/taken", nil)}
	for _, p := range kp.outputs {
		records = append(records, &kgo.Record{Topic: p.topic, Partition: p.id, Key: []byte(kp.unit + "/taken")})
	}
	return records
}

func (kp *keeper) close() { kp.cl.Close() }

// save commits a manifest with its body in one transaction.
func (kp *keeper) save(ctx context.Context, m manifest, body []byte) error {
	if kp.off {
		return nil
	}
	m.describe(body)
	last, err := kp.manifest(&m)
	if err != nil {
		return err
	}
	if err := kp.commit(ctx, append(kp.chunks(&m, body), last...)); err != nil {
		return fmt.Errorf("write the checkpoint of %s at %d: %w", kp.unit, m.Position, err)
	}
	kp.turned(&m)
	return nil
}

// chunks returns the records of a body that m describes. They may be written in the manifest's
// transaction, or before it: they count for nothing until a manifest names them.
func (kp *keeper) chunks(m *manifest, body []byte) []*kgo.Record {
	var records []*kgo.Record
	for i := 0; len(body) > 0; i++ {
		n := min(len(body), chunkBytes)
		records = append(records, kp.record(m.chunkKey(kp.unit, i), body[:n]))
		body = body[n:]
	}
	return records
}

// manifest returns the record that makes m the newest manifest, and those that delete the chunks
// which nobody needs then.
func (kp *keeper) manifest(m *manifest) ([]*kgo.Record, error) {
	m.Source = kp.source
	value, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the manifest of %s: %w", kp.unit, err)
	}
	records := []*kgo.Record{kp.record(kp.unit+"/manifest", value)}
	own := map[string]bool{}
	for i := range m.Chunks {
		own[m.chunkKey(kp.unit, i)] = true
	}
	for _, keys := range [][]string{kp.named, kp.idle} {
		for _, key := range keys {
			if !own[key] {
				records = append(records, kp.record(key, nil))
			}
		}
	}
	return records, nil
}

// turned notes that m has been committed.
func (kp *keeper) turned(m *manifest) {
	kp.named, kp.idle = nil, nil
	for i := range m.Chunks {
		kp.named = append(kp.named, m.chunkKey(kp.unit, i))
	}
}

// drop lets the chunks of a body that will never be named be deleted with the next manifest.
func (kp *keeper) drop(m *manifest) {
	for i := range m.Chunks {
		kp.idle = append(kp.idle, m.chunkKey(kp.unit, i))
	}
}

// position returns the record of a position that is committed with outputs.
func (kp *keeper) position(c committed) (*kgo.Record, error) {
	value, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the position of %s: %w", kp.unit, err)
	}
	return kp.record(kp.unit+"/position", value), nil
}

func (kp *keeper) record(key string, value []byte) *kgo.Record {
	return &kgo.Record{Topic: kp.topic, Partition: kp.partition, Key: []byte(key), Value: value}
}

// commit produces records in one transaction. After an error whether they are visible is not known;
// the next owner, possibly ourselves, finds out.
func (kp *keeper) commit(ctx context.Context, records []*kgo.Record) error {
	if kp.off {
		return write(ctx, kp.cl, records...)
	}
	if err := kp.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w: %w", errUncertain, err)
	}
	err := write(ctx, kp.cl, records...)
	if err == nil {
		err = kp.cl.EndTransaction(ctx, kgo.TryCommit)
	}
	if fenced(err) {
		return fmt.Errorf("%w: %w", errFenced, err)
	}
	if err != nil {
		return fmt.Errorf("commit %d records: %w: %w", len(records), errUncertain, err)
	}
	return nil
}

// afterLoss returns the position to read from, where the log begins at first: what lay in between
// is lost to quell, and standing still would lose more.
func afterLoss(log *slog.Logger, m *metrics, part partition, position, first int64) int64 {
	if first > position {
		m.lost.WithLabelValues(part.topic).Add(float64(first - position))
		log.Error("records are lost: retention took them before they were read; give the topic a "+
			"longer retention time", "topic", part.topic, "partition", part.id, "from", position, "to", first)
	}
	return max(position, first)
}
