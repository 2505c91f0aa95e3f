package correlate

import "slices"

// Stats are an engine's figures for metrics. All are gauges of its state, but the counters at the
// end, which count since New or Restore.
type Stats struct {
	Pending, Open, Acknowledged, Resolved int // incidents by state, resolved ones as long as known

	Held int // incidents that owe a page until a backlog has been worked off

	LiveAlerts   int // alerts known
	Members      int // of all incidents known
	Incidents    int // not resolved, or taking alerts
	Groups       int // group keys with a window
	ClosedGroups int // windows that take late evidence
	Timers       int // entries in the timer queue, superseded ones included
	Buffered     int // records that wait for a watermark (event clock)

	// The fullest: of the scopes, of the rules in a scope, of the incidents that grew of late.
	MostOpen, MostGroups, MostMembers int

	Ended bool // all raw partitions finished and time has run out (event clock)
	More  bool // the next record, whatever it is, goes on with what others left (event clock)

	Evicted uint64 // closed groups dropped before their time: Limits.ClosedGroups
	Forced  uint64 // records applied before their watermark: Limits.MergeBuffer
	Divided uint64 // records that brought about as much as one may: Limits.StepBytes

	Over Over
}

// Over counts alert records that met a limit, by limit. They went on as over_limit.
type Over struct{ Incidents, OpenIncidents, GroupsPerRule, AlertsPerIncident, LiveAlerts uint64 }

// Stats returns the engine's figures. It costs little enough to be asked for with each step.
func (e *Engine) Stats() Stats {
	members := 0
	if e.largest != nil {
		members = len(e.largest.members)
	}
	return Stats{
		MostOpen: e.open.most, MostGroups: e.ruled.most, MostMembers: members, Over: e.over,
		Pending: e.states[Pending], Open: e.states[Open], Acknowledged: e.states[Acknowledged],
		Resolved: e.states[ResolvedDone], Held: e.backlog.owing.n,
		LiveAlerts: e.alerts.n, Members: e.members, Incidents: e.occupied, Groups: len(e.groups),
		ClosedGroups: len(e.closed) - e.closedHead, Timers: len(e.timers.heap),
		Buffered: len(e.merge.heap), Ended: e.merge.ended && !e.merge.more, More: e.merge.more,
		Evicted: e.evicted, Forced: e.forced, Divided: e.divided,
	}
}

// Clock returns the engine's clock: what a tick names. Zero before the first record.
func (e *Engine) Clock() Time { return e.now }

// Position returns the offset that the engine expects next.
func (e *Engine) Position() int64 { return e.position }

// Rules returns the hash of the rule set in force.
func (e *Engine) Rules() RuleHash { return e.rules.Hash() }

// Replaced returns the hashes of the rule sets that were in force before, at most 64, newest last:
// those that only an explicit rule change brings back.
func (e *Engine) Replaced() []RuleHash { return slices.Clone(e.replaced) }

// Hash returns a hash that chains the position and content of every record applied and all that
// it brought about. Two engines of one version with equal hashes have the same history (but for an
// accident in 2^64, or somebody who wants it: it is no signature).
func (e *Engine) Hash() [32]byte { return e.hash.sum() }
