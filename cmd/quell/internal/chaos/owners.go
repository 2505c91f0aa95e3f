package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quell/correlate"
)

// owned says which partitions each process has, in one role's group, by the broker's account. The
// names of processes are the client ids of their members.
type owned map[string]partitions

// partitions is a set of partitions of whatever topics.
type partitions map[correlate.RawPartition]bool

// roles of a process, as the groups are named after them.
const (
	intake      = "intake"
	correlation = "correlate"
	archiving   = "archive"
)

// owners asks the broker. A group that is not at rest is an error: it may change at once.
func (w *world) owners(ctx context.Context, role string) (owned, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	group := w.prefix + "-" + role
	all, err := w.adm.DescribeGroups(ctx, group)
	if err != nil {
		return nil, err
	}
	g := all[group]
	if g.Err != nil || g.State != "Stable" {
		return nil, fmt.Errorf("group %s is %s: %w", group, g.State, g.Err)
	}
	out := owned{}
	for _, m := range g.Members {
		name, _, _ := strings.Cut(m.ClientID, "-")
		if out[name] == nil {
			out[name] = partitions{}
		}
		if c, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range c.Topics {
				for _, p := range t.Partitions {
					out[name][correlate.RawPartition{Topic: t.Topic, Partition: p}] = true
				}
			}
		}
	}
	return out, nil
}

// all counts the partitions that anybody has.
func (o owned) all() (n int) {
	for _, parts := range o {
		n += len(parts)
	}
	return n
}

// partitionsOf is how many partitions a role works on.
func (w *world) partitionsOf(role string) int {
	switch role {
	case intake:
		return rawPartitions + 1
	case correlation:
		return int(w.topics.AlertsPartitions)
	}
	return int(w.topics.AlertsPartitions + w.topics.ArchivePartitions)
}

// placed reports whether, in every role, exactly the running processes are members and have all
// partitions.
func (w *world) placed(ctx context.Context) (bool, error) {
	if err := w.healthy(); err != nil {
		return false, err
	}
	for _, role := range []string{intake, correlation, archiving} {
		o, err := w.owners(ctx, role)
		if err != nil {
			return false, err
		}
		var want []string
		for _, n := range w.running() {
			if n.has(role) {
				want = append(want, n.name)
			}
		}
		have := slices.Sorted(maps.Keys(o))
		slices.Sort(want)
		if !slices.Equal(have, want) || o.all() != w.partitionsOf(role) {
			return false, fmt.Errorf("%s: members %v with %d partitions, want %v with %d", role, have,
				o.all(), want, w.partitionsOf(role))
		}
	}
	return true, nil
}

// settle waits until all running processes are members and everything is placed.
func (w *world) settle(ctx context.Context) error {
	return until(ctx, 40*time.Second, "every process is a member and every partition has an owner",
		func() (bool, error) { return w.placed(ctx) })
}
