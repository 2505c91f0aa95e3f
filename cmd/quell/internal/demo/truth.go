package demo

import (
	"context"
	"fmt"

	"quell/bench/workload"
	"quell/correlate"
	"quell/sinks/clickhouse"
)

// Labels of positions that are no fault's number.
const (
	unread  = -1 // nothing archived has this position
	unknown = -2 // its id is of none of the stories
)

// labels tells which fault each archived event is of. Faults of several stories are numbered one
// after the other, those without an event left out.
type labels struct {
	faults   int
	of       map[int32][]int32 // by raw partition, by offset
	repeated int               // positions that came by twice
	strange  int               // ids of no story
}

// label reads the ids of all archived events.
func (r *run) label(ctx context.Context, ends map[correlate.RawPartition]int64) (*labels, error) {
	l := &labels{of: map[int32][]int32{}}
	for p, end := range ends {
		of := make([]int32, end)
		for i := range of {
			of[i] = unread
		}
		l.of[p.Partition] = of
	}
	numbers := l.number(r.player.truths)
	rows, err := r.stage.archive.Query(ctx, "SELECT partition, offset, id FROM events")
	if err != nil {
		return nil, fmt.Errorf("ids of the archived events: %w", err)
	}
	defer rows.Close()
	for row, err := range rows.All() {
		if err != nil {
			return nil, fmt.Errorf("ids of the archived events: %w", err)
		}
		partition, ok1 := row[0].(int32)
		offset, ok2 := row[1].(int64)
		id, ok3 := row[2].(string)
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("ids of the archived events: the archive's columns have other types "+
				"than this program: %T %T %T", row[0], row[1], row[2])
		}
		l.add(partition, offset, faultOf(r.player.truths, numbers, id))
	}
	return l, nil
}

// number gives the faults their labels: by story, by the fault's own number.
func (l *labels) number(truths []*workload.Truth) [][]int32 {
	out := make([][]int32, len(truths))
	for i, t := range truths {
		out[i] = make([]int32, len(t.Faults)+1)
		for k, f := range t.Faults {
			if f.Events > 0 {
				l.faults++
				out[i][k+1] = int32(l.faults)
			}
		}
	}
	return out
}

// faultOf returns the label of an event. Each story has its own key, so an id opens under one.
func faultOf(truths []*workload.Truth, numbers [][]int32, id string) int32 {
	for i := len(truths) - 1; i >= 0; i-- {
		if fault, ok := truths[i].FaultOf(id); ok {
			return numbers[i][fault]
		}
	}
	return unknown
}

func (l *labels) add(partition int32, offset int64, label int32) {
	of := l.of[partition]
	if offset < 0 || offset >= int64(len(of)) {
		l.strange++
		return
	}
	if of[offset] != unread {
		l.repeated++
	}
	if label == unknown {
		l.strange++
		label = workload.Noise
	}
	of[offset] = label
}

// wrong says what an archive may not do: hold a position twice, not at all, or one that nobody sent.
func (l *labels) wrong(rejected uint64) error {
	missing := 0
	for _, of := range l.of {
		for _, label := range of {
			if label == unread {
				missing++
			}
		}
	}
	if l.repeated == 0 && l.strange == 0 && uint64(missing) == rejected {
		return nil
	}
	return fmt.Errorf("the archive is not exact: %d raw positions are there twice, %d not at all "+
		"(%d were rejected), %d events have an id that no story gave",
		l.repeated, missing, rejected, l.strange)
}

// score joins the labels with the archive's attribution. It uses the labels up: what is left is in
// no incident.
func score(ctx context.Context, c *clickhouse.Client, l *labels) (workload.Quality, error) {
	incidents, err := c.Incidents(ctx)
	if err != nil {
		return workload.Quality{}, err
	}
	return workload.Score(l.faults, func(yield func(workload.Row) bool) {
		for in := range incidents {
			for label, n := range l.take(in.Positions) {
				if n > 0 && !yield(workload.Row{Incident: in.ID, Fault: int32(label), Events: n}) {
					return
				}
			}
		}
		for label, n := range l.rest() {
			if n > 0 && !yield(workload.Row{Fault: int32(label), Events: n}) {
				return
			}
		}
	})
}

// take counts the labels at the positions, and removes them.
func (l *labels) take(positions map[correlate.RawPartition][]int64) []int64 {
	counts := make([]int64, l.faults+1)
	for p, offsets := range positions {
		of := l.of[p.Partition]
		for _, o := range offsets {
			if label := of[o]; label >= 0 {
				counts[label]++
				of[o] = unread
			}
		}
	}
	return counts
}

// rest counts the labels that nobody took.
func (l *labels) rest() []int64 {
	counts := make([]int64, l.faults+1)
	for _, of := range l.of {
		for _, label := range of {
			if label >= 0 {
				counts[label]++
			}
		}
	}
	return counts
}
