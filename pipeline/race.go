package pipeline

import (
	"sync"
	"time"

	"quell/correlate"
)

// maxLead is how far, in stream time, a raw partition may run ahead of the slowest one of its
// process under the event clock. What it reads ahead waits in the engine until the slowest has
// caught up, so this bounds memory; it decides nothing.
const maxLead = correlate.Hour

// race knows where the raw partitions of this process stand under the event clock.
type race struct {
	mu sync.Mutex
	// stands has the partitions that hold the others back: neither ended nor resting.
	stands map[partition]correlate.Time
	slow   correlate.Time // the lowest of them
	// rests has the partitions that are silent at their end, and what they said last.
	rests map[partition]word
	said  correlate.Time // of the last word of this process
	// called has those whose rest another one has ended, until they notice.
	called map[partition]bool
}

// word is what a watermark says of a partition: where it stands, and where and when it said so.
type word struct {
	at   correlate.Time
	next int64
	said correlate.Time
}

func newRace() *race {
	return &race{stands: map[partition]correlate.Time{}, rests: map[partition]word{},
		called: map[partition]bool{}}
}

// at tells where a partition stands; one that is out holds nobody back.
func (r *race) at(p partition, t correlate.Time, out bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if out {
		delete(r.stands, p)
	} else {
		r.stands[p] = t
	}
	r.settle()
}

// leave forgets a partition.
func (r *race) leave(p partition) {
	r.at(p, 0, true)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rests, p)
	delete(r.called, p)
}

// speak returns when the next word of this process is said. Two are never said at once, so that of
// two about one position it is known which counts; of those of two processes, their clocks decide.
func (r *race) speak() correlate.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next()
}

func (r *race) next() correlate.Time {
	r.said = max(r.said+1, correlate.Time(time.Now().UnixMilli()))
	return r.said
}

// rest tells that a partition says that it is idle: at stream time t, with next to be read next. It
// returns when that is said.
func (r *race) rest(p partition, t correlate.Time, next int64) correlate.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.stands, p)
	delete(r.called, p)
	r.rests[p] = word{t, next, r.next()}
	r.settle()
	return r.said
}

// wake ends the rest of p and of all others, and returns what takes back the others' words: they
// hold back again.
func (r *race) wake(p partition) map[partition]word {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rests, p)
	delete(r.called, p)
	others := r.rests
	r.rests = map[partition]word{}
	for q, w := range others {
		w.said = r.next()
		others[q] = w
		r.stands[q], r.called[q] = w.at, true
	}
	r.settle()
	return others
}

// woken reports, once, that another partition has ended the rest of p.
func (r *race) woken(p partition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.called[p]
	delete(r.called, p)
	return was
}

func (r *race) settle() {
	first := true
	for _, t := range r.stands {
		if first || t < r.slow {
			r.slow, first = t, false
		}
	}
}

// ahead reports whether p is more than maxLead ahead of the slowest.
func (r *race) ahead(p partition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.stands[p]
	return ok && t.Sub(r.slow) > maxLead
}
