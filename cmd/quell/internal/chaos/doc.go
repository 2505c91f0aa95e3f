// Package chaos puts real quell processes under load, kills and pauses them and the servers they
// depend on, and checks that nobody could have noticed but by a delay of seconds.
//
// # A round
//
// A [Run] plays rounds. Each has its own topics, database and processes (`quell run` of the built
// binary, roles shared or split, some with static group membership) on a real Kafka and the real
// ClickHouse engine, which the rounds share. A storm of package workload is appended open-loop, with
// a malformed record now and then; a paging service reads the pages as they come and acknowledges,
// resolves, or talks nonsense on the responses topic. Meanwhile two acts strike. Then the load ends,
// everything comes to rest, and the checks are made.
//
// # The acts
//
// See [Act]. What matters about a crash is when it comes, so the acts look before they strike: the
// broker dies while a transaction is open, ClickHouse while an insert is under way, and an archiver is
// stopped in the middle of an insert because a proxy between it and ClickHouse holds that insert.
// An owner that is stopped is woken only after its successor has taken over, has written a
// checkpoint (intake), or has inserted what comes later (archive; under the event clock an hour
// later). After that all processes are killed and start once more, from whatever the stale owner may
// have left. Seven acts occur in every five rounds, the others fill up; one round of five runs under
// the event clock.
//
// After each act the round goes on only when everything flows again: a critical event in each raw
// partition for each alerts partition has paged (under the event clock: the archive has reached the
// end of the log). How long that took is what the report calls recovery.
//
// # The checks
//
//   - The log holds exactly what brokers acknowledged, and ClickHouse exactly one row of each record,
//     with its id.
//   - `quell audit` finds nothing.
//   - A silent refold of the round's own alerts, by an engine that saw no crash, gives byte for byte
//     and in this order the revisions and pages that a read_committed consumer sees, those that the
//     paging service saw while it happened, the dispositions in ClickHouse, and the committed hash.
//   - No checkpoint was ever set back.
//   - Under the event clock, one process that nobody disturbs, on another broker, makes the same
//     incidents and pages of the same records.
//
// Everything is compared by name and bytes, never by counts.
//
// # What the seed decides
//
// Acts, their order, victims, pauses, layouts and the storm are drawn from the seed; when exactly a
// signal hits is up to the machine. So a seed repeats a round as closely as real processes allow, and
// a failure that does not come again has its logs: the directory of a round that failed stays, with
// the configurations, each process's log over all its lives, the journal and the audit's report.
//
// # Recovery
//
// [Measure] is the other program: it builds a large state and measures how soon a killed process is
// live again, an alerts partition changes owner after a crash and after a clean stop, and what the
// crash of an intake process costs the pages of the partitions of others.
//
// # What the package relies on
//
// The binary, the topics, and the forms that are public: records of the alerts topic (correlate/wire),
// incidents and pages. Of quell's own state it reads two numbers, in kafka.go: the position and hash
// that an engine's owner commits, and the position of a checkpoint.
package chaos
