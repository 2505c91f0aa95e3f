// Package workload makes storms of monitoring events whose truth is known, and scores what an
// event-correlation system made of them.
//
// # The world
//
// A storm happens in a few scopes. A scope runs one piece of software, a graph of services in
// tiers (web -> api -> db, cache, queue; worker -> queue, db), once in each of its clusters. A
// cluster is a failure domain: its instances share its hosts (unequal, overlapping sets of services
// on each; one instance in twelve sits on a host of the neighbour cluster) and call each other
// along the graph. Service names repeat in every cluster. Monitors annotate what they send with
// the labels that real ones carry: cluster, region, zone, host, team; one alert in forty comes
// from an old monitor that does not know its cluster.
//
// # The faults
//
// A fault hits a service of one cluster, a host (and what runs there), or, as a bad rollout, one
// service in two clusters. It takes dependants with it: along each edge of the graph with that
// edge's probability and delay, to a depth of the fault's own. Alerts get worse while it lasts, or
// start mild, or do not change; some flap; most are reported by two or three replicated monitors at
// slightly different times, under ids of their own (a duplicate) or the same id (a redelivery).
// Resolves come at once, late, or never. Faults differ in volume by a factor of twelve and in
// length by a factor of three, overlap freely in different clusters of a scope, and follow one another in
// the same cluster after a few seconds. Some leak a twentieth of their volume into another cluster.
//
// At least three events in ten are background: info chatter on every service; a few checks that
// never stop talking; warnings of the same checks that faults raise, many on services that have a
// fault at that moment; and bursts of errors that nothing but the truth tells from a fault.
//
// What may be chosen is in [Options]; all else (roots, edges, delays, probabilities, times,
// volumes) is drawn from the seed, and no correlation rule knows any of it.
//
// # Why it is not trivially easy, and why it can be done
//
// One incident per scope swallows simultaneous faults. One per fingerprint, per host or per service
// breaks a fault into dozens or mixes clusters. One per zone mixes simultaneous faults. One per
// cluster without a window merges a fault with its successor; so does a session over everything in
// the cluster, because the background there bridges the gap. An alert that starts as a warning
// and becomes an error sits where the warnings are. What works is what an operator would write
// without knowing the parameters: keep info and housekeeping checks apart, warnings too, and
// group errors by failure domain with a session window of a few seconds.
//
// The generator keeps promises that make "no missed incident" a fair demand: between two faults
// of one cluster lie at least [Quiet] of story without errors that would join them (bursts of the
// background and leaks are placed so that they do not bridge); what leaks into a cluster is
// much smaller than a fault that is there; each fault has an alert that is critical from the
// start and carries its cluster; one alert never has two causes at once. Nothing else is promised.
//
// # Time
//
// Everything is planned for a story of 40 s and stretches with Options.Length. An event has the
// moment it is sent ([Item].At, never falling) and the moment it speaks of ([Item].Time): mostly up
// to 150 ms earlier, for two in a hundred one to three seconds.
//
// # Truth without a leak
//
// No field of an event says which fault it belongs to. Its id is a keyed permutation of (sequence
// number, fault), so [Truth.FaultOf] finds the fault of an archived event without a table, and
// nobody does who lacks the seed.
//
// # Loads
//
// A [Load] is the other kind of stream, for benchmarks: named, stable, with exact proportions and no
// story. What is measured with it today can be compared with what is measured next year.
//
// # What the package must not do
//
// It is a pure function of its options: no clock, no global randomness, no floating point in the
// generator. Equal options give equal bytes on every machine. It keeps the plan in memory (some
// thousand alerts), never the events.
package workload
