// Package pipeline runs quell's three roles on Kafka: intake, correlate and archive.
//
// It owns every goroutine of the product and decides nothing about an alert: verdicts come from
// pipeline/decode and pipeline/dedup, dispositions, incidents and pages from correlate. What this
// package adds is placement, batching, positions, transactions, back-pressure and metrics.
//
//	raw topics, responses -> INTAKE -> alerts -> CORRELATE -> incidents, pages, dispositions
//	                            |                                                     |
//	                            +-> archive, rejected                                 v
//	                                   +----------------------------------------> ARCHIVE -> ClickHouse
//
// # Placement
//
// Each role is a consumer group that consumes nothing: a client per role is a member of the group,
// with fetching paused, and only tells which partitions are ours. The data is read by direct
// consumers (intake's is pipeline/fetch) at positions that quell keeps itself. So a rebalance never moves a position, and a
// committed group offset never contradicts a checkpoint.
//
// # Positions
//
// What a role knows about one partition is a unit of state, such as "intake/events/3". It lies in a
// compacted topic, and a keeper owns it: a transactional id that belongs to the unit. An owner takes
// the id over, which fences the one before, and only then reads. So an owner that slept through a
// rebalance can write on as it likes: nothing of it becomes visible.
//
// Intake keeps position and dedup table of a raw partition: taken between two batches, written in one
// transaction beside the work, once everything that was produced before has been acknowledged.
// Between two checkpoints intake is at least once: what it says again after a crash carries the same
// raw positions, which the engine and the archive ignore.
//
// Correlate commits its outputs and its position in one Kafka transaction. Snapshots of the engine
// are written beside the work, outside of transactions, under keys that name their content; their
// manifest goes with the next transaction. An owner restores the snapshot, folds silently up to the
// committed position, comparing the engine's hash at every committed position that is known, and
// goes live. A hash that differs is a [Divergence]: the partition stands still.
//
// Archive works in rounds: the blocks of consecutive offsets. A round is logged before its first
// insert: its offsets and how far each source was archived before it. From these the inserts follow,
// with their deduplication tokens; so a new owner repeats the last round, and it does not matter which
// of its inserts ClickHouse had taken, or still takes from an owner that was asleep. What ClickHouse
// holds is compared with the log, and decides only where there is no log. Rows that ClickHouse will
// never take stop their partition, with an error at every try: to leave them out would lose them
// silently. Paging goes on.
//
// A position that retention has overtaken is lost: the partition goes on where the log begins, says
// so as an error and counts what is missing. An engine that cannot replay up to its committed
// position does not go on: it would tell other incidents than it has told.
//
// The rules topic knows the identity of every topic that positions are kept of. A topic that was
// created anew, or has other partitions than it had, is a [Refusal] at the start.
//
// # Backlog
//
// Ticks, which each owner of an alerts partition appends every 250 ms, name the clock that its
// engine has reached, and alerts of a raw partition that is read more than 2 s late say how much
// of it is unread; so the engine knows from the log alone when it or intake works off a backlog,
// and holds pages until that is done. When a raw partition has caught up, a watermark says so to
// the alerts partitions that were told of the backlog.
//
// # Back-pressure
//
// Nothing waits for ClickHouse but the archive role: blocks that it has not inserted stay in Kafka.
// Intake waits for the broker's acknowledgements when the producer's buffer is full.
//
// # Lifecycle
//
// [New] connects nothing. [Service.Run] connects (retrying with backoff until its context ends),
// recovers, works, and returns when everything that it started has stopped; a cancelled context is a
// clean stop: what is under way comes to its end, and positions and snapshots are written. It takes
// less than ten seconds also when Kafka or ClickHouse does not answer; what could not be written
// then is repeated by the next owner and ignored by position.
package pipeline
