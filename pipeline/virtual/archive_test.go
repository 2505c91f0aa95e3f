//go:build synctests

package virtual

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

// clickhouse is the archive of all processes of a run: in memory, and not always well.
type clickhouse struct {
	*archivetest.Memory

	mu    sync.Mutex
	dice  *rand.Rand
	moody int // of 100 inserts, how many go wrong
	late  sync.WaitGroup
}

// mood is how an insert goes.
type mood int

const (
	fine     mood = iota
	fails         // does nothing and says so
	lies          // does its work and returns an error
	hangs         // returns when its context or its patience ends
	hangsOn       // the same, and has done its work
	comeLate      // returns an error; the rows come later, perhaps after a successor's
	dies          // keeps the token, loses the rows, returns an error
)

var errNotWell = &archive.Error{Fault: archive.FaultRetry, Err: errors.New("the archive is not well")}

// patience is how long a client waits for an answer at most.
const patience = 45 * time.Second

func (c *clickhouse) roll() (mood, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dice.IntN(100) >= c.moody {
		return fine, 0
	}
	return mood(1 + c.dice.IntN(6)), time.Duration(1+c.dice.IntN(40)) * time.Second
}

// mind changes how many of 100 inserts go wrong.
func (c *clickhouse) mind(moody int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moody = moody
}

func (c *clickhouse) Insert(ctx context.Context, b archive.Batch) error {
	how, after := c.roll()
	switch how {
	case fine:
		return c.Memory.Insert(ctx, b)
	case lies, hangsOn:
		if err := c.Memory.Insert(ctx, b); err != nil {
			return err
		}
	case comeLate:
		c.later(b, after)
	case dies:
		c.Memory.Take(b)
	}
	if how == hangs || how == hangsOn {
		wait(ctx, patience)
	}
	return errNotWell
}

// later makes an insert whose sender has gone. The archive may be away by then.
func (c *clickhouse) later(b archive.Batch, after time.Duration) {
	c.late.Go(func() {
		time.Sleep(after)
		_ = c.Memory.Insert(context.Background(), b)
	})
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// client is a process's way to the archive, over its wire.
type client struct {
	*clickhouse
	wire *wire
}

func (c client) Insert(ctx context.Context, b archive.Batch) error {
	select {
	case <-c.wire.asleep():
	default:
		// The request is under way and will arrive, whatever becomes of who waits for the answer.
		done := make(chan error, 1)
		c.late.Go(func() {
			<-c.wire.asleep()
			if c.wire.cutOff() {
				done <- errCut
				return
			}
			done <- c.Memory.Insert(context.Background(), b)
		})
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return errNotWell
		}
	}
	if !c.wire.step("before an insert into %s", b.Table) {
		return errCut
	}
	err := c.clickhouse.Insert(ctx, b)
	c.wire.say("insert %s %s: %d rows, %v", b.Table, b.Token, b.Rows(), err)
	if !c.wire.step("behind an insert into %s", b.Table) {
		return errCut
	}
	return err
}

func (c client) HighWater(ctx context.Context, table, topic string, partition int32) (int64, error) {
	select {
	case <-c.wire.asleep():
	case <-ctx.Done():
		return 0, errNotWell
	}
	if c.wire.cutOff() {
		return 0, errCut
	}
	return c.Memory.HighWater(ctx, table, topic, partition)
}
