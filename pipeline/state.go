package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// State topics are compacted. A unit (such as "intake/events/3") keeps in one partition of one of
// them:
//
//	<unit>/chunk/<position>.<sum>/<i>   a body, cut into chunks of at most chunkBytes
//	<unit>/manifest                     which body counts, and what it stands for
//	<unit>/position                     (correlate only) the position committed with the last outputs
//
// The keys of a body name its content. So nothing that anybody writes can damage the body that the
// manifest names: not a crash half-way, not an owner of yesterday who wakes up and writes on.
// Chunks that no manifest names any more are deleted together with the next manifest.
const chunkBytes = 512 << 10

// stateVersion is the version of the manifest's form.
const stateVersion = 3

// manifest describes what a unit has done.
type manifest struct {
	Version  int    `json:"version"`
	Position int64  `json:"position"` // next offset to read
	Source   source `json:"source"`   // the topic that positions are of
	Chunks   int    `json:"chunks,omitempty"`
	Bytes    int    `json:"bytes,omitempty"`
	Sum      string `json:"xxh64,omitempty"`

	Epoch uint64 `json:"epoch,omitempty"` // intake: hash of the configuration
	Rules string `json:"rules,omitempty"` // correlate: hash of the rule set in force
	Hash  string `json:"hash,omitempty"`  // correlate: the engine's rolling hash

	// archive: what is being inserted, or may be.
	Insert *insertLog `json:"insert,omitempty"`
}

// committed is a position that was committed with outputs.
type committed struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
	Engine   int    `json:"engine"` // version of the engine: hashes of two versions are not compared
}

// describe fills the manifest's account of a body.
func (m *manifest) describe(body []byte) {
	m.Version, m.Bytes = stateVersion, len(body)
	m.Chunks = (len(body) + chunkBytes - 1) / chunkBytes
	m.Sum = fmt.Sprintf("%016x", xxhash.Sum64(body))
}

// chunkKey names chunk i of the body that the manifest describes.
func (m *manifest) chunkKey(unit string, i int) string {
	return fmt.Sprintf("%s/chunk/%d.%s/%d", unit, m.Position, m.Sum, i)
}

// unitState is what a state topic says about one unit.
type unitState struct {
	unit     string
	manifest *manifest
	body     []byte
	// commits are the positions committed after the manifest's, in order, as far as compaction has
	// left them; the newest is always there.
	commits []committed
	chunks  map[string]chunk // by key; without a value are those that the newest manifest does not name
	reset   bool             // the newest manifest was deleted
}

// chunk is a part of a body, and where it lies in the state topic.
type chunk struct {
	value []byte
	at    int64
}

// maxCommits bounds how many committed positions are remembered until they are compared: every
// other one is forgotten beyond it.
const maxCommits = 1 << 16

// newest is how many records from the end of a state partition are looked at first. The units of a
// partition write in turn, so what a recovery needs is usually there; if not, eight times as many are
// looked at, up to all.
const newest = 256

// readState reads what the state topic's partition says about a unit.
func (k *Kafka) readState(ctx context.Context, adm *kadm.Client, topic string, part int32, unit string,
) (*unitState, error) {
	p := partition{topic, part}
	start, end, err := bounds(ctx, adm, p)
	if err != nil {
		return nil, err
	}
	for n := int64(newest); ; n *= 8 {
		from := max(start, end-n)
		st, err := k.foldState(ctx, p, from, end, unit)
		if err != nil {
			return nil, err
		}
		if from == start || st.whole() {
			return st, st.assemble()
		}
	}
}

// foldState folds what the records of [from, to) say about a unit.
func (k *Kafka) foldState(ctx context.Context, p partition, from, to int64, unit string) (*unitState, error) {
	st := &unitState{unit: unit, chunks: map[string]chunk{}}
	if from < to {
		if err := k.readDecided(ctx, p, from, to, st.fold); err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", unit, err)
		}
	}
	return st, nil
}

// whole reports whether the newest manifest and all that it names were among the records.
func (st *unitState) whole() bool {
	if st.manifest == nil {
		return st.reset
	}
	for i := range st.manifest.Chunks {
		if st.chunks[st.manifest.chunkKey(st.unit, i)].value == nil {
			return false
		}
	}
	return true
}

// fold takes one record of the state topic.
func (st *unitState) fold(r *kgo.Record) error {
	name, ok := strings.CutPrefix(string(r.Key), st.unit+"/")
	switch {
	case !ok:
		return nil
	case name == "manifest":
		return st.turn(r.Value, r.Offset)
	case name == "position":
		return st.commit(r.Value)
	case r.Value == nil:
		delete(st.chunks, string(r.Key))
	default:
		st.chunks[string(r.Key)] = chunk{r.Value, r.Offset}
	}
	return nil
}

// turn makes the manifest that lies at an offset the newest. Of the chunks before it only its own are
// of use from now on. Those behind it are the next one's: a manifest counts from the marker of its
// transaction on, which a broker may write after chunks that no transaction holds back.
func (st *unitState) turn(value []byte, at int64) error {
	st.manifest, st.reset = nil, value == nil
	own := map[string]bool{}
	if value != nil {
		st.manifest = new(manifest)
		if err := json.Unmarshal(value, st.manifest); err != nil {
			return fmt.Errorf("manifest of %s: %w", st.unit, err)
		}
		for i := range st.manifest.Chunks {
			own[st.manifest.chunkKey(st.unit, i)] = true
		}
	}
	for key, c := range st.chunks {
		if !own[key] && c.at < at {
			st.chunks[key] = chunk{at: c.at}
		}
	}
	for st.manifest != nil && len(st.commits) > 0 && st.commits[0].Position <= st.manifest.Position {
		st.commits = st.commits[1:]
	}
	return nil
}

func (st *unitState) commit(value []byte) error {
	if value == nil {
		st.commits = nil
		return nil
	}
	var c committed
	if err := json.Unmarshal(value, &c); err != nil {
		return fmt.Errorf("committed position of %s: %w", st.unit, err)
	}
	if st.manifest != nil && c.Position <= st.manifest.Position {
		return nil
	}
	if len(st.commits) == maxCommits {
		for i := range maxCommits / 2 {
			st.commits[i] = st.commits[2*i+1]
		}
		st.commits = st.commits[:maxCommits/2]
	}
	st.commits = append(st.commits, c)
	return nil
}

// assemble puts the body together.
func (st *unitState) assemble() error {
	m := st.manifest
	if m == nil {
		return nil
	}
	if m.Version != stateVersion {
		return fmt.Errorf("state of %s: manifest version %d; this quell reads version %d: run `quell "+
			"checkpoints reset %s` to rebuild from the log", st.unit, m.Version, stateVersion, st.unit)
	}
	st.body = make([]byte, 0, min(m.Bytes, len(st.chunks)*chunkBytes))
	for i := range m.Chunks {
		st.body = append(st.body, st.chunks[m.chunkKey(st.unit, i)].value...)
	}
	if sum := fmt.Sprintf("%016x", xxhash.Sum64(st.body)); len(st.body) != m.Bytes || sum != m.Sum {
		return fmt.Errorf("state of %s is damaged: %d bytes with sum %s, the manifest says %d and %s: "+
			"run `quell checkpoints reset %s` to rebuild from the log", st.unit, len(st.body), sum,
			m.Bytes, m.Sum, st.unit)
	}
	return nil
}

// keys returns the keys of the chunks that the newest manifest names, idle those of all others.
func (st *unitState) keys() (named, idle []string) {
	own := map[string]bool{}
	if m := st.manifest; m != nil {
		for i := range m.Chunks {
			key := m.chunkKey(st.unit, i)
			own[key] = true
			named = append(named, key)
		}
	}
	for key := range st.chunks {
		if !own[key] {
			idle = append(idle, key)
		}
	}
	return named, idle
}
