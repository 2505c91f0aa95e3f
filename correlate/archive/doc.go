// Package archive says what the archive holds and how it travels: as blocks of columns.
//
// # Why columns
//
// Every event ends in ClickHouse, so the cost of a row is paid a million times a second. A row is
// taken apart into columns once, where the event is at hand (intake, the engine's owner), and never
// put together again: the record values of the archive topics are column blocks, and the archiver
// makes one ClickHouse block of many of them by concatenating bytes.
//
// # State and layout
//
// An [Envelope] is the value of one Kafka record: whose positions it covers, and one [Section] for
// each table that got rows. A section is a list of columns, each of one of the [kind]s that a
// ClickHouse type of a closed list maps to:
//
//	fixed   value bytes, little endian; or one value that stands for all rows; or, of positions that
//	        follow each other, the first
//	text    each string behind its length (uvarint)
//	word    LowCardinality(String): a dictionary of strings, and an index a row of 0, 1, 2 or 4
//	        bytes (0 when the dictionary has one entry)
//	list    Map and Array: a size a row, and the elements' columns
//	maybe   Nullable: a byte a row (1 is NULL), and the value bytes
//
// The bytes of a column are packed (S2) where that makes them smaller by an eighth, each column for
// itself and once: Kafka's clients compress such a block no further, and [Decode] unpacks it.
//
// Lists keep sizes, ClickHouse wants running sums; dictionaries are merged and indexes rewritten:
// [Native] does both while it writes the block, without looking at a value. Dictionaries were
// measured against plain strings on a storm: the engine takes 7-23 % less CPU a row, and blocks are
// a fifth smaller.
//
// # What it guarantees
//
// Rows of a section are in the order of their positions, and every section has the columns topic,
// partition, offset and archive_day; so a repeated position can be cut away ([Section.TrimBefore])
// and one insert lands in one part. [Decode] trusts nothing: every length, index, size and order is
// checked, what it accepts can be written without further checks, what unpacking takes is bounded by
// [MaxBytes], and an unknown version or type is refused by name; version 1, which packed nothing, is
// read. Times outside of [MinTime] and [MaxTime] (years 1900 to 2261) are clamped to
// them; of an event this is told in its column clamped. Nothing is refused for its time.
//
// # What it does not
//
// It opens no connection and knows no SQL: sinks/clickhouse has the tables. Package archivetest has
// the tests that every [Archive] passes, and one in memory.
package archive
