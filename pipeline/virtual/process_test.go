//go:build synctests

package virtual

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/pipeline"
)

// process is a service as an orchestrator runs it: it is started again when it ends by itself.
type process struct {
	w      *world
	name   string
	wire   *wire
	cancel context.CancelFunc
	done   chan struct{}
}

// fetchBytes lets a fetch have some records of a partition, so that there is something between two
// fetches. The bound on all partitions together stays: when kfake reaches that, it forgets to say
// which transactions were aborted, and their records look committed.
const fetchBytes = 1500

// start starts a process. A change alters its options.
func (w *world) start(name string, changes ...func(*pipeline.Options)) *process {
	w.t.Helper()
	return w.doomed(name, 0, changes...)
}

// doomed starts a process that is cut off at an I/O step; 0: at none.
func (w *world) doomed(name string, step int, changes ...func(*pipeline.Options)) *process {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{w: w, name: name, cancel: cancel, done: make(chan struct{})}
	id := fmt.Sprintf("%s.%d.", name, len(w.processes))
	p.wire = newWire(w.net, func(format string, args ...any) { w.say(name, format, args...) }, func() {
		cancel()
		w.burials.Go(func() { w.bury(id) })
	})
	p.wire.cutAt = step
	w.processes = append(w.processes, p)
	o := w.options
	o.Kafka.ClientID, o.Kafka.More = id, append(network(p.wire.dial),
		kgo.FetchMaxPartitionBytes(fetchBytes))
	o.Archive.To = client{w.archive, p.wire}
	o.Logger = slog.New(slog.NewTextHandler(told{w, name}, &slog.HandlerOptions{Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	for _, change := range changes {
		change(&o)
	}
	w.say(name, "is started")
	go p.supervise(ctx, o)
	return p
}

func (p *process) supervise(ctx context.Context, o pipeline.Options) {
	defer close(p.done)
	for ctx.Err() == nil {
		reg := prometheus.NewRegistry()
		o.Metrics = reg
		s, err := pipeline.New(o)
		if err == nil {
			err = s.Run(ctx)
		}
		if err != nil && ctx.Err() == nil {
			p.w.say(p.name, "ended by itself: %v", err)
		}
		var refusal *pipeline.Refusal
		var divergence *pipeline.Divergence
		if errors.As(err, &refusal) || errors.As(err, &divergence) {
			p.w.t.Errorf("%s: %v", p.name, err)
			return
		}
		p.soundness(reg)
		wait(ctx, time.Second)
	}
	p.w.say(p.name, "has ended")
}

// soundness demands that the process saw no sign of loss or damage: in these runs there is none.
func (p *process) soundness(reg *prometheus.Registry) {
	families, err := reg.Gather()
	if err != nil {
		p.w.t.Error(err)
		return
	}
	for _, f := range families {
		switch f.GetName() {
		case "quell_records_lost_total", "quell_replay_divergence_total", "quell_archive_log_mismatches_total":
			for _, m := range f.GetMetric() {
				if n := m.GetCounter().GetValue(); n != 0 {
					p.w.t.Errorf("%s: %s is %v %v", p.name, f.GetName(), n, m.GetLabel())
				}
			}
		}
	}
}

// bury takes a dead process's members out of their groups when their sessions have ended. A broker
// does that by itself; kfake forgets those whose answer to JoinGroup or SyncGroup found nobody.
func (w *world) bury(id string) {
	select {
	case <-time.After(7 * time.Second):
	case <-w.over:
		return
	}
	groups, err := w.adm.DescribeGroups(context.Background())
	if err != nil {
		w.say("burial", "of %s: %v", id, err)
	}
	for _, g := range groups {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = g.Group
		for _, m := range g.Members {
			if strings.HasPrefix(m.ClientID, id) {
				member := kmsg.NewLeaveGroupRequestMember()
				member.MemberID, member.InstanceID = m.MemberID, m.InstanceID
				leave.Members = append(leave.Members, member)
			}
		}
		if len(leave.Members) > 0 {
			w.say("burial", "%s is taken out of %s", id, g.Group)
			if _, err := leave.RequestWith(context.Background(), w.cl); err != nil {
				w.say("burial", "of %s: %v", id, err)
			}
		}
	}
}

// stop ends the process cleanly.
func (p *process) stop() {
	p.cancel()
	<-p.done
}

// kill ends the process as kill -9 does. What is left of it unwinds beside everything else.
func (p *process) kill() {
	p.w.say(p.name, "is killed")
	p.wire.cut()
}

// told takes down what a process logs.
type told struct {
	w    *world
	name string
}

func (l told) Write(b []byte) (int, error) {
	l.w.say(l.name, "%s", strings.TrimSpace(string(b)))
	return len(b), nil
}
