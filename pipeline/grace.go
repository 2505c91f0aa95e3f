package pipeline

import (
	"context"
	"errors"
	"time"
)

// grace is how long an owner that was told to stop may still wait for Kafka or ClickHouse, to write
// its last position. A stop as a whole must end within ten seconds, whatever is away: an
// orchestrator kills after that. What grace cuts off is repeated by the next owner, not lost.
const grace = 4 * time.Second

// errGrace is the cause with which work ends when grace is over.
var errGrace = errors.New("the time for a clean stop is over")

// lasting returns a context that outlives ctx by d: work that is under way when ctx ends may come to
// its end, but not wait for ever. cancel ends it at once, and so does an end of ctx because the
// partition was lost.
func lasting(ctx context.Context, d time.Duration) (work context.Context, cancel context.CancelFunc) {
	work, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errLost) {
			end(errLost)
			return
		}
		t := time.AfterFunc(d, func() { end(errGrace) })
		context.AfterFunc(work, func() { t.Stop() })
	})
	return work, func() {
		stop()
		end(nil)
	}
}
