// Package demo shows quell at work: a storm of monitoring events with a known truth runs through
// the same service that `quell run` starts, on an embedded broker and an embedded ClickHouse, while
// somebody who could be a paging service answers the pages.
//
// # The parts
//
//   - The [player] sends the events of a story (bench/workload) to the raw topic at the moments that
//     the story names. A machine that does not keep up sends late; what the events say about their
//     own time stays as it was told.
//   - The service is the product's: intake, correlate, archive. Nothing here looks inside but for
//     the picture, which shows the service's own status.
//   - The [responder] consumes the pages topic, read_committed, as a paging service would. It
//     acknowledges and resolves through the responses topic.
//   - A [Screen] shows it: live in place on a terminal, as plain lines elsewhere.
//
// # Where the figures come from
//
// A summary says what the running system did, never what the generator meant to do. How many events
// there are is asked of the broker; what became of them, of ClickHouse by SQL. The truth is scored
// over the archive: each archived event's own id tells its fault, the archive's attribution tells
// its incident, and the two are joined by raw position. On the way every position must come by
// exactly once, so an event that was lost or archived twice is an error, not a figure.
//
// # The end
//
// With Options.Once a run ends by itself when the story is told, the responder has nothing left to
// do, no incident is open and everything that the topics hold is in ClickHouse. Otherwise stories
// follow each other, each with the next seed, until ctx ends; what had been sent by then is still
// archived and summarised.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"quell/cmd/quell/internal/config"
	"quell/correlate"
)

// StoryLength is how long a story takes.
const StoryLength = 40 * correlate.Second

// pauseBetween is the time between two stories, in which the incidents of the first end.
const pauseBetween = 10 * time.Second

// configuration is the demo's configuration file.
//
//go:embed quell.yaml
var configuration []byte

// Configuration returns the bytes of the demo's configuration file, quell.yaml.
func Configuration() []byte { return append([]byte{}, configuration...) }

// Options say what to show.
type Options struct {
	Config *config.Config // of Configuration, or another one
	Seed   uint64         // of the first story
	Events int            // of each story
	Once   bool           // one story, then settle and return
	Data   string         // directory of the archive, kept; "" is a temporary one
	Truth  string         // file to write the truth of the story to; needs Once
	Logger *slog.Logger
	Screen Screen // nil shows nothing
}

// Run tells stories until ctx ends, or one with Once, and returns what the archive knows of them.
// The Summary is valid with an *Incomplete, which says what is wrong with what it sums up, and with
// nil.
func Run(ctx context.Context, o Options) (Summary, error) {
	began := time.Now()
	if o.Screen == nil {
		o.Screen = blank{}
	}
	truth, err := openTruth(o)
	if err != nil {
		return Summary{}, err
	}
	defer truth.Close()
	s, err := openStage(ctx, &o)
	if err != nil {
		return Summary{}, err
	}
	defer s.close()
	r := &run{o: &o, stage: s, began: began, watch: newWatch(o.Screen, began),
		player:    newPlayer(s.producer, s.pipeline.Topics.Raw[0].Name),
		responder: newResponder(o.Seed, s.responses, s.pipeline.Topics, o.Screen.Page)}
	if err := r.tell(ctx); err != nil {
		return Summary{}, err
	}
	return r.conclude(ctx, truth)
}

// run is one demo.
type run struct {
	o         *Options
	stage     *stage
	began     time.Time
	player    *player
	responder *responder
	watch     *watch
}

// Incomplete says why a summary is not of a whole run.
type Incomplete struct{ Reason error }

func (e *Incomplete) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *Incomplete) Unwrap() error { return e.Reason }

// tell runs everything until the stories are told and what they brought about is archived. The
// parts outlive ctx: what was sent before somebody pressed ^C is still archived.
func (r *run) tell(ctx context.Context) error {
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	start := func(part string, f func(context.Context) error) {
		wg.Go(func() {
			err := f(run)
			if run.Err() != nil {
				return
			}
			if err == nil {
				err = errors.New("it ended before its time")
			}
			cancel(fmt.Errorf("%s stopped: %w", part, err))
		})
	}
	start("the service", r.stage.service.Run)
	start("the responder", r.responder.Run)
	start("the picture", func(ctx context.Context) error { return r.watch.Run(ctx, r.look) })
	start("an embedded server", r.stage.failed)
	err := r.stories(ctx, run)
	if err == nil {
		err = r.settle(ctx, run)
	}
	if run.Err() != nil {
		err = context.Cause(run)
	}
	cancel(nil)
	wg.Wait()
	return err
}

// stories plays until ctx ends, or once.
func (r *run) stories(ctx, run context.Context) error {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(run, stop)()
	for seed := r.o.Seed; ; seed++ {
		r.watch.story(seed)
		if err := r.player.play(playing, run, seed, r.o.Events); err != nil {
			return err
		}
		if r.o.Once {
			return nil
		}
		select {
		case <-playing.Done():
			return nil
		case <-time.After(pauseBetween):
		}
	}
}

// look gathers the figures of this moment.
func (r *run) look() Figures {
	st := r.stage.service.Status()
	r.watch.note(st)
	f := figures(st)
	f.Sent = r.player.sent.Load()
	f.OfStory = r.player.told()
	f.Acknowledged, f.Closed = r.responder.said()
	return f
}

// openTruth makes the truth file at the start, so that a path that cannot be written costs no
// minute.
func openTruth(o Options) (*os.File, error) {
	if o.Truth == "" {
		return nil, nil
	}
	f, err := os.Create(o.Truth)
	if err != nil {
		return nil, fmt.Errorf("--truth: %w", err)
	}
	return f, nil
}
