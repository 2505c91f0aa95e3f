package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"quell/correlate"
)

// The bounds of what Measure measures.
const (
	backWithin   = 10 * time.Second // a killed process, from its restart
	crashWithin  = 10 * time.Second // an alerts partition after kill -9 of its owner
	cleanWithin  = time.Second      // an alerts partition after a clean stop of its owner
	latencyShare = 1.25             // page latency while an intake process is down, of that before
	latencyMore  = 20 * time.Millisecond
	residentMiB  = 1024 // of a process
)

// MeasureOptions say how large the state is, and how often to measure.
type MeasureOptions struct {
	Binary       Binary
	Dir          string
	Fingerprints int // live ones in the tables of intake, those of the alerts included
	Alerts       int // open ones in the engines
	Repeat       int
	JSON         bool
	Out          io.Writer
}

// Measured is one line of the table: what was measured each time, in seconds, against its bound.
type Measured struct {
	What   string    `json:"what"`
	Times  []float64 `json:"seconds"`
	Worst  float64   `json:"worst"`
	Bound  float64   `json:"bound"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail,omitempty"`
}

func (m *Measured) add(took, bound time.Duration) {
	m.Times = append(m.Times, took.Seconds())
	m.Worst, m.Bound = slices.Max(m.Times), bound.Seconds()
	m.OK = m.Worst <= m.Bound
}

// Recovery is everything that Measure measured, and the state that it measured it with.
type Recovery struct {
	Fingerprints int64 `json:"fingerprints"` // that the archive has seen
	Alerts       int64 `json:"alerts"`       // that the engines hold
	// ResidentMiB is the most memory that one process with all roles and all of that state has held, from
	// a restart to the next; residentMiB is its bound. 0: the system does not tell.
	ResidentMiB float64    `json:"resident_mib"`
	OK          bool       `json:"ok"`
	Measured    []Measured `json:"measured"`
}

// Measure builds the state, measures, and prints a table. The error says what could not be measured,
// or that something took longer than its bound.
func Measure(ctx context.Context, tb testing.TB, o MeasureOptions) (rec Recovery, err error) {
	s, err := newStage(ctx, tb, Options{Binary: o.Binary, Dir: o.Dir, Keep: true})
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p := plan{Round: 1, Clock: correlate.ClockAppend, template: ofRecovery,
		Layout: layout{"one", []member{{}}}, random: rand.New(rand.NewPCG(1, 1))}
	w, err := newWorld(ctx, s, p)
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, w.close(context.WithoutCancel(ctx), true)) }()
	m := &measuring{world: w, o: o, rec: &rec}
	if err := m.all(ctx); err != nil {
		return rec, fmt.Errorf("%w; logs in %s", err, w.dir)
	}
	rec.OK = rec.ResidentMiB <= residentMiB &&
		!slices.ContainsFunc(rec.Measured, func(m Measured) bool { return !m.OK })
	if err := rec.print(o); err != nil {
		return rec, err
	}
	if !rec.OK {
		return rec, errors.New("something takes longer, or more memory, than it may")
	}
	return rec, nil
}

func (r *Recovery) print(o MeasureOptions) error {
	if o.JSON {
		e := json.NewEncoder(o.Out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(o.Out, "recovery with %d live fingerprints and %d open alerts; %s\n", r.Fingerprints,
		r.Alerts, r.memory())
	t := tabwriter.NewWriter(o.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\tworst\tbound\t")
	for _, m := range r.Measured {
		verdict := "ok"
		if !m.OK {
			verdict = "OVER"
		}
		var times string
		for _, s := range m.Times {
			times += fmt.Sprintf("%.3fs ", s)
		}
		fmt.Fprintf(t, "%s\t%s\t%.3fs\t%.3fs\t%s\t%s\n", m.What, times, m.Worst, m.Bound, verdict, m.Detail)
	}
	return t.Flush()
}

func (r *Recovery) memory() string {
	switch {
	case r.ResidentMiB == 0:
		return "memory cannot be measured on this system"
	case r.ResidentMiB > residentMiB:
		return fmt.Sprintf("a process with all roles holds up to %.0f MiB, OVER its %d", r.ResidentMiB, residentMiB)
	}
	return fmt.Sprintf("a process with all roles holds up to %.0f of %d MiB", r.ResidentMiB, residentMiB)
}

// measuring is one run of Measure.
type measuring struct {
	*world
	o   MeasureOptions
	rec *Recovery
}

func (m *measuring) all(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	if err := m.build(ctx); err != nil {
		return err
	}
	m.load.start(1, 1000, correlate.Time(time.Now().UnixMilli()))
	if err := m.restart(ctx, "dynamic"); err != nil {
		return err
	}
	if err := m.replace(ctx, member{static: true}); err != nil {
		return err
	}
	if err := m.restart(ctx, "static"); err != nil {
		return err
	}
	if err := m.replace(ctx, member{roles: intake}, member{roles: intake}, member{roles: correlation},
		member{roles: correlation}, member{roles: archiving}); err != nil {
		return err
	}
	if err := m.ownerChange(ctx); err != nil {
		return err
	}
	return m.latency(ctx)
}

// open starts the first process, which has all roles, and the paging service.
func (m *measuring) open(ctx context.Context) (err error) {
	if m.world.load, err = newLoad(m.broker.Addr(), m.topics.Raw[0].Name, false); err != nil {
		return err
	}
	m.pager, err = newPager(pagerOptions{addr: m.broker.Addr(), pages: m.topics.Pages,
		responses: m.topics.Responses, partitions: m.topics.AlertsPartitions})
	if err != nil {
		return err
	}
	if err := m.procs[0].start(); err != nil {
		return err
	}
	return m.settle(ctx)
}

// restart kills the one process and starts it at once: nobody else can take over, and all of the
// state has to be there again before the last partition pages. With dynamic membership the group
// waits until the session of the one that was killed is over; with static it need not.
func (m *measuring) restart(ctx context.Context, membership string) error {
	out := Measured{What: "killed process (all roles, " + membership +
		" membership) pages again after its restart"}
	n := m.running()[0]
	for range m.o.Repeat {
		pauseFor(ctx, 5*time.Second)
		m.rec.ResidentMiB = max(m.rec.ResidentMiB, residentOf(n.cmd.Process.Pid))
		n.kill()
		began := time.Now()
		if err := n.start(); err != nil {
			return err
		}
		if err := m.flows(ctx, "restart"); err != nil {
			return err
		}
		out.add(time.Since(began), backWithin)
		m.rec.ResidentMiB = max(m.rec.ResidentMiB, residentOf(n.cmd.Process.Pid))
		m.book.note("restart, %s membership: %v", membership, time.Since(began))
		if err := m.settle(ctx); err != nil {
			return err
		}
	}
	m.rec.Measured = append(m.rec.Measured, out)
	return nil
}

// replace stops the processes that run, cleanly, and starts others.
func (m *measuring) replace(ctx context.Context, members ...member) error {
	for _, n := range m.running() {
		if _, err := n.terminate(); err != nil {
			return err
		}
	}
	for _, one := range members {
		n, err := m.add(one)
		if err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
	}
	if err := m.settle(ctx); err != nil {
		return err
	}
	return m.flows(ctx, "other processes")
}

// ownerChange measures how long an alerts partition is without an owner that pages.
func (m *measuring) ownerChange(ctx context.Context) error {
	for _, c := range []struct {
		what  string
		stop  func(*node) error
		bound time.Duration
	}{
		{"alerts partition pages again after kill -9 of its owner", func(n *node) error {
			n.kill()
			return nil
		}, crashWithin},
		{"alerts partition pages again after a clean stop of its owner", func(n *node) error {
			_, err := n.terminate()
			return err
		}, cleanWithin},
	} {
		out := Measured{What: c.what}
		for range m.o.Repeat {
			took, err := m.handOver(ctx, c.stop)
			if err != nil {
				return err
			}
			out.add(took, c.bound)
			m.book.note("%s: %v", c.what, took)
		}
		m.rec.Measured = append(m.rec.Measured, out)
	}
	return nil
}

// handOver stops an owner of alerts partitions while probes are sent, and returns the longest that
// one of them waited from then on.
func (m *measuring) handOver(ctx context.Context, stop func(*node) error) (time.Duration, error) {
	pauseFor(ctx, 3*time.Second)
	n, parts, err := m.victim(ctx, correlation)
	if err != nil {
		return 0, err
	}
	p := m.probing(10 * time.Millisecond)
	pauseFor(ctx, time.Second)
	began := time.Now()
	if err := stop(n); err != nil {
		return 0, err
	}
	if err := m.succeeded(ctx, correlation, n, parts); err != nil {
		return 0, err
	}
	pauseFor(ctx, time.Second)
	samples, err := p.end(ctx)
	if err != nil {
		return 0, err
	}
	var longest time.Duration
	for i := range samples {
		s := &samples[i]
		if parts[correlate.RawPartition{Topic: m.topics.Alerts, Partition: s.alerts}] {
			if seen := s.at.Add(s.took); seen.After(began) {
				longest = max(longest, min(s.took, seen.Sub(began)))
			}
		}
	}
	if err := n.start(); err != nil {
		return 0, err
	}
	return longest, m.settle(ctx)
}

// latency compares the page latency of the raw partitions of one intake process before and after
// the other one was killed. Nobody should wait for the dead one's transactions.
func (m *measuring) latency(ctx context.Context) error {
	const window = 12 * time.Second // longer than it takes until the dead one's partitions are placed
	out := Measured{What: "p99 of a page's way, partitions of others, intake process killed", OK: true}
	for range m.o.Repeat {
		pauseFor(ctx, 3*time.Second)
		n, parts, err := m.victim(ctx, intake)
		if err != nil {
			return err
		}
		p := m.probing(10 * time.Millisecond)
		pauseFor(ctx, window)
		killed := time.Now()
		n.kill()
		pauseFor(ctx, window)
		samples, err := p.end(ctx)
		if err != nil {
			return err
		}
		others := func(s *sample) bool {
			return !parts[correlate.RawPartition{Topic: m.load.topic, Partition: s.raw}]
		}
		before, _ := p99(samples, func(s *sample) bool { return others(s) && s.at.Before(killed) })
		during, count := p99(samples, func(s *sample) bool { return others(s) && !s.at.Before(killed) })
		if count == 0 {
			return errors.New("the killed process had all raw partitions: there are no others to measure")
		}
		bound := time.Duration(latencyShare*float64(before)) + latencyMore
		m.book.note("latency: %v before, %v during, of %d probes", before, during, count)
		ok := out.OK && during <= bound
		out.add(during, bound)
		out.OK = ok
		out.Detail += fmt.Sprintf("before %.3fs ", before.Seconds())
		if err := n.start(); err != nil {
			return err
		}
		if err := m.settle(ctx); err != nil {
			return err
		}
	}
	m.rec.Measured = append(m.rec.Measured, out)
	return nil
}
