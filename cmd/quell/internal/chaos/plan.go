package chaos

import (
	"math/rand/v2"
	"slices"
	"time"

	"quell/correlate"
)

// Act is one kind of fault. A round has two of them.
type Act string

// The acts. The first seven occur in every block of five rounds, whatever the seed; the others fill
// it up.
const (
	StaleIntake    Act = "stale-intake"     // SIGSTOP an owner of raw partitions, wake it later
	StaleCorrelate Act = "stale-correlate"  // likewise of alerts partitions
	StaleArchive   Act = "stale-archive"    // likewise of archive partitions, in the middle of an insert
	BrokerInTx     Act = "broker-kill"      // kill -9 the broker while a transaction is open
	ClickHouseKill Act = "clickhouse-kill"  // kill -9 ClickHouse while an insert is under way
	KillAll        Act = "kill-all"         // kill -9 every process at once
	Rolling        Act = "rolling-restart"  // SIGTERM and start, one process after the other
	KillOne        Act = "kill-one"         // kill -9 one, start it before or after its session times out
	PauseOne       Act = "pause-one"        // SIGSTOP for less than the session timeout
	Scale          Act = "join-and-leave"   // a process joins, another leaves cleanly
	BrokerRestart  Act = "broker-restart"   // the broker is stopped in good order and started
	BrokerPause    Act = "broker-pause"     // SIGSTOP the broker for a moment
	ClickHouseHang Act = "clickhouse-pause" // SIGSTOP ClickHouse for a moment
	KillTwice      Act = "kill-in-recovery" // kill -9 one, and again as soon as it is back
	killAllAtEnd   Act = "kill-all-at-end"  // after a stale act, so that checkpoints are really used
	takeover       Act = "takeover"         // no act: how long the successors of a stale owner took
)

// blockRounds is in how many rounds all acts of always occur.
const blockRounds = 5

func always() []Act {
	return []Act{StaleIntake, StaleCorrelate, StaleArchive, BrokerInTx, ClickHouseKill, KillAll, Rolling}
}

func others() []Act {
	return []Act{KillOne, PauseOne, Scale, BrokerRestart, BrokerPause, ClickHouseHang, KillTwice}
}

// ofBroker tells the acts that silence every partition at once. Under the event clock `quell run`
// takes silence for the end of the input (it cannot know better), so those rounds have none.
func ofBroker(a Act) bool { return a == BrokerInTx || a == BrokerRestart || a == BrokerPause }

// plan is what a round will be, from the seed alone.
type plan struct {
	Seed   uint64
	Round  int // from 1
	Clock  correlate.ClockMode
	Acts   []Act
	Layout layout
	Rate   int // events a second

	template string // of the configuration

	random *rand.Rand // of the round's details
}

// layout is which processes a round has: roles, and whether membership is static.
type layout struct {
	name    string
	members []member
}

type member struct {
	roles  string // as --roles takes them; "" is all
	static bool
}

// layouts have every role at least twice: somebody must take over.
func layouts() []layout {
	return []layout{
		{"2 shared", []member{{"", false}, {"", false}}},
		{"3 shared, 1 static", []member{{"", false}, {"", true}, {"", false}}},
		{"split", []member{{"intake,correlate", false}, {"intake,correlate", true}, {"archive", false},
			{"archive", false}}},
		{"split and shared", []member{{"intake", false}, {"correlate,archive", false}, {"", false}}},
		{"one role each", []member{{"intake", false}, {"intake", true}, {"correlate", false},
			{"correlate", true}, {"archive", false}, {"archive", false}}},
	}
}

// newPlan deals the cards of a block of rounds and returns those of one round.
func newPlan(seed uint64, round int) plan {
	block := (round - 1) / blockRounds
	r := rand.New(rand.NewPCG(seed, uint64(block)))
	acts := always()
	more := others()
	r.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
	acts = append(acts, more[:2*blockRounds-len(acts)]...)
	r.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })

	// One round of the block runs under the event clock: by turns the one with the stale archiver,
	// which is then woken an hour of log time later, and any.
	at := slices.Index(acts, StaleArchive)
	if block%2 == 1 {
		at = r.IntN(len(acts))
	}
	event := at / 2
	for i := 2 * event; i < 2*event+2; i++ {
		for j := 0; ofBroker(acts[i]); j++ {
			if j/2 != event && !ofBroker(acts[j]) {
				acts[i], acts[j] = acts[j], acts[i]
			}
		}
	}
	all := layouts()
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	n := (round - 1) % blockRounds
	p := plan{Seed: seed, Round: round, Clock: correlate.ClockAppend, Acts: acts[2*n : 2*n+2],
		Layout: all[n], template: ofRounds, random: rand.New(rand.NewPCG(seed, 1<<32+uint64(round)))}
	if n == event {
		p.Clock = correlate.ClockEvent
	}
	p.Rate = 1500 + 500*p.random.IntN(4)
	return p
}

// between draws a time.
func (p *plan) between(low, high time.Duration) time.Duration {
	return low + time.Duration(p.random.Int64N(int64(high-low)))
}
