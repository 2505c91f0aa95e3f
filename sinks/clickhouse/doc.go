// Package clickhouse is the archive in ClickHouse: its schema, its inserts and the questions that
// quell's commands ask it.
//
// # What it is
//
// A [Client] speaks to one server through clickhouse-go, over HTTP or the native protocol by the
// scheme of its address. [Client.Migrate] makes the database, the tables (schema.sql) and the views
// (views.sql) and refuses a schema that it could not fill exactly. It is an [archive.Archive]:
//
//	c, err := clickhouse.Open(clickhouse.Options{Address: "http://127.0.0.1:8123"})
//	...
//	err = c.Migrate(ctx)
//	err = c.Insert(ctx, archive.Batch{Table: "events", Token: "quell.archive:0:17-42", ...})
//
// # Exactly once
//
// A batch becomes one Native block and one insert: at most archive.MaxRows rows of one archive_day,
// which ClickHouse makes one part, all or nothing. Its token goes along as
// insert_deduplication_token, so that a repeat within the window of the table (10,000 inserts) adds
// nothing. That is not enough after a crash of ClickHouse itself, which writes the token down before
// the part: of a repeated batch Insert asks for the rows, and spends another token if they are not
// there. Beyond the window [Client.HighWater] tells what is there. Asynchronous inserts, which
// newer servers turn on by themselves, are off: an answer means that the rows are in.
//
// # The two protocols
//
// Over HTTP the block's bytes are the body of the insert, as they are. clickhouse-go can't send
// bytes over the native protocol; there its columns decode the same bytes, column by column and
// without a value a row in between, and encode them again: exact as well, at more cost (see the
// benchmark). HTTP is the address to prefer for throughput.
//
// # What it does not
//
// It retries nothing: [classify] says of every error whether to retry, reject or stop, and who
// calls decides. It knows neither Kafka nor the embedded engine (package embedded, which the tests
// here run on).
package clickhouse
