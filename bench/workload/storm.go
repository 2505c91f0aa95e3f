package workload

import (
	"math/rand/v2"
	"sort"

	"quell/correlate"
)

// Noise is the label of events that belong to no fault.
const Noise int32 = 0

// Item is one event of a storm.
type Item struct {
	Value    []byte         // native JSON, about 400 bytes; never written again
	Key      []byte         // of the Kafka record: one value for one alert; shared, do not write
	At       correlate.Time // when to send it; never falls
	Time     correlate.Time // what the event says; at most a few seconds before At
	Fault    int32          // the truth: Noise, or the fault's number from 1
	Sequence uint64         // 0, 1, 2 ...; a redelivery has that of its original
}

// Storm is a stream of events. It belongs to one goroutine.
type Storm struct {
	plan   *plan
	secret permutation
	random *rand.PCG
	stamp  stamp

	order   []int // emitters by start
	started int   // of them, so many have started
	active  []int
	upTo    []uint64 // running sum of the active emitters' rates

	now       int   // story ms of the last event sent
	tick      int   // next tick to begin
	rest      int64 // events that are not statements and are still to come
	rateLeft  int64 // sum over the remaining ticks of all rates
	stated    int   // statements made
	left      int   // events to come in this tick
	of        int   // events of this tick
	emitted   int
	sequence  uint64
	recent    [8]said // newest originals, a ring
	originals int
	chunk     []byte
	counts    []int64 // events by fault
	current   *emitter
	said      said
}

const (
	redelivered = 25 // per mille of the events
	chunkSize   = 256 << 10
)

// NewStorm plans a storm; that takes some milliseconds. Options out of range are brought into it.
func NewStorm(o Options) *Storm {
	p := newPlan(o)
	s := &Storm{plan: p, secret: newPermutation(p.options.Seed),
		random: rand.NewPCG(p.options.Seed, 2), counts: make([]int64, len(p.faults)+1)}
	s.rest = int64(p.options.Events - len(p.statements))
	s.order = make([]int, len(p.emitters))
	for i := range s.order {
		s.order[i] = i
		e := &p.emitters[i]
		s.rateLeft += e.rate * int64(s.lastTick(e)-s.firstTick(e)+1)
	}
	sort.SliceStable(s.order, func(i, j int) bool {
		return p.emitters[s.order[i]].start < p.emitters[s.order[j]].start
	})
	return s
}

func (s *Storm) firstTick(e *emitter) int { return e.start / s.plan.tick() }
func (s *Storm) lastTick(e *emitter) int  { return (e.end - 1) / s.plan.tick() }

// Next returns the next event, false after the last.
func (s *Storm) Next() (Item, bool) {
	if s.emitted == s.plan.options.Events {
		return Item{}, false
	}
	now, statement := s.advance()
	switch {
	case statement:
		s.state(&s.plan.statements[s.stated])
		s.stated++
	case s.originals > 0 && s.redeliver():
	default:
		s.speak(now)
	}
	return s.item(now), true
}

// advance moves to the moment of the next event, and says whether that is a statement.
func (s *Storm) advance() (now int, statement bool) {
	tick := s.plan.tick()
	for {
		begun := s.tick*tick - tick // of the tick that runs
		if s.stated < len(s.plan.statements) && s.plan.statements[s.stated].at < begun+tick {
			return max(begun, s.plan.statements[s.stated].at), true
		}
		if s.left > 0 {
			s.left--
			return begun + (s.of-1-s.left)*tick/s.of, false
		}
		s.beginTick()
	}
}

// beginTick brings the active emitters up to date and takes this tick's part of the remaining
// events: what is left of them times this tick's part of what is left of the rates.
func (s *Storm) beginTick() {
	emitters := s.plan.emitters
	for s.started < len(s.order) && s.firstTick(&emitters[s.order[s.started]]) <= s.tick {
		s.active = append(s.active, s.order[s.started])
		s.started++
	}
	kept := s.active[:0]
	s.upTo = s.upTo[:0]
	var sum uint64
	for _, i := range s.active {
		if s.lastTick(&emitters[i]) >= s.tick {
			kept = append(kept, i)
			sum += uint64(emitters[i].rate)
			s.upTo = append(s.upTo, sum)
		}
	}
	s.active = kept
	s.of = 0
	if sum > 0 {
		s.of = share(s.rest, int64(sum), s.rateLeft, s.random.Uint64())
	}
	s.rest -= int64(s.of)
	s.rateLeft -= int64(sum)
	s.left = s.of
	s.tick++
}

// share returns n*part/whole, rounded up with the probability of its fraction; all of n if part is
// the whole.
func share(n, part, whole int64, random uint64) int {
	if part >= whole {
		return int(n)
	}
	for whole >= 1<<31 { // keep the products inside 64 bits; the loss is far below one event
		whole, part = whole>>1, part>>1
	}
	q, r := n*part/whole, n*part%whole
	if random%uint64(whole) < uint64(r) {
		q++
	}
	return int(min(q, n))
}

// state makes a first event or a resolve.
func (s *Storm) state(v *statement) {
	s.original(said{emitter: v.emitter, time: v.at, source: v.replica, cleared: v.resolved})
}

// speak draws one of the active emitters by its rate.
func (s *Storm) speak(now int) {
	total := s.upTo[len(s.upTo)-1]
	x := s.random.Uint64() % total
	lo, hi := 0, len(s.upTo)-1
	for lo < hi {
		if mid := (lo + hi) / 2; s.upTo[mid] > x {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	e := &s.plan.emitters[s.active[lo]]
	r := s.random.Uint64()
	time := min(max(now-lateness(uint32(r)), e.start), e.end-1)
	s.original(said{emitter: s.active[lo], time: time, source: int(r >> 40 % uint64(e.replicas))})
}

// lateness draws how long an event was under way: 90 in 100 below 150 ms, 8 below 800 ms, 2 one to
// three seconds.
func lateness(r uint32) int {
	r, kind := r/100, r%100
	switch {
	case kind < 90:
		return int(r % 150)
	case kind < 98:
		return int(150 + r%650)
	}
	return int(1000 + r%2000)
}

// original gives a new event its id and remembers it for redelivery.
func (s *Storm) original(v said) {
	v.sequence, v.id = s.sequence, s.secret.seal(s.sequence, s.plan.emitters[v.emitter].fault)
	v.value = uint32(s.random.Uint64() >> 40)
	s.sequence++
	s.recent[s.originals%len(s.recent)] = v
	s.originals++
	s.said = v
}

// redeliver repeats one of the newest events now and then: the same id, in half of the cases from
// another monitor, which passes on what it was told.
func (s *Storm) redeliver() bool {
	r := s.random.Uint64()
	if r%1000 >= redelivered {
		return false
	}
	s.said = s.recent[(r>>20)%uint64(min(s.originals, len(s.recent)))]
	if n := s.plan.emitters[s.said.emitter].replicas; n > 1 && r>>63 == 1 {
		s.said.source = (s.said.source + 1) % n
	}
	return true
}

func (s *Storm) item(now int) Item {
	e := &s.plan.emitters[s.said.emitter]
	if cap(s.chunk)-len(s.chunk) < 1024 {
		s.chunk = make([]byte, 0, chunkSize)
	}
	from := len(s.chunk)
	s.chunk = s.render(s.chunk, &s.said)
	s.counts[e.fault]++
	s.emitted++
	s.current = e
	start := s.plan.options.Start
	s.now = max(s.now, now, s.said.time)
	return Item{Value: s.chunk[from:len(s.chunk):len(s.chunk)], Key: e.key,
		At: start.Add(correlate.Duration(s.now)), Time: start.Add(correlate.Duration(s.said.time)),
		Fault: e.fault, Sequence: s.said.sequence}
}
