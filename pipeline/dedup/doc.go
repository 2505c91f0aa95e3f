// Package dedup is intake's memory: what an event's identity is, whether it was seen before, and
// what is still owed to the engine about it. It is pure: verdicts are a fold over the records of
// one raw partition and the configuration, equal input gives equal output, byte for byte. No clock,
// no goroutine, no map, no floating point, nothing allocated per event; a test enforces that.
//
// # Identity
//
// An [Identity] turns an event into a [correlate.Fingerprint]: the keyed SipHash-2-4-128 of its
// length-delimited identity. That is the producer's dedup_key if there is one, else service,
// entity, check and configured labels; the scope always, the source never, since two replicas of
// one monitoring system must collapse. Golden tests pin the values: no release may change them.
//
// The key is a secret. Two printable keys with the same xxHash64 are found in milliseconds, and one
// of them would silence the other. For the same reason the table is indexed by the fingerprint
// itself and not by xxHash64: whoever may choose service names may choose the bits of an unkeyed
// hash and pile a million entries onto one slot. The keyed hash is computed anyway. xxHash64 does
// what a forger gains nothing from: it spreads scopes and records over partitions, and checks
// snapshots. Inside the table, ids and pass_on labels are told apart by SipHash-1-3 under the same key:
// its digests leave the table for its snapshots only.
//
// # Verdicts
//
// A [Table] holds one entry for each fingerprint seen within the window, quiet time measured in
// stream time. Intervals are half-open: at last+window the fingerprint is forgotten, at
// passed+update_interval an update is due. The verdict is the first of
//
//	over_limit   unknown or forgotten, and MaxEntries others are live: passed through, not kept
//	new          unknown or forgotten: a new episode, whether firing or resolved
//	redelivered  id, severity and status equal one of the last four statements that had an id
//	changed      severity, status or a pass_on label differs from the last event
//	duplicate    resolved again while resolved, whenever
//	update       update_interval since the last pass-on
//	duplicate    the rest
//
// New, changed, update and over_limit pass on as alerts. A redelivery is an artefact of transport:
// it counts as a sighting of nothing, changes nothing and keeps nothing in memory. An id that comes
// back with another severity or status is no redelivery but a producer that names conditions
// instead of statements by id; to drop its resolves would be a loss, so that is a change.
//
// # Owed counts
//
// What a duplicate counted is owed until a record covers it. If no event passes on before, a flush
// falls due exactly update_interval after the last pass-on (after the duplicate itself, for a
// resolved that is repeated later than that). Hence the contract: for each record
//
//	now, _ := table.Advance(record timestamp)
//	table.Due(now, emit)
//	seen := table.Observe(Sighting{Now: now, ...}, event)
//
// so that flushes and passes come out the same, with the same times, for any grouping of records
// into batches and any partitioning that does not split fingerprints. A caller's timer may call Due
// with later times while a partition idles: a flush marks volatile state only, so that neither
// verdicts nor snapshots can tell. Counts are cumulative within an episode, so a flush repeated
// after a restore is harmless. What such an early flush covered may be covered again by the next
// record: whoever maps offsets to records lets the first one win. Each event's count reaches the
// engine: that is the law which the tests sum up.
//
// # Stream time
//
// [StreamClock] is the maximum of the last 1,024 record timestamps, so that one wrong clock cannot
// freeze expiry. It never falls, except when the wrong maximum has left those 1,024 and the fall is
// more than max_skew; then all stream times in the table move by as much. A smaller fall is
// held: time stands until the log has caught up. So between two rebases time is monotonic, what is
// forgotten stays forgotten, and a watermark that was announced stays true.
//
// # Storage
//
// Entries (136 bytes, no pointers) lie in chunks that never move. A sorted open-addressing array of
// {fingerprint prefix, slot} finds them; since it is sorted by fingerprint, growing it is one
// sequential pass, and walking it writes the canonical snapshot. A list through the entries keeps
// them in the order of their last sighting. That replaces two generations of a table: the oldest
// entry is at hand exactly when room is needed, no sweep stalls a batch, and "full" means live
// entries, so that a restored table agrees with one that never stopped. Memory grows with the most
// live entries there ever were, 144 bytes and an index of 11 to 16 bytes each, plus 16 while
// something is owed. [Table.Warm] hides most of what a table of that size waits for memory.
package dedup
