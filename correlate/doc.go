// Package correlate holds quell's nouns and its pure engine.
//
// The chain of nouns is the field's: an [Event] is one statement by a monitoring system, as
// received; an [Alert] is an ongoing condition, all events with one [Fingerprint]; an [Incident] is
// a set of alerts that belong together and deserve attention; a [Page] is what a paging service
// gets about an incident.
//
// Every event has exactly one [Verdict] (given by intake), every alert record exactly one
// [Disposition] (given by the engine). Both are closed sets: the same words are the metric labels,
// the columns in ClickHouse and the oracle of the tests.
//
// # The engine
//
// An [Engine] is a fold over the records of one partition of the alerts topic: [Engine.Step] takes
// a batch and appends what it brings about to [Effects]; [Engine.Snapshot] and [Restore] carry the
// state over. How records are cut into batches, at which of them the engine is restored from a
// snapshot, and how often intake repeats itself changes no effect. testdata tells, command by
// command, what follows from what; those transcripts are the specification that this comment sums
// up.
//
// # What the package must not do
//
// It reads no clock, starts no goroutine, takes no lock, logs nothing, does no I/O, draws no
// random number, iterates no map unsorted and decides nothing by floating point. Equal input gives
// equal output, byte for byte, on every machine. It imports only the standard library; a test
// enforces all of that.
//
// # Time
//
// All times are [Time]: milliseconds since the Unix epoch, UTC. Event time decides what belongs
// together, the engine's clock when something happens. The clock comes from the log: it is the
// greatest record time so far. Timers are ordered by (deadline, sequence of setting); those due by
// a record's time fire before the record is applied, each with the clock at its own deadline.
// Intervals are half-open: a window [start, end) does not contain its end.
//
// Under [ClockEvent] record times are stream times. Alerts and responses wait until the watermarks
// of all raw partitions have passed them and apply in the order (time, fingerprint, raw topic, raw
// partition, raw offset), so that neither speed nor the number of raw partitions changes the
// result. When all raw partitions have finished, time runs on to the last pending deadline, at most
// a day; the repetition of a page is no reason to run on. Ticks tell nothing then. A rule change
// applies where it stands in the log.
//
// # Portions
//
// What comes of one record lies in one transaction, at one position. So it is bounded
// ([Limits.StepBytes]), though a record may let loose any number of timers, held pages and merged
// alerts. What is beyond waits for records behind it:
//
//   - Timers that are due wait for the next record, and the clock stays at the deadline of the last
//     one that fired: each still fires at its own. Under the append clock the record applies at the
//     clock as it stands, behind its time.
//   - Held pages wait for the next tick.
//   - Under the event clock what a watermark lets pass waits for the next record of any kind. Order
//     and times are those that they would have been at once; only a rule change that stands between
//     comes earlier. [Stats.More] tells the owner to write a tick if no record comes.
//
// # Positions
//
// A record whose raw offset is not above the highest from its raw partition repeats something and
// is ignored; so is an update or a flush that counts no more than was known of its episode. A flush
// comes behind records of later events, so that the last 131,072 of them are remembered by their own
// offsets; a watermark that was said before something that has been received, or before another one
// at the same position, changes nothing.
//
// Counts are cumulative within an episode and raw partition, and added up over raw partitions.
// Status, severity and texts are those of the record whose last event is the latest; of equal ones,
// of the larger raw position.
//
// # Groups and windows
//
// The rule set resolves a firing alert to a rule; scope, rule and the values of the rule's group_by
// fields are its group key. Each incident has a window of event time ([WindowSession],
// [WindowFixed]); a session's life counts from the alert that opened it. The terms of the rule are
// copied: a later rule set does not alter what is open.
//
//   - An alert that is known to fire stays in its incident until that resolves: it is one ongoing
//     condition. Its records move the window and put off quiet time.
//   - Any other firing alert (new, of a new episode, firing again, or of a resolved incident) joins
//     the incident of its key whose window is open and takes its event time.
//   - If there is none, but its time lies in the span of a closed window that is not older than
//     [Limits.Lateness], it is late evidence: counted, not paged. But if it is worth a page and
//     nobody was ever paged for that incident, the incident is open again and pages.
//   - Otherwise it opens an incident.
//
// A window closes on the engine's clock, counted from the last join: an alert that is merely under
// way for some seconds is not late. Alerts of one key that come so much out of order that no open
// window takes them open further windows; each closes by its own timer.
//
// A new episode of an alert that still counts as firing elsewhere moves the alert; what it leaves
// behind ends by quiet time or by the resolution of the rest. A flush never opens or reopens
// anything; it adds to the incident that its alert belongs to, as late evidence if that is resolved
// and its window closed.
//
// # The life of an incident
//
// [Pending] until group_wait ends, then [Open]; [Acknowledged] by a person; [ResolvedDone] when no
// member fires, when no record came for resolve_after, or by a person. What resolves before
// group_wait ended is transient: it never paged. A resolved incident is open again (a transient one
// pending) when an alert fires that its open window takes, within reopen_window; after that a new
// incident takes the key. While an alert merely goes on firing after a person's resolution, its
// records are evidence within reopen_window, unless they are worse than anything before.
// An acknowledgement ends by its timeout or by a rise in severity. An incident's severity is the
// worst that it reached.
//
// Incident and alerts are forgotten together, when the incident is resolved, its window takes no
// late evidence any more and its members have been silent for [Limits.AlertMemory].
//
// # Pages
//
// An incident at or above page_at pages when group_wait ends, and then at ticks of group_interval
// if an alert newly fired or resolved, or if it is over (told once), or if repeat_interval passed
// while nobody acknowledged. A rise in severity, an acknowledgement and its timeout page at once.
// Ticks are planned only for those who have something to say. Whoever acknowledges during
// group_wait has seen it: nobody is paged for that.
//
// Every page is a revision of its incident, and every revision follows the one before by one, so
// that (id, revision) names each output. There is a revision for opening, the end of group_wait, a
// change of severity, pages, responses, resolution and reopening, not for each alert that joins.
// An id is a function of what opened the incident ([Incident.ID]).
//
// # Rule sets
//
// A [RuleChange] names the rule set that it was made against and applies only while that is in force.
// A rule set that was replaced comes back only if the change says that it is a person's command
// ([RuleChange.Explicit]), whatever the processes that still have it configured ask for; so a
// deployment that is rolled out by halves changes the rules once. The last 64 that were replaced are
// part of the state ([Engine.Replaced]). What became of a change is an effect ([Changed]); refusing
// one is not an error.
//
// # Backlog
//
// Under the append clock the engine knows from the log when it folds what is old, and holds pages
// meanwhile. There are two reasons to, each of which ends after 240 ticks (a minute of an owner's
// life) at the latest, and does not begin again before it has ended by itself once.
//
//   - The partition is folded late. A [Tick] names the engine clock that its writer had reached.
//     From the first record on that is more than 2 s ahead of the latest clock that a tick before
//     it named (or before which there is no tick), all pages are held, those of timers due by that
//     record included; the first tick that names a clock of the last 2 s ends that. So the alerts
//     that came while no owner ticked are backlog, and what came while an owner named old clocks
//     is, too. Between two owners that follow each other within 2 s nothing is held, and the ticks
//     of one that keeps up, each 250 ms, are half a second old.
//   - A raw partition was read late. Its alerts say so ([Alert.Behind]), until one says 0 or a
//     [Watermark] says that it has been read to its end. Held are the incidents that have such a
//     record of it; others page.
//
// Nothing else changes: windows, timers, states and dispositions are what they are without a hold.
// An incident whose first page is held stays pending, as if group_wait lasted that long: if its
// alerts clear meanwhile, or a person resolves or acknowledges it, it never pages; the first page
// tells all that happened to it. One that had paged before sends one page when the hold ends: that
// it is over, or else the weightiest of what it would have paged for. A tick of group_interval that
// passed is made up for at once, one that is to come is waited for. Quiet time does not end an
// incident that owes a page, because quiet is nobody's word that it is over. Late evidence that
// nobody was paged for opens its incident again and is owed like a first page.
//
// # Bounds
//
// [Limits] bounds everything that could grow. Groups beyond the open incidents of a scope, or beyond
// those of a rule in it (incidents that are not resolved, or whose window is open), share one
// incident for each rule, with an empty group. Beyond the incidents of the engine, in however many
// scopes, groups of all scopes share one for each rule and route, with an empty scope too. Alerts
// beyond those that are tracked are counted. Their disposition is over_limit, and they page like any
// other: a page too many beats a page lost.
//
// # Where to read
//
// engine.go steps, correlate.go decides about one record, window.go and group.go where it belongs,
// join.go and lifecycle.go what follows for the incident, paging.go who hears of it, backlog.go who
// hears of it later, timer.go and merge.go about time, snapshot.go and restore.go about state, live.go,
// texts.go and table.go about how a million alerts lie in memory.
package correlate
