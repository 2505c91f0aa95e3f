package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quell/correlate"
)

// roundWithin bounds a round, whatever happens in it.
const roundWithin = 5 * time.Minute

// calm is how long a round works undisturbed before the first act and between acts, about.
const calm = 1500 * time.Millisecond

// round is one round and its outcome.
type round struct {
	plan    plan
	verdict verdict
	book    *journal
	dir     string
	err     error // what kept the round from being played or checked
	took    time.Duration
}

func (r *round) ok() bool { return r.err == nil && r.verdict.wrong() == 0 }

// play plays one round on the stage and checks it.
func (s *stage) play(ctx context.Context, p plan) *round {
	began := time.Now()
	r := &round{plan: p}
	ctx, cancel := context.WithTimeout(ctx, roundWithin)
	defer cancel()
	w, err := newWorld(ctx, s, p)
	if err != nil {
		r.err, r.book = err, &journal{began: began}
		return r
	}
	r.book, r.dir = w.book, w.dir
	r.err = w.perform(ctx, &r.verdict)
	r.took = time.Since(began)
	if r.err != nil {
		w.explain()
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer done()
	r.err = errors.Join(r.err, s.mend(last))
	if err := w.close(last, !r.ok()); err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("clean up: %w", err))
	}
	return r
}

// mend brings back the servers that a round which failed left dead or paused.
func (s *stage) mend(ctx context.Context) error {
	if s.broker.PID() == 0 {
		s.broker.Restart()
	}
	if !s.store.server.alive() {
		s.store.server.cmd = nil
		return s.store.start(ctx)
	}
	return nil
}

// perform starts the processes, lets the acts strike under load, waits for rest, and checks.
func (w *world) perform(ctx context.Context, v *verdict) error {
	var err error
	event := w.Clock == correlate.ClockEvent
	if w.load, err = newLoad(w.broker.Addr(), w.topics.Raw[0].Name, event); err != nil {
		return err
	}
	w.pager, err = newPager(pagerOptions{addr: w.broker.Addr(), pages: w.topics.Pages,
		responses: w.topics.Responses, partitions: w.topics.AlertsPartitions, answer: !event, seed: w.Seed})
	if err != nil {
		return err
	}
	for _, n := range w.procs {
		if err := n.start(); err != nil {
			return err
		}
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	w.startLoad()
	for _, a := range w.Acts {
		pauseFor(ctx, calm+w.between(0, calm))
		if err := w.strike(ctx, a); err != nil {
			return err
		}
	}
	if err := w.rest(ctx); err != nil {
		return err
	}
	return w.check(ctx, v)
}

// startLoad begins the storm: now, or under the event clock on a day of its own.
func (w *world) startLoad() {
	from := correlate.Time(time.Now().UnixMilli())
	if w.Clock == correlate.ClockEvent {
		from = correlate.Time(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	}
	w.load.start(w.random.Uint64(), w.Rate, from)
}

// rest ends the load and waits until everything is worked off. After a stale owner, all processes
// are killed then and start from what the checkpoints say, and a second, shorter load follows: what
// a stale owner spoilt would show now at the latest.
func (w *world) rest(ctx context.Context) error {
	if !w.reborn {
		return w.come(ctx)
	}
	pauseFor(ctx, calm)
	if err := w.killAll(ctx, 0); err != nil {
		return err
	}
	w.book.struck = append(w.book.struck, killAllAtEnd)
	began := time.Now()
	if err := w.flows(ctx, string(killAllAtEnd)); err != nil {
		return err
	}
	w.book.recovered(killAllAtEnd, time.Since(began))
	return w.come(ctx)
}

// come ends the load and waits for rest.
func (w *world) come(ctx context.Context) error {
	if err := w.load.stop(ctx); err != nil {
		return err
	}
	if err := w.pager.silence(ctx); err != nil {
		return err
	}
	w.book.detail("the load has ended: %d records", w.load.acked.Load())
	err := w.drained(ctx)
	w.book.detail("drained")
	return err
}

// check makes all checks; it stops the processes in between, cleanly.
func (w *world) check(ctx context.Context, v *verdict) error {
	if err := w.audit(ctx, v); err != nil {
		return err
	}
	w.book.detail("audited")
	for _, f := range []func(context.Context, *verdict) error{w.checkLog, w.checkArchive,
		w.checkDispositions} {
		if err := f(ctx, v); err != nil {
			return err
		}
	}
	for _, n := range w.procs {
		if n.cmd == nil {
			continue
		}
		if _, err := n.terminate(); err != nil {
			return err
		}
	}
	w.book.detail("stopped")
	if err := w.checkRefold(ctx, v); err != nil {
		return err
	}
	if err := w.checkCheckpoints(ctx, v); err != nil {
		return err
	}
	w.book.detail("refolded")
	w.pager.mu.Lock()
	v.Responses = w.pager.said
	w.pager.mu.Unlock()
	if w.Clock == correlate.ClockEvent {
		return w.checkUninterrupted(ctx, v)
	}
	return nil
}

// line is the round in one line; what is wrong follows in lines of its own.
func (r *round) line() string {
	v := &r.verdict
	var b strings.Builder
	fmt.Fprintf(&b, "round %d seed %d clock %s, %s, %d/s: %s", r.plan.Round, r.plan.Seed, r.plan.Clock,
		r.plan.Layout.name, r.plan.Rate, r.book)
	fmt.Fprintf(&b, " | %d records, %d alerts, %d dispositions, %d revisions, %d pages, %d responses, "+
		"%d checkpoints", v.Records, v.Alerts, v.Dispositions, v.Revisions, v.Pages, v.Responses,
		v.Checkpoints)
	if v.Uninterrupted {
		b.WriteString(", = uninterrupted run")
	}
	b.WriteString(" | recovered in")
	for _, rec := range r.book.recoveries {
		fmt.Fprintf(&b, " %.1fs", rec.Took.Seconds())
	}
	if r.ok() {
		fmt.Fprintf(&b, " | ok (%.0fs)", r.took.Seconds())
		return b.String()
	}
	fmt.Fprintf(&b, " | FAILED (%.0fs): %d lost, %d doubled, %d different; logs in %s", r.took.Seconds(),
		v.Lost.n, v.Doubled.n, v.Different.n, r.dir)
	for _, f := range []*findings{&v.Lost, &v.Doubled, &v.Different} {
		for _, s := range f.first {
			b.WriteString("\n    " + s)
		}
	}
	if r.err != nil {
		fmt.Fprintf(&b, "\n    %v", r.err)
	}
	return b.String()
}
