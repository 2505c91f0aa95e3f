package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partition names one partition of any topic.
type partition struct {
	topic string
	id    int32
}

// placement gives this process its share of the partitions of some topics and keeps one owner
// running for each.
//
// It is a member of a consumer group whose fetching is paused: the group only places work. An
// owner is the function own, which recovers, works and returns when its context ends, after it has
// written its position; one that is told to stop before it has recovered returns nil. Revocation
// waits for that, so that the next owner finds the position. An owner that fails is started again
// with backoff, and recovers like a new one.
type placement struct {
	kafka  *Kafka
	group  string
	topics []string
	own    func(ctx context.Context, p partition) error
	log    *slog.Logger

	mu     sync.Mutex
	owners map[partition]*owner
}

type owner struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Run takes part in the group until ctx ends, then stops all owners and leaves.
func (p *placement) Run(ctx context.Context) error {
	p.owners = map[partition]*owner{}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(p.group),
		kgo.ConsumeTopics(p.topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(time.Second),
		kgo.RebalanceTimeout(30 * time.Second),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.start(ctx, m)
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.stop(m)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			p.stop(m)
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
	return nil
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
			run, cancel := context.WithCancel(ctx)
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
		if err == nil || ctx.Err() != nil {
			if err != nil {
				log.Error("the partition's owner did not stop cleanly; the next owner repeats from "+
					"its last position", "error", err)
			}
			continue
		}
		if time.Since(began) > time.Minute {
			n = 0
		}
		log.Error("the partition's owner failed; it recovers and goes on", "error", err,
			"wait", backoff(n))
		pause(ctx, backoff(n))
	}
}

// stop ends the owners of the named partitions and waits for them.
func (p *placement) stop(m map[string][]int32) {
	var stopped []*owner
	p.mu.Lock()
	for topic, ids := range m {
		for _, id := range ids {
			part := partition{topic, id}
			if o, ok := p.owners[part]; ok {
				delete(p.owners, part)
				o.cancel()
				stopped = append(stopped, o)
			}
		}
	}
	p.mu.Unlock()
	for _, o := range stopped {
		<-o.done
	}
}

func (p *placement) stopAll() {
	p.mu.Lock()
	all := map[string][]int32{}
	for part := range p.owners {
		all[part.topic] = append(all[part.topic], part.id)
	}
	p.mu.Unlock()
	p.stop(all)
}
