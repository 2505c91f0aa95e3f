// Package fetch reads partitions of Kafka batch by batch, for a reader that keeps nothing: intake.
//
// The client's own consumer makes a struct of 200 bytes for every record, decompresses a whole answer
// before the first record of it is looked at, and clears all of that when it is given back. At a million
// records a second that was an eighth of what intake cost, most of it waiting for memory: an answer of a
// megabyte becomes several, which no longer fit into the processor's second cache. Here one batch is
// decompressed at a time, into memory that the one before was in, and a record is three words about
// where it lies in there.
//
// # Division of labour
//
// The Kafka client ([kgo.Client]) keeps connections, logs in, agrees on versions, and knows the
// brokers. A [Fetcher] asks through it: one fetch request at a time to each broker, for all partitions
// that this broker leads, and the next one as soon as the answer has been taken; so while one answer
// is read the next one is under way. A [Part] is what an answer brought of one partition: bytes that
// were checked only for where batches begin and end. [Part.Next] does the rest, on the caller's
// goroutine: checksum, decompression, records.
//
// # Guarantees
//
// Positions of a partition come in order, each once, from the offset that it was added with. What
// was committed only: records of aborted transactions and the markers of all are passed over. A
// partition that was removed, or removed and added again, brings nothing that was asked for before.
// What cannot be read stops its partition with an error that names the position: a damaged batch,
// a position outside of the log, a log that was cut back below what had been read (an election of a
// leader that lacked records), a topic that was created again. Everything that passes by itself (a
// broker that is away, a new leader) is tried again with backoff.
//
// # What it does not do
//
// It forms no group and keeps no position: who reads does. It does not read formats of before Kafka
// 0.11, keys or headers, from followers, or in fetch sessions.
package fetch
