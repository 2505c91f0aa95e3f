package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"quell/bench/workload"
	"quell/cmd/quell/internal/try"
)

// Summary is what a demo prints: the figures of a try and what only a demo can know.
type Summary struct {
	try.Summary
	Seed      uint64           `json:"seed"`
	Stories   int              `json:"stories"`
	Responder Answers          `json:"responder"`
	Truth     workload.Quality `json:"truth"`
}

// Answers counts what the responder said.
type Answers struct {
	Acknowledged int64 `json:"acknowledged"`
	Resolved     int64 `json:"resolved"`
}

// conclude asks broker and archive what happened, and checks that nothing is missing.
func (r *run) conclude(ctx context.Context, truth io.Writer) (Summary, error) {
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	ends, err := r.stage.rawEnds(ctx)
	if err != nil {
		return Summary{}, err
	}
	client := r.stage.archive.Client
	base, err := try.Summarise(ctx, client, r.began, r.player.first, r.watch.lastArchived())
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Summary: base, Seed: r.o.Seed, Stories: len(r.player.truths)}
	s.Responder.Acknowledged, s.Responder.Resolved = r.responder.said()
	s.Events = 0
	for _, end := range ends {
		s.Events += uint64(end)
	}
	if s.Events > 0 {
		s.Compression = 1 - float64(s.Incidents)/float64(s.Events)
	}
	wrong := complete(&s, r.player.sent.Load())
	labels, err := r.label(ctx, ends)
	if err != nil {
		return Summary{}, err
	}
	wrong = errors.Join(wrong, labels.wrong(s.Rejected))
	if s.Truth, err = score(ctx, client, labels); err != nil {
		return Summary{}, err
	}
	s.ElapsedSeconds = time.Since(r.began).Seconds()
	if r.o.Once && interrupted {
		wrong = errors.Join(wrong, errInterrupted)
	}
	if r.o.Truth != "" {
		if err := r.player.truths[0].Write(truth); err != nil {
			return s, err
		}
	}
	if wrong != nil {
		return s, &Incomplete{wrong}
	}
	return s, nil
}

// complete says what is missing between the broker and the archive.
func complete(s *Summary, sent int64) error {
	var errs []error
	if int64(s.Events) != sent {
		errs = append(errs, fmt.Errorf("the broker acknowledged %d events and its raw topics hold %d",
			sent, s.Events))
	}
	if s.Events != s.Archived+s.Rejected {
		errs = append(errs, fmt.Errorf("%d events, but %d are archived and %d rejected: %d are missing",
			s.Events, s.Archived, s.Rejected, int64(s.Events)-int64(s.Archived+s.Rejected)))
	}
	return errors.Join(errs...)
}
