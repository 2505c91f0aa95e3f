package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/fetch"
)

// reader is the part of intake that reads one partition: raw events or responses. All its methods
// are called by its shard's goroutine.
type reader interface {
	// position is the next offset to read.
	position() int64
	// read folds what an answer brought and produces what follows from it. Where p gets an error, it
	// stops, and its position says up to where it was folded.
	read(p *fetch.Part)
	// idle is called between polls, also when nothing was read.
	idle(now time.Time)
	// checkpoint returns the reader's state as of its position, in buf if that is large enough. It
	// is kept once everything that was produced up to now has been acknowledged.
	checkpoint(buf []byte) ([]byte, manifest)
	// failed returns the first error of producing, after which nothing more is produced.
	failed() error
	// ahead reports that the others should be read first.
	ahead() bool
}

// shard is one fetcher and one producer, with one goroutine that is the worker of all the partitions
// it holds: nothing in a reader needs a lock. There is one shard per processor.
type shard struct {
	cl      *kgo.Client // produces, and carries the fetcher's requests
	fetcher *fetch.Fetcher
	metrics *metrics
	every   time.Duration // between checkpoints
	poll    time.Duration // bound on one

	raws atomic.Int32 // raw partitions whose owners work with it

	mu       sync.Mutex
	joining  []*holding
	leaving  []*holding
	wakePoll context.CancelFunc

	held map[partition]*holding
}

// holding is one partition's time with a shard.
type holding struct {
	part   partition
	reader reader
	out    *outbox
	keeper *keeper
	work   context.Context // outlives the owner's by grace

	done     chan error // receives once, when the shard has let go
	paused   bool
	leaving  bool
	saved    int64     // position of the last checkpoint
	due      time.Time // of the next checkpoint
	body     []byte    // of the last checkpoint: its memory is used again
	saving   chan error
	savingTo int64
}

// checkpointBytes bounds how many bytes a second the checkpoints of one partition may write: a
// table of a million fingerprints (60 MB) is kept every 15 s, and not, at any cost to whoever has
// to read the checkpoints topic, more often.
const checkpointBytes = 4 << 20

// hold reads the partition until ctx ends or something fails, and returns after the last checkpoint
// has been written, or when work ends.
func (s *shard) hold(ctx context.Context, h *holding) error {
	h.done, h.saved = make(chan error, 1), h.reader.position()
	s.change(func() { s.joining = append(s.joining, h) })
	select {
	case err := <-h.done:
		return err
	case <-ctx.Done():
	}
	s.change(func() { s.leaving = append(s.leaving, h) })
	return <-h.done
}

// change queues a change and interrupts the poll.
func (s *shard) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	if s.wakePoll != nil {
		s.wakePoll()
	}
}

// wake interrupts the poll: something may be tended to. What was acknowledged is so told at once, and
// not after the poll of a log that has ended.
func (s *shard) wake() { s.change(func() {}) }

// Run polls until ctx ends; by then every holder must have left or been told.
func (s *shard) Run(ctx context.Context) error {
	defer s.cl.Close()
	var fetching sync.WaitGroup
	defer fetching.Wait()
	fetching.Go(func() { s.fetcher.Run(ctx) })
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, s.poll)
		s.mu.Lock()
		joining, leaving := s.joining, s.leaving
		s.joining, s.leaving, s.wakePoll = nil, nil, cancel
		s.mu.Unlock()
		if len(joining)+len(leaving) > 0 {
			s.join(joining)
			s.leave(leaving)
		}
		parts := s.fetcher.Poll(poll)
		cancel()
		at := time.Now().Truncate(time.Second)
		for _, p := range parts {
			s.fold(p, at)
		}
		s.tend()
	}
	for _, h := range s.held {
		s.release(h, ctx.Err())
	}
	return nil
}

func (s *shard) join(joining []*holding) {
	for _, h := range joining {
		s.held[h.part] = h
		// Not all at once: partitions that come together would always be kept together.
		h.due = time.Now().Add(s.every + s.every*time.Duration(h.part.id%8)/8)
		s.fetcher.Add(h.part.topic, h.part.id, h.reader.position())
	}
}

// leave stops reading some partitions; tend lets go of them after their last checkpoint.
func (s *shard) leave(leaving []*holding) {
	for _, h := range leaving {
		if s.held[h.part] == h {
			h.leaving = true
			s.fetcher.Remove(h.part.topic, h.part.id)
		}
	}
}

// release lets go of a partition and tells its holder why. A checkpoint that is being written
// belongs to the holder, who is about to close what it is written with.
func (s *shard) release(h *holding, err error) {
	delete(s.held, h.part)
	if !h.leaving {
		s.fetcher.Remove(h.part.topic, h.part.id)
	}
	if h.saving != nil {
		err = errors.Join(err, <-h.saving)
	}
	h.done <- err
}

// fold lets the partition's reader read; at is the time of the records that follow from it.
func (s *shard) fold(p *fetch.Part, at time.Time) {
	defer p.Close()
	h := s.held[partition{p.Topic, p.Partition}]
	if h == nil || h.leaving {
		return
	}
	if p.Err == nil {
		h.out.at = at
		h.reader.read(p)
	}
	if p.Err != nil {
		if errors.Is(p.Err, kgo.ErrMaxDecompress) {
			s.metrics.hit("batch_bytes", 1)
		}
		s.release(h, fmt.Errorf("at position %d: %w", h.reader.position(),
			fetchError(p.Topic, p.Partition, p.Err)))
	}
}

// tend gives every reader its idle call and its checkpoint, and lets go of those that failed or
// leave.
func (s *shard) tend() {
	now := time.Now()
	for _, h := range s.held {
		if !h.leaving {
			h.reader.idle(now)
			s.pace(h)
		}
		err := errors.Join(h.reader.failed(), h.kept())
		switch {
		case err != nil:
			s.release(h, err)
		case h.saving != nil:
		case h.reader.position() == h.saved:
			if h.leaving {
				s.release(h, nil)
			}
		case h.leaving || now.After(h.due):
			s.save(h)
		}
	}
}

// pace pauses a partition that runs ahead of the others and resumes it when they have caught up.
func (s *shard) pace(h *holding) {
	ahead := h.reader.ahead()
	if ahead == h.paused {
		return
	}
	h.paused = ahead
	s.fetcher.Pause(h.part.topic, h.part.id, ahead)
}

// save begins a checkpoint. Reading goes on meanwhile: what is kept is the state as it is now, once
// the outputs up to now have been acknowledged.
func (s *shard) save(h *holding) {
	var m manifest
	h.body, m = h.reader.checkpoint(h.body[:0])
	former := h.out.turn()
	h.saving, h.savingTo = make(chan error, 1), m.Position
	h.due = time.Now().Add(max(s.every, time.Duration(len(h.body))*time.Second/checkpointBytes))
	go func() {
		err := h.out.wait(h.work, former)
		if err != nil {
			err = fmt.Errorf("wait for the outputs up to %d: %w", m.Position, err)
		} else {
			err = h.keeper.save(h.work, m, h.body)
		}
		h.saving <- err
		s.wake()
	}()
}

// kept notes the end of a checkpoint that was being written.
func (h *holding) kept() error {
	if h.saving == nil {
		return nil
	}
	select {
	case err := <-h.saving:
		h.saving = nil
		if err == nil {
			h.saved = h.savingTo
		}
		return err
	default:
		return nil
	}
}
