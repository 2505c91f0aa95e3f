// Package audit proves, or disproves, that nothing was lost and nothing happened twice: it compares
// what Kafka holds with what the archive holds, position by position.
//
// # What it checks
//
// Of every raw partition, and of the responses topic in the same way:
//
//   - every record has exactly one row, in events or in rejected (in responses, for responses);
//   - no row stands at a position behind the end of the log;
//   - every event that intake passed on (new, changed, update, over_limit) has exactly one
//     disposition, and every disposition refers to an archived event.
//
// Of incidents and pages, by (id, revision), of which nothing may be there twice:
//
//   - what is in a topic is in the archive, and what is in the archive is in the topic, unless
//     retention or compaction took it there (the newest revision of an incident stays);
//   - every page is a revision of its incident;
//   - there are as many pages as the revisions of an incident say were sent, so that a page is missed
//     that is in neither topic nor archive (of incidents whose rows the archive's TTL has not taken);
//   - the revisions of an incident are 1, 2, 3 ... without a hole.
//
// # What is not wrong, and shown apart
//
//	absent   offsets that hold no record a read_committed consumer sees: the markers of
//	         transactions, what was aborted, what compaction took
//	expired  rows whose record retention has taken
//	aged     records whose row the archive's own TTL has taken
//	pending  records behind the highest archived position, if the audit was told not to wait
//	unknown  offsets below the start of the log, between rows, without one: they held no record, or
//	         one that was lost before retention took it; nobody can tell any more
//
// # How it is fast
//
// ClickHouse does the work of a hundred million rows: it makes a bitmap of 65,536 positions out of
// each stretch of a partition, and answers with the holes in it. Only the holes are looked up in
// Kafka, and of the log only the headers of batches are read there, nothing is decompressed. So a
// whole archive without holes is proven against the first and last offset of the log alone. What
// that takes on trust is that a row's position did hold a record; Options.EveryRecord reads the
// headers of the whole log and trusts nothing.
//
// # What moves meanwhile
//
// The ends of the logs are noted first (the last stable offsets); what comes later is not looked at.
// What is on its way at that moment is waited for: a check that misses something is made again
// until it misses nothing, or Options.Wait has passed. With --from and --to, raw positions are those
// of records that were received in between, which Kafka answers from its time index, and a
// finding about incidents or pages counts by the time of its record or row.
package audit
