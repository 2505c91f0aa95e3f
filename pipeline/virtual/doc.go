// Package virtual has the tests of the whole pipeline in virtual time, and nothing else: services on
// an embedded broker and an archive in memory, inside a bubble of testing/synctest. There a sleep
// ends as soon as everybody waits, so that the minutes which retries, sessions, windows and outages
// take pass in milliseconds. They need the build tag synctests (see the target test of the Makefile).
//
// Every process of a test has a network of its own (wire_test.go), which can be cut off for good at
// a chosen I/O step, be silent for a while and then deliver what was under way, and spoil requests
// and answers of a chosen kind. The archive (archive_test.go) can fail, do its work and say that it
// failed, hang, and do its work late.
//
// Most tests last for minutes of virtual time, each crowded with faults; in those of hours_test.go and
// outage_test.go hours and a day pass, with seconds between what a service does while it is idle.
//
// Whatever happened, the end is checked in full (check_test.go): every event was archived once and
// counts once, every visible revision and page is what a silent refold of the run's own alerts topic
// gives, byte for byte and in that order, and the archive has a row for each. Under the event clock
// a run is compared with an undisturbed one too.
//
// A run is told by its seed, but which goroutine comes first is not in the seed: a failing test
// prints the seed and what happened, step by step, and may need more than one try to fail again.
package virtual
