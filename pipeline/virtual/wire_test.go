//go:build synctests

package virtual

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is the network of one process: every connection of it passes through here, request by
// request and answer by answer.
//
// It counts the I/O steps of the process (see changing), and at a chosen one it cuts the process
// off: from then on nothing that the process does reaches anybody. That is what a crash looks like
// from outside. A process that freezes is not told: its requests wait here and are delivered when it
// thaws, also those of connections that it has given up meanwhile.
type wire struct {
	net  *kfake.VirtualNetwork
	say  func(format string, args ...any)
	died func() // is called once, when the process is cut off

	mu      sync.Mutex // never held while anything waits
	links   map[*link]bool
	dead    bool
	awake   chan struct{} // closed unless frozen
	steps   int
	cutAt   int // the step before which the process is cut off; 0: never
	kinds   map[kmsg.Key]int
	mishaps []*mishap
}

// mishap spoils the next requests of a kind.
type mishap struct {
	key  kmsg.Key
	how  harm
	code int16 // of an altered answer
	left int
	hits int
}

type harm string

// What can happen to a request. Only the first leaves no doubt.
const (
	unsent     harm = "is not delivered"
	unanswered harm = "does its work and is not answered"
	altered    harm = "does its work and is answered with an error"
	delayed    harm = "is answered late"
)

const delay = 35 * time.Second

// latency is how long an answer takes.
const latency = time.Millisecond

var errCut = errors.New("the process is cut off")

func newWire(n *kfake.VirtualNetwork, say func(string, ...any), died func()) *wire {
	awake := make(chan struct{})
	close(awake)
	return &wire{net: n, say: say, died: died, links: map[*link]bool{}, awake: awake, kinds: map[kmsg.Key]int{}}
}

// dial connects the process.
func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-w.asleep():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if w.cutOff() {
		// Refused at once, franz-go would ask again at once as long as it has no producer id: in
		// virtual time for ever.
		wait(ctx, 100*time.Millisecond)
		return nil, errCut
	}
	far, err := w.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, near := net.Pipe()
	l := &link{wire: w, near: near, far: far, queue: make(chan []byte, 256), gone: make(chan struct{}),
		asked: map[int32]asked{}}
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		l.close()
		return nil, errCut
	}
	w.links[l] = true
	w.mu.Unlock()
	go l.listen()
	go l.forward()
	go l.answer()
	return client, nil
}

// asleep returns a channel that is closed unless the process is frozen.
func (w *wire) asleep() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.awake
}

func (w *wire) freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awake = make(chan struct{})
}

func (w *wire) thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.awake)
}

// step counts an I/O step and reports whether the process still lives.
func (w *wire) step(what string, args ...any) bool {
	w.mu.Lock()
	if !w.dead {
		w.steps++
	}
	now := !w.dead && w.steps == w.cutAt
	dead := w.dead
	w.mu.Unlock()
	if now {
		w.say("cut off at step %d, %s", w.cutAt, fmt.Sprintf(what, args...))
		w.cut()
	}
	return !dead && !now
}

// cut ends all connections of the process for good, and the process with them.
func (w *wire) cut() {
	w.mu.Lock()
	if w.dead {
		w.mu.Unlock()
		return
	}
	w.dead = true
	links := w.links
	w.links = nil
	select {
	case <-w.awake:
	default:
		close(w.awake)
	}
	w.mu.Unlock()
	for l := range links {
		l.close()
	}
	w.died()
}

func (w *wire) cutOff() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// spoil adds mishaps.
func (w *wire) spoil(ms ...*mishap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mishaps = append(w.mishaps, ms...)
}

// strikes returns the mishap that befalls a request now, if there is one of the kind.
func (w *wire) strikes(key kmsg.Key, sent bool) *mishap {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.mishaps {
		if m.key == key && m.left > 0 && (m.how != unsent) == sent {
			m.left--
			m.hits++
			return m
		}
	}
	return nil
}

// changing reports whether requests of a kind may change anything at the broker. Between the others
// it makes no difference when a process dies; they are no steps.
func changing(key kmsg.Key) bool {
	switch key {
	case kmsg.Produce, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.JoinGroup,
		kmsg.SyncGroup, kmsg.LeaveGroup:
		return true
	}
	return false
}

// link is one connection.
type link struct {
	wire      *wire
	near, far net.Conn // the process's end, the broker's end
	queue     chan []byte
	gone      chan struct{}
	once      sync.Once

	mu    sync.Mutex
	asked map[int32]asked // by correlation id
}

type asked struct {
	key     kmsg.Key
	version int16
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.near.Close()
		l.far.Close()
		l.wire.mu.Lock()
		delete(l.wire.links, l)
		l.wire.mu.Unlock()
	})
}

// listen queues the process's requests. What was queued when the process closes the connection is
// on its way and arrives.
func (l *link) listen() {
	defer close(l.queue)
	for {
		frame, err := readFrame(l.near)
		if err != nil {
			return
		}
		select {
		case l.queue <- frame:
		case <-l.gone:
			return
		}
	}
}

// forward delivers the requests.
func (l *link) forward() {
	defer l.close()
	for frame := range l.queue {
		select {
		case <-l.wire.asleep():
		case <-l.gone:
			return
		}
		a := asked{kmsg.Key(binary.BigEndian.Uint16(frame[4:])), int16(binary.BigEndian.Uint16(frame[6:]))}
		l.note(int32(binary.BigEndian.Uint32(frame[8:])), a)
		if m := l.wire.strikes(a.key, false); m != nil {
			l.wire.say("a request %s %s", a.key.Name(), m.how)
			return
		}
		counts := changing(a.key)
		if counts && !l.wire.step("before a request %s", a.key.Name()) {
			return
		}
		if _, err := l.far.Write(frame); err != nil {
			return
		}
		if counts && !l.wire.step("behind a request %s", a.key.Name()) {
			return
		}
	}
}

func (l *link) note(id int32, a asked) {
	l.mu.Lock()
	l.asked[id] = a
	l.mu.Unlock()
	l.wire.mu.Lock()
	l.wire.kinds[a.key]++
	l.wire.mu.Unlock()
}

// answer delivers the answers. Whether the process still listens is no business of the broker.
func (l *link) answer() {
	defer l.close()
	deaf := false
	for {
		frame, err := readFrame(l.far)
		if err != nil {
			return
		}
		time.Sleep(latency)
		select {
		case <-l.wire.asleep():
		case <-l.gone:
			return
		}
		id := int32(binary.BigEndian.Uint32(frame[4:]))
		l.mu.Lock()
		a := l.asked[id]
		delete(l.asked, id)
		l.mu.Unlock()
		if m := l.wire.strikes(a.key, true); m != nil {
			l.wire.say("a request %s %s", a.key.Name(), m.how)
			switch m.how {
			case unanswered:
				return
			case altered:
				frame = alter(frame, a, m.code)
			case delayed:
				select {
				case <-time.After(delay):
				case <-l.gone:
					return
				}
			}
		}
		if changing(a.key) && !l.wire.step("before an answer %s", a.key.Name()) {
			return
		}
		if deaf {
			continue
		}
		if _, err := l.near.Write(frame); err != nil {
			deaf = true
		}
	}
}

// readFrame reads a request or an answer with the four bytes of its length.
func readFrame(c net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
	copy(frame, size[:])
	_, err := io.ReadFull(c, frame[4:])
	return frame, err
}
