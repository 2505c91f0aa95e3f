package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partition names one partition of any topic.
type partition struct {
	topic string
	id    int32
}

func (p partition) String() string { return fmt.Sprintf("%s/%d", p.topic, p.id) }

// placement gives this process its share of the partitions of some topics and keeps one owner
// running for each.
//
// It is a member of a consumer group whose fetching is paused: the group only places work. An
// owner is the function own, which recovers, works and returns when its context ends, after it has
// written its position; one that is told to stop before it has recovered returns nil. Revocation
// waits for that, so that the next owner finds the position. An owner that fails is started again
// with backoff, and recovers like a new one.
//
// What is told of a partition (its gauges) stays told while its owner fails and is started again: it
// is dropped when the partition is given away or the process stops. That a partition keeps failing
// is told too, by a counter and, after a while, by [Status.Failing].
//
// Two errors are not tried again. A [Refusal] concerns every process with this configuration: Run
// ends with it. A [Divergence] concerns its partition, which stands still; Run goes on with the
// others, and ends with the error when its context ends or no other is left.
type placement struct {
	kafka  *Kafka
	group  string
	topics []string
	own    func(ctx context.Context, p partition) error
	log    *slog.Logger
	// halted is told that the owner of a partition came to a halt, and why; without an error, that the
	// partition is not ours any more.
	halted func(role string, p partition, err error)

	mu     sync.Mutex
	owners map[partition]*owner
	end    context.CancelFunc
	fatal  []error
}

type owner struct {
	cancel  context.CancelCauseFunc
	done    chan struct{}
	stopped bool // for good
}

// errLost is the cause of an owner's end when the group has given its partition to somebody else
// already, or may have: then there is nothing to write that would count.
var errLost = errors.New("the partition was lost")

// heartbeats tell a member within this time that partitions are free or asked for.
const heartbeats = 250 * time.Millisecond

// Run takes part in the group until ctx ends, then stops all owners and leaves.
func (p *placement) Run(ctx context.Context) error {
	p.owners = map[partition]*owner{}
	ctx, p.end = context.WithCancel(ctx)
	defer p.end()
	opts := []kgo.Opt{
		kgo.ConsumerGroup(p.group),
		kgo.ConsumeTopics(p.topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(p.kafka.session()),
		kgo.HeartbeatInterval(min(heartbeats, p.kafka.session()/6)),
		kgo.RebalanceTimeout(30 * time.Second),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.start(ctx, m)
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.stop(m, nil)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.stop(m, errLost)
		}),
	}
	if p.kafka.Instance != "" {
		opts = append(opts, kgo.InstanceID(p.kafka.Instance+"-"+p.group))
	}
	cl, err := p.kafka.client(p.group, opts)
	if err != nil {
		return err
	}
	cl.PauseFetchTopics(p.topics...)
	<-ctx.Done()
	p.stopAll()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := cl.LeaveGroupContext(leave); err != nil {
		p.log.Warn("the group was not told that we leave; it notices when the session times out",
			"group", p.group, "error", err)
	}
	cl.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.fatal...)
}

func (p *placement) start(ctx context.Context, m map[string][]int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, ids := range m {
		for _, id := range ids {
			part := partition{topic, id}
			if _, ok := p.owners[part]; ok || ctx.Err() != nil {
				continue
			}
			run, cancel := context.WithCancelCause(ctx)
			o := &owner{cancel: cancel, done: make(chan struct{})}
			p.owners[part] = o
			go p.keep(run, part, o)
		}
	}
}

// keep runs the owner of one partition until its context ends.
func (p *placement) keep(ctx context.Context, part partition, o *owner) {
	defer close(o.done)
	log := p.log.With("topic", part.topic, "partition", part.id)
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		err := p.own(ctx, part)
		switch {
		case p.forGood(o, err):
			p.halted(p.role(), part, err)
			log.Error("the partition stands still", "error", err)
			return
		case errors.Is(context.Cause(ctx), errLost):
			log.Info("the partition was lost; its next owner goes on from the last position", "error", err)
			return
		case ctx.Err() != nil:
			if err != nil {
				log.Error("the partition's owner did not stop cleanly; the next owner repeats from "+
					"its last position", "error", err)
			}
			return
		case err == nil:
			continue
		case errors.Is(err, errFenced):
			// Usually the group is about to tell us that it is not ours any more: give it the time.
			log.Warn("another process has taken the partition over; it is taken back if it is still ours",
				"error", err)
			pause(ctx, 2*heartbeats)
			if ctx.Err() != nil {
				return
			}
		default:
			log.Error("the partition's owner failed; it recovers and goes on", "error", err, "wait", backoff(n))
		}
		p.halted(p.role(), part, err)
		if time.Since(began) > time.Minute {
			n = 0
		}
		pause(ctx, backoff(n))
	}
}

// role is the last part of the group's name.
func (p *placement) role() string { return strings.TrimPrefix(p.group, p.kafka.Group+"-") }

// final reports whether an owner that failed with err is not started again, and which of the two
// reasons that has.
func final(err error) (refused, diverged bool) {
	var refusal *Refusal
	var divergence *Divergence
	return errors.As(err, &refusal), errors.As(err, &divergence)
}

// forGood reports whether err ends the owner for good, and then whether the others go on.
func (p *placement) forGood(o *owner, err error) bool {
	refused, diverged := final(err)
	if !refused && !diverged {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o.stopped = true
	if len(p.fatal) == 0 || diverged {
		p.fatal = append(p.fatal, err) // all partitions of a topic are refused for one reason
	}
	left := false
	for _, other := range p.owners {
		left = left || !other.stopped
	}
	if refused || !left {
		p.end()
	}
	return true
}

// stop ends the owners of the named partitions and waits for them.
func (p *placement) stop(m map[string][]int32, cause error) {
	stopped := map[partition]*owner{}
	p.mu.Lock()
	for topic, ids := range m {
		for _, id := range ids {
			part := partition{topic, id}
			if o, ok := p.owners[part]; ok {
				delete(p.owners, part)
				o.cancel(cause)
				stopped[part] = o
			}
		}
	}
	p.mu.Unlock()
	for part, o := range stopped {
		<-o.done
		p.halted(p.role(), part, nil) // only now nobody tells anything of it any more
	}
}

func (p *placement) stopAll() {
	p.mu.Lock()
	all := map[string][]int32{}
	for part := range p.owners {
		all[part.topic] = append(all[part.topic], part.id)
	}
	p.mu.Unlock()
	p.stop(all, nil)
}
