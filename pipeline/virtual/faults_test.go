//go:build synctests

package virtual

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kinds are the requests that quell sends, and with what brokers refuse them: what passes by itself,
// and what a client does not try again. TestKindsAreKnown says when one is missing.
func kinds() map[kmsg.Key][]*kerr.Error {
	return map[kmsg.Key][]*kerr.Error{
		kmsg.Produce:         {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed},
		kmsg.Fetch:           {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed},
		kmsg.ListOffsets:     {kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed},
		kmsg.Metadata:        {kerr.LeaderNotAvailable, kerr.TopicAuthorizationFailed},
		kmsg.OffsetFetch:     {kerr.CoordinatorLoadInProgress, kerr.GroupAuthorizationFailed},
		kmsg.FindCoordinator: {kerr.CoordinatorNotAvailable, kerr.GroupAuthorizationFailed},
		kmsg.JoinGroup:       {kerr.CoordinatorLoadInProgress, kerr.GroupAuthorizationFailed},
		kmsg.SyncGroup:       {kerr.RebalanceInProgress, kerr.UnknownMemberID},
		kmsg.Heartbeat:       {kerr.RebalanceInProgress, kerr.UnknownMemberID},
		kmsg.LeaveGroup:      {kerr.CoordinatorNotAvailable, kerr.GroupAuthorizationFailed},
		kmsg.ApiVersions:     {kerr.UnknownServerError, kerr.ClusterAuthorizationFailed},
		kmsg.InitProducerID:  {kerr.ConcurrentTransactions, kerr.TransactionalIDAuthorizationFailed},
		kmsg.EndTxn:          {kerr.ConcurrentTransactions, kerr.InvalidTxnState},
		kmsg.DescribeConfigs: {kerr.UnknownServerError, kerr.TopicAuthorizationFailed},
	}
}

// Requests of each kind are refused, lost, answered late, and do their work and are not answered or
// are answered with an error: while a process starts, while it works, and while another takes over.
func TestFaults(t *testing.T) {
	for key, codes := range kinds() {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, *seedFlag, nil, func(w *world) { w.faults(key, codes) })
		})
	}
}

func (w *world) faults(key kmsg.Key, codes []*kerr.Error) {
	w.flow(2, 0) // the test's own connections are there before anything is refused
	var all []*mishap
	var refused []*kfake.FaultHandle
	for i, name := range []string{"first", "second", "third"} {
		p := w.start(name)
		all = append(all, w.spoilt(p, key)...)
		refused = append(refused, w.refuse(key, codes[i%len(codes)]))
		w.flow(10, 10*time.Second)
		time.Sleep(time.Duration(w.dice.IntN(30)) * time.Second)
		if i > 0 {
			w.processes[i-1].stop()
		}
	}
	struck := 0
	for _, r := range refused {
		r.Remove()
		struck += r.Hits()
	}
	w.finish()
	for _, m := range all {
		struck += m.hits
	}
	if struck < 3 {
		w.t.Errorf("%d requests %s were spoilt: this tests nothing", struck, key.Name())
	}
}

// spoilt lets the next requests of a kind meet every mishap.
func (w *world) spoilt(p *process, key kmsg.Key) []*mishap {
	ms := []*mishap{{key: key, how: unsent, left: 1}, {key: key, how: unanswered, left: 1},
		{key: key, how: altered, code: kerr.RequestTimedOut.Code, left: 1},
		{key: key, how: altered, code: kerr.CoordinatorNotAvailable.Code, left: 1},
		{key: key, how: delayed, left: 1}}
	w.dice.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
	p.wire.spoil(ms...)
	return ms
}

// refuse lets the broker refuse requests of a kind before it acts on them; those of the test's own
// clients are spared as far as the broker can tell them apart.
func (w *world) refuse(key kmsg.Key, code *kerr.Error) *kfake.FaultHandle {
	f := kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 2}
	if slices.Contains([]kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets}, key) {
		f.Topic = []string{"alerts", "archive", "checkpoints", "snapshots", "dispositions", "pages"}[w.dice.IntN(6)]
	}
	return w.cluster.Fault(f)
}

// Every kind of request that an undisturbed service sends is one of those that are spoilt above.
func TestKindsAreKnown(t *testing.T) {
	inBubble(t, *seedFlag, nil, func(w *world) {
		p := w.start("quell")
		w.flow(20, 5*time.Second)
		w.finish()
		for key := range p.wire.kinds {
			if _, known := kinds()[key]; !known {
				t.Errorf("quell sends %s, and no test says what happens when that fails", key.Name())
			}
		}
		t.Logf("%d steps, requests %v", p.wire.steps, p.wire.kinds)
	})
}
