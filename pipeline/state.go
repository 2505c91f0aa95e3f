package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// State topics are compacted. A unit (such as "intake/events/3") keeps in one partition of one of
// them:
//
//	<unit>/chunk/<slot>/<i>   the body, cut into chunks of at most chunkBytes
//	<unit>/manifest           which slot is whole, and what the body stands for
//	<unit>/position           (correlate only) the position committed with the last outputs
//
// A body is written into the slot that the newest manifest does not name, then the manifest: a
// crash in between leaves the former body whole.
const chunkBytes = 512 << 10

// stateVersion is the version of the manifest's form.
const stateVersion = 1

// manifest describes a body.
type manifest struct {
	Version  int    `json:"version"`
	Slot     int    `json:"slot"`
	Chunks   int    `json:"chunks"`
	Bytes    int    `json:"bytes"`
	Sum      string `json:"xxh64"`
	Position int64  `json:"position"`        // next offset to read
	Epoch    uint64 `json:"epoch,omitempty"` // intake: hash of the configuration
	Rules    string `json:"rules,omitempty"` // correlate: hash of the rule set in force
	Hash     string `json:"hash,omitempty"`  // correlate: the engine's rolling hash
}

// committed is a position that was committed with outputs.
type committed struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// unitState is what a state topic says about one unit.
type unitState struct {
	manifest  *manifest
	body      []byte
	committed *committed
}

// chunks returns the records of a body, to be produced before its manifest.
func chunks(topic string, part int32, unit string, slot int, body []byte) []*kgo.Record {
	var records []*kgo.Record
	for i := 0; len(body) > 0; i++ {
		n := min(len(body), chunkBytes)
		records = append(records, &kgo.Record{Topic: topic, Partition: part,
			Key: fmt.Appendf(nil, "%s/chunk/%d/%d", unit, slot, i), Value: body[:n]})
		body = body[n:]
	}
	return records
}

// describe fills the manifest's account of a body.
func (m *manifest) describe(slot int, body []byte) {
	m.Version, m.Slot, m.Bytes = stateVersion, slot, len(body)
	m.Chunks = (len(body) + chunkBytes - 1) / chunkBytes
	m.Sum = fmt.Sprintf("%016x", xxhash.Sum64(body))
}

// stateRecord returns the record of a manifest ("manifest") or a committed position ("position").
func stateRecord(topic string, part int32, unit, name string, v any) (*kgo.Record, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s of %s: %w", name, unit, err)
	}
	return &kgo.Record{Topic: topic, Partition: part, Key: []byte(unit + "/" + name), Value: b}, nil
}

// readState reads what the state topic's partition says about a unit, up to its end.
func (k *Kafka) readState(ctx context.Context, adm *kadm.Client, topic string, part int32, unit string,
) (*unitState, error) {
	st := new(unitState)
	slots := [2]map[string][]byte{{}, {}}
	err := k.readToEnd(ctx, adm, partition{topic, part}, func(r *kgo.Record) error {
		name, ok := strings.CutPrefix(string(r.Key), unit+"/")
		switch {
		case !ok:
		case name == "manifest":
			st.manifest = new(manifest)
			return json.Unmarshal(r.Value, st.manifest)
		case name == "position":
			st.committed = new(committed)
			return json.Unmarshal(r.Value, st.committed)
		case strings.HasPrefix(name, "chunk/0/"):
			slots[0][name[len("chunk/0/"):]] = r.Value
		case strings.HasPrefix(name, "chunk/1/"):
			slots[1][name[len("chunk/1/"):]] = r.Value
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", unit, err)
	}
	if st.manifest == nil {
		return st, nil
	}
	return st, st.assemble(unit, slots)
}

func (st *unitState) assemble(unit string, slots [2]map[string][]byte) error {
	m := st.manifest
	if m.Version != stateVersion || m.Slot < 0 || m.Slot > 1 {
		return fmt.Errorf("state of %s: manifest version %d, slot %d; this quell reads version %d",
			unit, m.Version, m.Slot, stateVersion)
	}
	for i := range m.Chunks {
		st.body = append(st.body, slots[m.Slot][fmt.Sprint(i)]...)
	}
	if sum := fmt.Sprintf("%016x", xxhash.Sum64(st.body)); len(st.body) != m.Bytes || sum != m.Sum {
		return fmt.Errorf("state of %s is damaged: %d bytes with sum %s, the manifest says %d and %s: "+
			"delete the unit's records to rebuild from the log", unit, len(st.body), sum, m.Bytes, m.Sum)
	}
	return nil
}

// stalled is how long a step of recovery may be without an answer. Then the owner begins anew, with
// new connections, and says so: an owner that waits in silence looks like one that works.
const stalled = 30 * time.Second

// readToEnd reads a partition from its start to the high watermark that it has now. Control
// records are kept by the client so that the end is reached by position even when the last
// transactions were aborted.
func (k *Kafka) readToEnd(ctx context.Context, adm *kadm.Client, p partition, each func(*kgo.Record) error) error {
	ends, err := adm.ListEndOffsets(ctx, p.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("end of %s/%d: %w", p.topic, p.id, err)
	}
	starts, err := adm.ListStartOffsets(ctx, p.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("start of %s/%d: %w", p.topic, p.id, err)
	}
	end, _ := ends.Lookup(p.topic, p.id)
	start, _ := starts.Lookup(p.topic, p.id)
	if start.Offset >= end.Offset {
		return nil
	}
	return k.readRange(ctx, p, start.Offset, end.Offset, each)
}

// readRange reads the records of [from, to) that are visible to read_committed.
func (k *Kafka) readRange(ctx context.Context, p partition, from, to int64, each func(*kgo.Record) error) error {
	cl, err := k.client("replay", reading(kgo.ReadCommitted()), []kgo.Opt{kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.id: kgo.NewOffset().At(from)}})})
	if err != nil {
		return err
	}
	defer cl.Close()
	for next := from; next < to; {
		poll, cancel := context.WithTimeout(ctx, stalled)
		fs := cl.PollFetches(poll)
		silent := poll.Err() != nil && fs.NumRecords() == 0
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if silent {
			return fmt.Errorf("read %s/%d: no record for %s at offset %d of %d", p.topic, p.id, stalled, next, to)
		}
		if err := fetchErrors(fs); err != nil {
			return err
		}
		var errs []error
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset >= to {
				next = to
				return
			}
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				errs = append(errs, each(r))
			}
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
