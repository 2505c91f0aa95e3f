package workload

import (
	"math/bits"

	"quell/correlate"
)

// Quiet is the shortest time, in a story of 40 s, between the last event of a fault (late resolves
// included) and the first of the next fault in the same cluster. It stretches with Options.Length.
const Quiet = 8 * correlate.Second

// storyLength is the length that all times of the plan are written for.
const storyLength = 40 * correlate.Second

// Options say what storm to make. Zero values stand for the defaults in brackets, which grow with
// the logarithm of Events: most of a storm is repetition. A story needs about 1,000 events to
// show everything; fewer are given, too.
type Options struct {
	Seed   uint64             `json:"seed"`
	Events int                `json:"events"` // exactly so many, redeliveries included [100,000]
	Length correlate.Duration `json:"length"` // of the story [40 s]
	Start  correlate.Time     `json:"start"`  // of the story [2026-01-01T00:00:00Z]

	Scopes   int `json:"scopes"`   // [2, from 50,000 events on 3]
	Clusters int `json:"clusters"` // per scope [as many as the faults need]
	Services int `json:"services"` // per cluster, at least 6, at most 40 [8 to 16]
	Hosts    int `json:"hosts"`    // per cluster [5 to 9]
	Faults   int `json:"faults"`   // wanted; fewer when the story is too crowded [8 to 38]
	// Background is the share of events that belong to no fault, per mille [340 to 440, drawn].
	Background int `json:"background"`
}

// defaultStart is 2026-01-01T00:00:00Z.
const defaultStart correlate.Time = 1_767_225_600_000

func (o Options) withDefaults(d *dice) Options {
	if o.Events <= 0 {
		o.Events = 100_000
	}
	grows := bits.Len(uint(o.Events / 1000)) // 2 at 2,000, 7 at 100,000, 10 at 1,000,000
	fill(&o.Scopes, 2+min(1, o.Events/50_000))
	fill(&o.Faults, 3+5*grows/2)
	fill(&o.Clusters, max(3, (o.Faults*3/4+o.Scopes-1)/o.Scopes))
	fill(&o.Services, min(16, 6+grows))
	fill(&o.Hosts, min(9, 4+grows/2))
	fill(&o.Background, d.between(340, 440)) // drawn even if given: the rest of the story stays
	o.Services = min(max(o.Services, 6), len(words))
	o.Scopes = min(o.Scopes, len(scopeNames))
	o.Faults = min(o.Faults, maxFaults)
	if o.Length <= 0 {
		o.Length = storyLength
	}
	o.Length = max(o.Length, correlate.Second)
	if o.Start == 0 {
		o.Start = defaultStart
	}
	return o
}

func fill(v *int, otherwise int) {
	if *v <= 0 {
		*v = otherwise
	}
}

// alertsPerFault bounds the distinct alerts of one fault.
func (o Options) alertsPerFault() int {
	grows := bits.Len(uint(o.Events / 1000))
	return max(2, min(8+6*grows, o.Events*6/10/(10*max(1, o.Faults))))
}

// chatter is a measure of how many distinct alerts the background has.
func (o Options) chatter() int {
	return max(1, min(bits.Len(uint(o.Events/1000)), o.Events/200))
}
