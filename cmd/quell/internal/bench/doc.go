// Package bench measures quell on the machine at hand, stage by stage, and what its surroundings
// allow beside it.
//
// # What is measured
//
// A workload (bench/workload) is produced to a raw topic once; that is timed and not counted. Then each
// stage drains what the one before has left, in a process of its own, so that processor time,
// allocations and resident memory are that stage's and nobody else's:
//
//   - bare_consumer reads the raw topic with one and with two franz-go clients and discards the
//     records; the better one is the limit that the Kafka client sets.
//   - intake drains the raw topic: decode, fingerprint, deduplicate, alerts and archive blocks out.
//   - correlate drains an alerts topic. Of a storm, intake passes on little more than what is new;
//     so that the engine has work, an intake with the shortest update_interval has filled this topic
//     before, and nearly every repeat is an update of an open alert. An event of this row is a record
//     of the alerts topic.
//   - archive writes what intake and correlate left for it to ClickHouse. An event is a row of events.
//   - whole runs all roles at once over the raw topic, into a database of its own.
//
// The stages are the product's: [pipeline.Service] with one role or all, as `quell run` configures
// it, with checkpoints and transactions unless told otherwise. Broker and engine are processes of
// their own; their processor time stands beside each row, in microseconds an event of that row.
//
// # From when to when
//
// A window begins when the stage has taken its first records (connecting and joining groups is left
// out, and so are the events taken by then) and ends when
//
//   - bare_consumer has the last record,
//   - intake has stopped: everything acknowledged, its last checkpoint written,
//   - correlate has committed the last position,
//   - archive and whole have ClickHouse's word for every row and no merge runs any more.
//
// Processor time is getrusage of the process (user and system) over that window; of broker and
// engine it is what the kernel accounts to them, in steps of 10 ms. Allocations are Go's own count.
// Resident memory is the peak of the process's life.
//
// # Page latency
//
// A generator that never waits for anybody (open loop) offers background events at a rate, and every
// 50 ms a probe: a critical event that a rule without group_wait pages about alone. Latency is the
// difference of two timestamps of the log: of the raw record's append, and of the marker that
// committed the page, from which on a read_committed consumer may see it. The rate is 100,000 events
// a second, or six tenths of what the whole system has drained just before if that is less: a system that
// is offered more than it can do has no latency, it has a backlog. A probe that was not paged within 20 s
// of the last one counts with the time that it waited. What was offered, what was
// achieved, and how late the generator itself was, is told.
//
// # What it does not tell
//
// Everything shares one machine: broker, engine and quell take each other's cores, caches and memory
// bandwidth. What everybody else took of it stands beside each row: on a machine that others use too,
// events a second say little, processor time an event says more. One broker means no replication, the loopback no network. A window of seconds sees the
// merges that come at once, not those of a day. Compare ratios within one run, not runs.
package bench
