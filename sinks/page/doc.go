// Package page is the form of what leaves quell for people: the bytes of the incidents topic and of
// the pages topic.
//
// A page has one of two forms, chosen by the route that its incident took:
//
//   - quell: JSON with a one-line title and a text for a phone, and the whole incident beside them.
//   - pagerduty: an event of PagerDuty's Events API v2, ready to be posted. Its dedup_key is the
//     incident's id, so that all pages of an incident are one incident there.
//
// # The layout of a quell page
//
// A phone shows the first forty characters of the title. So the title begins with what decides
// whether to get up: how bad (or that it is over, or that somebody has it), where, what. Why the
// page came now, if not because it is the first, stands at its end:
//
//	CRITICAL payments: connection refused by db-1 (acknowledgement timed out)
//	RESOLVED payments: connection refused by db-1 (after 42m)
//
// The text answers the next questions in the order in which they are asked: since when and how
// much, where else, what exactly (the top alerts), whose and what to do, and last the names that
// one needs to look further.
//
// # Guarantees
//
// Equal pages give equal bytes. Nothing reads a clock: "for 12m" is the time from the first event
// to the page's own moment. Texts that came from outside are cut to the bounds of the form at a
// character, and lines in them are joined. The package decides nothing: whether and when a page is
// sent is the engine's.
package page
