package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// reader is the part of intake that reads one partition: raw events or responses. All its methods
// are called by its shard's goroutine.
type reader interface {
	// position is the next offset to read.
	position() int64
	// read folds a batch of consecutive records and produces what follows from it. high is the
	// partition's high watermark at the fetch.
	read(records []*kgo.Record, high int64)
	// idle is called between polls, also when nothing was read.
	idle(now time.Time)
	// checkpoint returns the records that keep the position; it is called after everything that
	// was produced so far has been acknowledged.
	checkpoint() ([]*kgo.Record, error)
	// failed returns the first error of producing, after which nothing more is produced.
	failed() error
	// ahead reports that the others should be read first.
	ahead() bool
}

// shard is one direct consumer and producer, with one goroutine that is the worker of all the
// partitions it holds: nothing in a reader needs a lock. There is one shard per processor, because
// a franz-go client decodes on one goroutine per broker.
type shard struct {
	cl    *kgo.Client
	every time.Duration // between checkpoints

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
	work   context.Context // outlives the owner's by grace
	done   chan error      // receives once, when the shard has let go
	paused bool
	saved  int64     // position of the last checkpoint
	due    time.Time // of the next checkpoint
}

// pollEvery bounds how long a poll waits, and so how late a flush or a checkpoint can be.
const pollEvery = 100 * time.Millisecond

// pollRecords bounds a batch.
const pollRecords = 8192

// checkpointBytes bounds how many bytes a second the checkpoints of one partition may write: a
// table of a million fingerprints (60 MB) is kept every 15 s, and not, at any cost to whoever has
// to read the checkpoints topic, more often.
const checkpointBytes = 4 << 20

// hold reads the partition until ctx ends or producing fails, and returns after the last
// checkpoint has been written, or when work ends.
func (s *shard) hold(ctx, work context.Context, part partition, r reader) error {
	h := &holding{part: part, reader: r, work: work, done: make(chan error, 1), saved: r.position()}
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

// Run polls until ctx ends; by then every holder must have left or been told.
func (s *shard) Run(ctx context.Context) error {
	defer s.cl.Close()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollEvery)
		s.mu.Lock()
		joining, leaving := s.joining, s.leaving
		s.joining, s.leaving, s.wakePoll = nil, nil, cancel
		s.mu.Unlock()
		if len(joining)+len(leaving) > 0 {
			s.join(joining)
			s.leave(leaving)
		}
		fetches := s.cl.PollRecords(poll, pollRecords)
		cancel()
		s.fold(fetches)
		s.tend()
	}
	for _, h := range s.held {
		h.done <- ctx.Err()
	}
	return nil
}

func (s *shard) join(joining []*holding) {
	add := map[string]map[int32]kgo.Offset{}
	for _, h := range joining {
		s.held[h.part] = h
		h.due = time.Now().Add(s.every)
		if add[h.part.topic] == nil {
			add[h.part.topic] = map[int32]kgo.Offset{}
		}
		add[h.part.topic][h.part.id] = kgo.NewOffset().At(h.reader.position())
	}
	s.cl.AddConsumePartitions(add)
}

func (s *shard) leave(leaving []*holding) {
	for _, h := range leaving {
		if s.held[h.part] == h {
			s.release(h, s.save(h))
		}
	}
}

// release lets go of a partition and tells its holder why.
func (s *shard) release(h *holding, err error) {
	delete(s.held, h.part)
	s.cl.ResumeFetchPartitions(map[string][]int32{h.part.topic: {h.part.id}})
	s.cl.RemoveConsumePartitions(map[string][]int32{h.part.topic: {h.part.id}})
	h.done <- err
}

func (s *shard) fold(fetches kgo.Fetches) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		h := s.held[partition{p.Topic, p.Partition}]
		if h == nil {
			return
		}
		if p.Err != nil && !errors.Is(p.Err, context.DeadlineExceeded) && !errors.Is(p.Err, context.Canceled) {
			s.release(h, fmt.Errorf("at position %d: %w", h.reader.position(),
				fetchError(p.Topic, p.Partition, p.Err)))
			return
		}
		if len(p.Records) > 0 {
			h.reader.read(p.Records, p.HighWatermark)
		}
	})
}

// tend gives every reader its idle call and its checkpoint, and lets failed ones go.
func (s *shard) tend() {
	now := time.Now()
	for _, h := range s.held {
		h.reader.idle(now)
		s.pace(h)
		err := h.reader.failed()
		if err == nil && now.After(h.due) {
			err = s.save(h)
		}
		if err != nil {
			s.release(h, err)
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
	which := map[string][]int32{h.part.topic: {h.part.id}}
	if ahead {
		s.cl.PauseFetchPartitions(which)
	} else {
		s.cl.ResumeFetchPartitions(which)
	}
}

// save writes a checkpoint if the position moved since the last one.
func (s *shard) save(h *holding) error {
	h.due = time.Now().Add(s.every)
	if h.reader.position() == h.saved {
		return h.reader.failed()
	}
	if err := s.cl.Flush(h.work); err != nil {
		return fmt.Errorf("wait for the outputs up to %d: %w", h.reader.position(), context.Cause(h.work))
	}
	if err := h.reader.failed(); err != nil {
		return err
	}
	position := h.reader.position()
	records, err := h.reader.checkpoint()
	if err != nil {
		return err
	}
	if err := write(h.work, s.cl, records...); err != nil {
		return fmt.Errorf("write the checkpoint at %d: %w", position, err)
	}
	h.saved = position
	size := 0
	for _, r := range records {
		size += len(r.Value)
	}
	h.due = time.Now().Add(max(s.every, time.Duration(size)*time.Second/checkpointBytes))
	return nil
}
