package pipeline

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// snapshotAge is how old the newest snapshot of an engine that moves may become, however little
// comes: it bounds the replay, and so how far back the log must reach.
const snapshotAge = 5 * time.Minute

// snapshot is where an engine stands with its snapshots. The engine's state is taken between two
// steps; its chunks are written beside the work, outside of transactions, and count once a manifest
// is committed that names them.
type snapshot struct {
	position int64     // of the newest committed one
	taken    time.Time // the last one
	size     int       // of the last one
	under    *manifest // being written, or written
	done     chan error
	body     []byte // memory for the next one: nobody reads it any more
}

// from takes up what was committed.
func (s *snapshot) from(st *unitState) {
	s.taken = time.Now()
	if st.manifest != nil {
		s.position, s.size = st.manifest.Position, st.manifest.Bytes
	}
}

// due reports whether it is time for the next: the log has grown long or the last one is old, and
// the state topic is not written faster than checkpointBytes a second.
func (s *snapshot) due(position, every int64) bool {
	since := time.Since(s.taken)
	if s.under != nil || position == s.position || since < time.Duration(s.size)*time.Second/checkpointBytes {
		return false
	}
	return position-s.position >= every || since >= snapshotAge
}

// beginSnapshot begins a snapshot if one is due; a clean stop waits for the one under way, and wants
// one of where it stands.
func (e *engineOwner) beginSnapshot(ctx context.Context, clean bool) error {
	s, position := &e.snapshot, e.engine.Position()
	if clean {
		s.wait()
	}
	last := position > s.position && (s.under == nil || s.under.Position != position)
	if !(clean && last) && !s.due(position, e.c.o.Correlate.SnapshotEvery) {
		return nil
	}
	body, hash := e.engine.Snapshot(s.room()), e.engine.Hash()
	if s.under != nil {
		e.keeper.drop(s.under)
	}
	m := &manifest{Position: position, Rules: e.engine.Rules().String(), Hash: hex.EncodeToString(hash[:])}
	m.describe(body)
	s.under, s.taken, s.size, s.done = m, time.Now(), len(body), make(chan error, 1)
	records, done := e.keeper.chunks(m, body), s.done
	s.body = body
	go func() { done <- writeChunks(ctx, e.c.plain, records) }()
	return nil
}

// Chunks leave two in a batch and eight at a time: what the client and the broker need to assemble
// them stays small and is used again, and the ticks, which the same client appends, find their way
// between them.
const (
	chunksTogether = 8
	chunksInBatch  = 2
)

// snapshots sets the size of batches of a producer of chunks.
func snapshots(topic string) []kgo.Opt {
	return []kgo.Opt{kgo.ProducerBatchMaxBytesFn(func(t string) int32 {
		if t == topic {
			return chunksInBatch * (chunkBytes + 1<<10) // and what names them
		}
		return maxRecordBytes
	})}
}

func writeChunks(ctx context.Context, cl *kgo.Client, records []*kgo.Record) error {
	for some := range slices.Chunk(records, chunksTogether) {
		if err := write(ctx, cl, some...); err != nil {
			return err
		}
	}
	return nil
}

// room takes the memory of the last snapshot, which is never asked for while that is being written.
// Tens of megabytes that are new each time cost more to be had than to be filled. But if the writing
// failed, the client may still hold on to it.
func (s *snapshot) room() []byte {
	body := s.body
	s.body = nil
	if s.under != nil {
		err := <-s.done
		if s.done <- err; err != nil {
			return nil
		}
	}
	return body[:0]
}

// written returns the manifest of a snapshot whose chunks have all been written, or nil.
func (s *snapshot) written(wait bool) (*manifest, error) {
	if s.under == nil {
		return nil, nil
	}
	if wait {
		s.wait()
	}
	select {
	case err := <-s.done:
		s.done <- err // until it is committed, it stays written
		if err != nil {
			return nil, err
		}
		return s.under, nil
	default:
		return nil, nil
	}
}

// wait returns when nothing is being written.
func (s *snapshot) wait() {
	if s.under != nil {
		s.done <- <-s.done
	}
}

// turned notes that m was committed.
func (s *snapshot) turned(m *manifest) { s.position, s.under = m.Position, nil }
