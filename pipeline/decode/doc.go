// Package decode turns the bytes of one raw record into one [correlate.Event], or says why not.
//
// It is pure: it knows nothing of Kafka, reads no clock, starts no goroutine and draws no random
// number. Equal bytes, record metadata and format give the equal event or the equal rejection on
// every machine, which is what makes a verdict repeatable. A test enforces the imports and says
// why each of them is allowed.
//
// # Formats
//
// A [Format] is compiled once, is immutable and may be shared; each worker takes its own [Decoder]
// from it. There are two kinds:
//
//   - [Native], the JSON of quell itself: the fields of an event by their names.
//   - [CompileMapping], any JSON object: a [MappingSpec] says which paths, constants, templates,
//     captures and tables give each field.
//
// Both run on one scanner. A format is compiled into a trie of the paths that it wants, and one
// pass over the payload fills them; whatever else the payload holds is checked and skipped,
// never built. Payloads of one producer have one form, so an earlier payload serves as a stencil
// for the next: punctuation and names are compared as a whole, and what does not fit is scanned
// from its beginning. No outcome depends on what was decoded before; tests hold it against a
// decoder that has seen nothing. One payload is one event: an array of alerts in one payload is
// not split. Name the array in [MappingSpec.Single], so that a payload with two of them is
// rejected and not halved.
//
// # Strictness
//
// JSON libraries disagree about what they accept, and where they disagree an alert can be smuggled
// past a rule that another component evaluates. So the scanner accepts what encoding/json/v2
// accepts by default and nothing more: names are case-sensitive, and a name that occurs twice in
// any object (however it is escaped), invalid UTF-8, half of a surrogate pair, a raw control
// character, a byte order mark, a malformed number and trailing bytes are rejected, also in parts
// of the payload that nobody asked for. A NUL, written \u0000, is a legal character.
// Fuzzing holds the scanner against an independent reading of the same rules.
//
// # Bounds
//
// Every bound has a name and a default in [Limits]. What decides identity (dedup key, scope,
// source, service, entity, check, explicit labels and the labels of [Options.Exact]) is never
// cut: two alerts would become one. It is rejected when too long. What is for people (summary,
// url, value, labels that only came along) is cut at a rune boundary, and [Notes] says so.
//
// # Memory
//
// The strings and labels of an event are views: into the payload, where the text stands there as
// it is, else into memory of the decoder. They are valid as long as the payload is unchanged and
// until the decoder's next [Decoder.Reset]; whatever must live longer is copied by the caller.
// Views into the payload are made with unsafe.String, so a caller that reuses the payload's
// memory must have finished with the event. In steady state decoding allocates nothing; a rejection
// does, a payload of a new form does now and then, a regular expression's first sight of a text does,
// and so does a layout in Go's notation that does not fit.
//
//	format := decode.Native(decode.Options{}, decode.KeepUnknown)
//	decoder := format.NewDecoder()
//	for _, batch := range batches {
//		for _, r := range batch {
//			meta := decode.RecordMeta{Topic: r.Topic, Time: t}
//			notes, rejection := decoder.Decode(r.Value, meta, &event)
//			...
//		}
//		decoder.Reset() // the batch's events are gone
//	}
package decode
