package correlate

// timerKind says what a timer does when it fires.
type timerKind uint8

const (
	timerPage   timerKind = iota + 1 // group_wait ends, or a group_interval tick
	timerQuiet                       // no record for resolve_after
	timerAck                         // the acknowledgement timed out
	timerClose                       // the window closes to new alerts
	timerForget                      // incident and members, or an alert of no incident, may go
)

// timer is one deadline of an incident or an alert. It lives inside its owner, so that setting it
// allocates nothing.
//
// Nearly every record moves a quiet timer and a closing timer into the future, and nearly none of
// those ever fires. So moving a timer later touches only the timer itself: its entry in the queue
// stays where it is, and when that comes up it is put back with the deadline (and the sequence
// number) that the timer has by then. The order of firing is therefore exactly that of an eager
// queue, (deadline, sequence of the last set), whatever entries are left lying about; that is why
// a snapshot need not contain the queue.
type timer struct {
	at     Time
	seq    uint64 // 0: not set
	queued Time   // deadline of the entry in the queue that counts
	inside bool   // whether there is one
	kind   timerKind

	incident *incident  // the owner, or
	alert    *liveAlert // this one
}

func (t *timer) set() bool { return t.seq != 0 }

// cancel takes the deadline away. An entry in the queue stays and comes to nothing.
func (t *timer) cancel() { t.at, t.seq = 0, 0 }

// timerEntry is what the queue orders: a copy, so that comparing needs no pointer.
type timerEntry struct {
	at  Time
	seq uint64
	t   *timer
}

func (a *timerEntry) before(b *timerEntry) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// timerQueue orders the deadlines.
type timerQueue struct {
	heap heap[timerEntry, *timerEntry]
	seq  uint64 // the last one given
}

// set gives t the deadline at, behind all that are already set to the same moment.
func (q *timerQueue) set(t *timer, at Time) {
	q.seq++
	t.at, t.seq = at, q.seq
	q.admit(t)
}

// admit makes sure that an entry of t comes up in time.
func (q *timerQueue) admit(t *timer) {
	if t.inside && t.queued <= t.at {
		return
	}
	t.queued, t.inside = t.at, true
	q.heap.push(timerEntry{at: t.at, seq: t.seq, t: t})
}

// due returns the timer that fires next and its deadline, if that is at or before limit, and takes
// it out of the queue.
func (q *timerQueue) due(limit Time) (*timer, Time) {
	for len(q.heap) > 0 && q.heap[0].at <= limit {
		e := q.heap.pop()
		t := e.t
		if !t.inside || t.queued != e.at {
			continue // superseded by an earlier entry of the same timer
		}
		t.inside = false
		switch {
		case !t.set():
		case t.at == e.at && t.seq == e.seq:
			t.cancel()
			return t, e.at
		default:
			q.admit(t)
		}
	}
	return nil, 0
}
