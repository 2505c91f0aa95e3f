package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Unit is what the state topics say about one partition that a role works on.
type Unit struct {
	Name       string    `json:"unit"`     // role/topic/partition
	Position   int64     `json:"position"` // next offset to read after a restart
	Snapshot   int64     `json:"snapshot"` // position of the body that a restart begins with
	Bytes      int       `json:"bytes"`    // of that body
	Saved      time.Time `json:"saved"`    // when the newest position was written
	Topic      string    `json:"topic"`
	TopicID    string    `json:"topic_id"`
	Partitions int32     `json:"partitions"` // of the topic, when it was written
	Epoch      string    `json:"epoch,omitempty"`
	Rules      string    `json:"rules,omitempty"`
	Hash       string    `json:"hash,omitempty"`
	// Inserting ends the round of inserts that begins at Position and may not have come to its end;
	// it is Position when none is under way, and 0 for other roles.
	Inserting int64 `json:"inserting,omitempty"`
}

// Units reads what the state topics say about all units, by name. It changes nothing.
func Units(ctx context.Context, k *Kafka, t *Topics) ([]Unit, error) {
	cl, err := k.client("units")
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	units := map[string]*Unit{}
	for topic, partitions := range map[string]int32{t.Checkpoints: t.ArchivePartitions,
		t.Snapshots: t.AlertsPartitions} {
		for id := range partitions {
			p := partition{topic, id}
			start, end, err := bounds(ctx, adm, p)
			if err == nil && start < end {
				err = k.readDecided(ctx, p, start, end, func(r *kgo.Record) error { return note(units, r) })
			}
			if err != nil {
				return nil, fmt.Errorf("read %s/%d: %w", topic, id, err)
			}
		}
	}
	var out []Unit
	for _, name := range slices.Sorted(maps.Keys(units)) {
		out = append(out, *units[name])
	}
	return out, nil
}

// note takes a record of a state topic into the account of its unit.
func note(units map[string]*Unit, r *kgo.Record) error {
	i := strings.LastIndexByte(string(r.Key), '/')
	name, what := string(r.Key[:max(i, 0)]), string(r.Key[i+1:])
	if what != "manifest" && what != "position" {
		return nil
	}
	if r.Value == nil {
		delete(units, name)
		return nil
	}
	u := units[name]
	if u == nil {
		u = &Unit{Name: name}
		units[name] = u
	}
	u.Saved = r.Timestamp.UTC()
	if what == "position" {
		var c committed
		err := json.Unmarshal(r.Value, &c)
		u.Position, u.Hash = c.Position, c.Hash
		return err
	}
	var m manifest
	if err := json.Unmarshal(r.Value, &m); err != nil {
		return fmt.Errorf("manifest of %s: %w", name, err)
	}
	u.Position, u.Snapshot, u.Bytes, u.Rules = max(u.Position, m.Position), m.Position, m.Bytes, m.Rules
	u.Topic, u.TopicID, u.Partitions = m.Source.Topic, m.Source.ID, m.Source.Partitions
	if m.Epoch != 0 {
		u.Epoch = fmt.Sprintf("%016x", m.Epoch)
	}
	if m.Insert != nil {
		u.Position, u.Inserting = m.Position, m.Insert.Until
	}
	return nil
}

// ErrNoUnit says that the state topics know nothing of a unit.
var ErrNoUnit = errors.New("no such unit")

// ResetUnit forgets what a unit has kept, so that its owner rebuilds it from the log. It takes the
// unit over from an owner that runs, which then finds itself succeeded and begins anew.
//
// Of intake and archive, positions are forgotten too: what is said again is ignored by its position.
// An alerts partition keeps its position: up to there the log is folded silently, so that nothing is
// told twice, and the result is not compared with what was committed.
func ResetUnit(ctx context.Context, k *Kafka, t *Topics, name string) error {
	w, err := parseUnit(t, name)
	if err != nil {
		return err
	}
	cl, err := k.client("reset")
	if err != nil {
		return err
	}
	defer cl.Close()
	kp, err := k.newKeeper(w)
	if err != nil {
		return err
	}
	defer kp.close()
	if err := kp.take(ctx); err != nil {
		return err
	}
	at := partition{w.topic, w.partition}
	start, end, err := bounds(ctx, kadm.NewClient(cl), at)
	if err != nil {
		return err
	}
	st, err := k.foldState(ctx, at, start, end, kp.unit)
	if err != nil {
		return err
	}
	records, err := kp.forget(st)
	if err != nil {
		return err
	}
	return kp.commit(ctx, records)
}

// forget returns the records that reset a unit.
func (kp *keeper) forget(st *unitState) ([]*kgo.Record, error) {
	if st.manifest == nil && len(st.commits) == 0 {
		return nil, fmt.Errorf("%s: %w: `quell checkpoints` lists those that are known", kp.unit, ErrNoUnit)
	}
	records := []*kgo.Record{kp.record(kp.unit+"/manifest", nil)}
	for _, key := range slices.Sorted(maps.Keys(st.chunks)) {
		records = append(records, kp.record(key, nil))
	}
	if !strings.HasPrefix(kp.unit, "correlate/") {
		return records, nil
	}
	var at committed
	if st.manifest != nil {
		at.Position = st.manifest.Position
	}
	if n := len(st.commits); n > 0 {
		at.Position = st.commits[n-1].Position
	}
	pos, err := kp.position(at)
	return append(records, kp.record(kp.unit+"/position", nil), pos), err
}

// parseUnit finds where the state of a unit lies.
func parseUnit(t *Topics, name string) (keeping, error) {
	parts := strings.Split(name, "/")
	id, err := strconv.ParseInt(parts[len(parts)-1], 10, 32)
	if len(parts) != 3 || err != nil || id < 0 {
		return keeping{}, fmt.Errorf("unit %q: a unit is <role>/<topic>/<partition>, such as intake/%s/0",
			name, t.Raw[0].Name)
	}
	of := partition{parts[1], int32(id)}
	switch parts[0] {
	case "intake", "archive":
		o := &Options{Topics: *t}
		return o.checkpoint(parts[0], of), nil
	case "correlate":
		return keeping{role: parts[0], of: of, topic: t.Snapshots, partition: of.id}, nil
	}
	return keeping{}, fmt.Errorf("unit %q: the role is intake, correlate or archive", name)
}
