// Package correlate holds quell's nouns and its pure engine.
//
// The chain of nouns is the field's: an [Event] is one statement by a monitoring system, as
// received; an [Alert] is an ongoing condition, all events with one [Fingerprint]; an [Incident] is
// a set of alerts that belong together and deserve attention; a [Page] is what a paging service
// gets about an incident.
//
// Every event has exactly one [Verdict] (given by intake), every alert record exactly one
// [Disposition] (given by the engine). Both are closed sets: the same words are the metric labels,
// the columns in ClickHouse and the oracle of the tests.
//
// # What the package must not do
//
// It is a fold over the records of one partition of the alerts topic and nothing else. It reads no
// clock, starts no goroutine, takes no lock, logs nothing, does no I/O, draws no random number,
// iterates no map unsorted and decides nothing by floating point. Equal input gives equal output,
// byte for byte, on every machine. It imports only the standard library; a test enforces that.
//
// # Time
//
// All times are [Time]: milliseconds since the Unix epoch, UTC. The engine's clock comes from the
// log (record timestamps, ticks, watermarks). Intervals are half-open: a window [start, end) does
// not contain its end, and a timer that is due at t fires before a record of time t is applied.
package correlate
