package demo

import (
	"context"
	"fmt"
	"maps"
	"time"

	"quell/cmd/quell/internal/app"
	"quell/correlate"
	"quell/pipeline"
)

const (
	// owed is how long after the last event intake may still tell a trailing count: twice the
	// update_interval of the demo's configuration.
	owed = 2 * time.Second
	// interrupted bounds how long an interrupted demo archives what it has.
	interrupted = 20 * time.Second
)

// settle waits until what was sent has had all its consequences and everything is archived. When
// the demo was interrupted it waits for the archive alone: incidents stay open.
func (r *run) settle(ctx, run context.Context) error {
	r.watch.ending.Store(true)
	if !r.o.Once || ctx.Err() != nil {
		r.responder.retired.Store(true)
		bounded, cancel := context.WithTimeoutCause(run, interrupted, fmt.Errorf(
			"what was sent is not archived %s after the interruption", interrupted))
		defer cancel()
		return r.archived(bounded)
	}
	waiting, cancel := context.WithCancelCause(run)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(errInterrupted) })()
	err := r.consequences(waiting)
	if ctx.Err() != nil {
		return r.settle(ctx, run)
	}
	if err != nil {
		return err
	}
	return r.archived(run)
}

var errInterrupted = fmt.Errorf("interrupted before the story had ended: incidents may be open")

// ends returns up to where raw topics and responses are to be read.
func (r *run) ends(ctx context.Context) (map[correlate.RawPartition]int64, error) {
	ends, err := r.stage.rawEnds(ctx)
	if err != nil {
		return nil, err
	}
	r.responder.addEnds(ends)
	return ends, nil
}

// consequences waits until intake has read everything, the engine has stepped over everything that
// intake said about it, no incident is open and the responder is silent; an answer that comes
// meanwhile begins the wait anew.
func (r *run) consequences(ctx context.Context) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	var read map[correlate.RawPartition]int64 // the ends that intake has come to
	var since time.Time                       // when it had
	var alerts map[int32]int64                // ends of the alerts topic, after what it owed
	for {
		st := r.stage.service.Status()
		ends, err := r.ends(ctx)
		if err != nil {
			return err
		}
		switch {
		case !maps.Equal(read, ends):
			alerts = nil
			if reached(st, ends) {
				read, since = ends, time.Now()
			}
		case time.Since(since) < owed:
		case alerts == nil:
			if alerts, err = r.stage.alertsEnds(ctx); err != nil {
				return err
			}
		case stepped(st, alerts) && st.Open() == 0 && r.responder.idle(st.Pages):
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-look.C:
		}
	}
}

func reached(st pipeline.Status, ends map[correlate.RawPartition]int64) bool {
	for p, end := range ends {
		if st.Read[p.Topic][p.Partition] < end {
			return false
		}
	}
	return true
}

func stepped(st pipeline.Status, alerts map[int32]int64) bool {
	for p, end := range alerts {
		if st.Correlated[p] < end {
			return false
		}
	}
	return true
}

// archived waits until ClickHouse has everything that the archive's topics hold.
func (r *run) archived(ctx context.Context) error {
	ends, err := r.ends(ctx)
	if err != nil {
		return err
	}
	return app.Settle(ctx, r.stage.service, r.stage.admin, r.stage.pipeline.Topics, ends,
		func(pipeline.Status) bool { return true }, r.watch.note)
}

// rawEnds asks the broker where the raw topics end. Partitions that are empty are left out.
func (s *stage) rawEnds(ctx context.Context) (map[correlate.RawPartition]int64, error) {
	out := map[correlate.RawPartition]int64{}
	for _, t := range s.pipeline.Topics.Raw {
		ends, err := s.endsOf(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		for p, end := range ends {
			if end > 0 {
				out[correlate.RawPartition{Topic: t.Name, Partition: p}] = end
			}
		}
	}
	return out, nil
}

func (s *stage) alertsEnds(ctx context.Context) (map[int32]int64, error) {
	return s.endsOf(ctx, s.pipeline.Topics.Alerts)
}

func (s *stage) endsOf(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := s.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	for p, end := range listed[topic] {
		out[p] = end.Offset
	}
	return out, nil
}
