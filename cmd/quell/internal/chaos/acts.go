package chaos

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"quell/correlate"
)

// strike does one act and waits until everything flows again; the journal has how long that took.
func (w *world) strike(ctx context.Context, a Act) error {
	w.book.struck = append(w.book.struck, a)
	began := time.Now()
	var err error
	switch a {
	case StaleIntake:
		began, err = w.stale(ctx, intake)
	case StaleCorrelate:
		began, err = w.stale(ctx, correlation)
	case StaleArchive:
		began, err = w.staleArchive(ctx)
	case BrokerInTx:
		began, err = w.killBroker(ctx)
	case BrokerRestart:
		w.book.note("broker stopped and started")
		w.broker.Restart()
	case BrokerPause:
		err = w.hang(ctx, "broker", w.broker.PID())
	case ClickHouseKill:
		began, err = w.killClickHouse(ctx)
	case ClickHouseHang:
		err = w.hang(ctx, "ClickHouse", w.store.server.cmd.Process.Pid)
	case KillAll:
		err = w.killAll(ctx, w.between(0, time.Second))
	case Rolling:
		err = w.roll(ctx)
	case KillOne:
		err = w.killOne(ctx)
	case KillTwice:
		err = w.killTwice(ctx)
	case PauseOne:
		err = w.pauseOne(ctx)
	case Scale:
		err = w.scale(ctx)
	default:
		err = fmt.Errorf("nobody knows the act %s", a)
	}
	if err == nil {
		err = w.flows(ctx, string(a))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	w.book.recovered(a, time.Since(began))
	return w.settle(ctx)
}

// any draws one of the running processes.
func (w *world) any() *node {
	all := w.running()
	return all[w.random.IntN(len(all))]
}

func (w *world) killOne(ctx context.Context) error {
	n, away := w.any(), w.between(0, session+time.Second)
	n.kill()
	w.book.note("kill -9 %s for %v", n.name, away.Round(100*time.Millisecond))
	pauseFor(ctx, away)
	return n.start()
}

func (w *world) killTwice(ctx context.Context) error {
	n := w.any()
	for i := range 3 {
		n.kill()
		if err := n.start(); err != nil {
			return err
		}
		w.book.note("kill -9 %s (%d)", n.name, i+1)
		pauseFor(ctx, w.between(200*time.Millisecond, 1500*time.Millisecond))
	}
	return nil
}

func (w *world) pauseOne(ctx context.Context) error {
	n, away := w.any(), w.between(200*time.Millisecond, session*3/4)
	n.pause()
	w.book.note("SIGSTOP %s for %v", n.name, away.Round(100*time.Millisecond))
	pauseFor(ctx, away)
	n.resume()
	return nil
}

func (w *world) killAll(ctx context.Context, away time.Duration) error {
	for _, n := range w.procs {
		if n.alive() {
			_ = n.cmd.Process.Kill() // all at once, then wait
		}
	}
	all := w.procs[:0:0]
	for _, n := range w.procs {
		if n.cmd != nil {
			n.kill()
			all = append(all, n)
		}
	}
	w.book.note("kill -9 all %d", len(all))
	pauseFor(ctx, away)
	for _, n := range all {
		if err := n.start(); err != nil {
			return err
		}
	}
	return nil
}

// roll restarts every process cleanly, each when the one before has taken its place again.
func (w *world) roll(ctx context.Context) error {
	w.book.note("rolling restart of %d", len(w.procs))
	for _, n := range w.procs {
		took, err := n.terminate()
		if err != nil {
			return err
		}
		w.book.detail("%s stopped in %v", n.name, took.Round(time.Millisecond))
		if err := n.start(); err != nil {
			return err
		}
		if err := w.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// scale lets a process with all roles join, and then it or another one leave.
func (w *world) scale(ctx context.Context) error {
	leaver := w.any()
	n, err := w.add(member{})
	if err != nil {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	w.book.note("%s joins", n.name)
	if err := w.settle(ctx); err != nil {
		return err
	}
	if w.random.IntN(2) == 0 {
		leaver = n
	}
	took, err := leaver.terminate()
	w.book.note("%s leaves", leaver.name)
	w.book.detail("%s stopped in %v", leaver.name, took.Round(time.Millisecond))
	return err
}

// hang pauses a server, for less than brokerSession.
func (w *world) hang(ctx context.Context, name string, pid int) error {
	away := w.between(500*time.Millisecond, 3*time.Second)
	w.book.note("SIGSTOP %s for %v", name, away.Round(100*time.Millisecond))
	err := syscall.Kill(pid, syscall.SIGSTOP)
	pauseFor(ctx, away)
	return errors.Join(err, syscall.Kill(pid, syscall.SIGCONT))
}

// killBroker kills the broker while one of our transactions is open, if one can be caught.
func (w *world) killBroker(ctx context.Context) (began time.Time, err error) {
	caught := "no transaction was caught open"
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		listed, err := w.adm.ListTransactions(ctx, nil, []string{"Ongoing"})
		if err != nil {
			return time.Now(), fmt.Errorf("list transactions: %w", err)
		}
		if len(listed) > 0 {
			caught = "in transaction " + listed.TransactionalIDs()[0]
			break
		}
	}
	began = time.Now()
	w.broker.Kill()
	w.book.note("kill -9 broker %s", caught)
	pauseFor(ctx, w.between(0, 1500*time.Millisecond))
	w.broker.Restart()
	w.book.detail("broker answers again after %v", time.Since(began).Round(time.Millisecond))
	return began, nil
}

// killClickHouse kills ClickHouse while an insert is under way.
func (w *world) killClickHouse(ctx context.Context) (began time.Time, err error) {
	err = until(ctx, 20*time.Second, "an insert is under way", func() (bool, error) {
		for _, n := range w.procs {
			if n.gate.inserting.Load() > 0 {
				return true, nil
			}
		}
		return false, w.healthy()
	})
	if err != nil {
		return time.Now(), err
	}
	began = time.Now()
	w.store.server.kill()
	away := w.between(200*time.Millisecond, 3*time.Second)
	w.book.note("kill -9 ClickHouse in an insert for %v", away.Round(100*time.Millisecond))
	pauseFor(ctx, away)
	if err := w.store.start(ctx); err != nil {
		return began, err
	}
	if w.Clock == correlate.ClockAppend {
		return began, w.archivedUpTo(ctx, "ClickHouse is back")
	}
	return began, nil
}
