package app

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"quell/correlate"
	"quell/pipeline"
)

// Settle waits until everything that was produced to the raw topics has been read, correlated to
// the end and archived: intake has read to ends, correlated says that the engines are done, and the
// archive has inserted the blocks up to the ends of its topics. tick is called with every look.
func Settle(ctx context.Context, s *pipeline.Service, adm *kadm.Client, t pipeline.Topics,
	ends map[correlate.RawPartition]int64, correlated func(pipeline.Status) bool,
	tick func(pipeline.Status)) error {
	look := time.NewTicker(25 * time.Millisecond)
	defer look.Stop()
	for {
		st := s.Status()
		tick(st)
		if readTo(st, t, ends) && len(st.Engines) == int(t.AlertsPartitions) && correlated(st) {
			done, err := archivedAll(ctx, adm, st, t)
			if err != nil {
				return err
			}
			// What was inserted must have been all there was to insert: the engine had nothing more
			// to say before and after.
			if done && s.Status().Pages == st.Pages {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
}

// readTo reports whether intake has read to the ends and every record up to them has become a row:
// what the archive topics hold may not have been all yet when somebody looked.
func readTo(st pipeline.Status, t pipeline.Topics, ends map[correlate.RawPartition]int64) bool {
	records := int64(0)
	for p, end := range ends {
		if end > 0 && st.Read[p.Topic][p.Partition] < end {
			return false
		}
		if p.Topic != t.Responses { // a response becomes no event
			records += end
		}
	}
	return st.Rows["events"]+st.Rows["rejected"] >= records
}

// archivedAll reports whether all that the archive topics hold is in ClickHouse.
func archivedAll(ctx context.Context, adm *kadm.Client, st pipeline.Status, t pipeline.Topics) (bool, error) {
	ends, err := adm.ListEndOffsets(ctx, t.Archive, t.Dispositions)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return false, fmt.Errorf("ends of the archive topics: %w", err)
	}
	done := true
	ends.Each(func(o kadm.ListedOffset) {
		if st.Archived[o.Topic][o.Partition] < o.Offset {
			done = false
		}
	})
	return done, nil
}
