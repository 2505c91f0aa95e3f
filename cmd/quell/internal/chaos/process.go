package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopWithin is how long a clean stop may take; quell promises ten seconds, the machine is shared.
const stopWithin = 15 * time.Second

// process is a quell that is started, killed, paused and started again, with one log for all its
// lives. Its methods belong to one goroutine, but alive, which anybody may ask.
type process struct {
	name    string
	binary  string
	library string // of the ClickHouse engine
	args    []string
	logPath string

	cmd    *exec.Cmd
	done   chan struct{} // closed when cmd has ended
	mu     sync.Mutex
	err    error // how cmd ended
	paused bool
}

// start begins a life.
func (p *process) start() error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	cmd := exec.Command(p.binary, p.args...)
	cmd.Env = append(os.Environ(), "QUELL_CHDB_LIB="+p.library)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.paused = cmd, done, false
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// alive reports whether the process runs, or would if it were not paused.
func (p *process) alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill is kill -9. It does nothing if the process does not run.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	p.cmd, p.paused = nil, false
}

// pause stops the process in the middle of whatever it does; resume lets it go on.
func (p *process) pause() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	p.paused = true
}

func (p *process) resume() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	p.paused = false
}

// quit ends the process with the stacks of its goroutines in its log.
func (p *process) quit() {
	p.resume()
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
	p.kill()
}

// terminate asks for a clean stop and wants one, in time.
func (p *process) terminate() (time.Duration, error) {
	began := time.Now()
	if !p.alive() {
		return 0, p.ended()
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		p.quit()
		return 0, fmt.Errorf("%s did not stop within %v of SIGTERM; see %s", p.name, stopWithin, p.logPath)
	}
	p.cmd = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, fmt.Errorf("%s stopped uncleanly: %w; see %s", p.name, p.err, p.logPath)
	}
	return time.Since(began), nil
}

// ended says how a process ended that nobody had told to.
func (p *process) ended() error {
	if p.cmd == nil {
		return fmt.Errorf("%s %w: it does not run", p.name, errDead)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%s %w: %v; see %s", p.name, errDead, p.err, p.logPath)
}

// pauseFor waits for d or the end of ctx.
func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// errDead says that a process ended that nobody had told to: there is nothing to wait for.
var errDead = errors.New("ended by itself")

// until looks again and again until ok says so, ctx ends, or the time is over. what completes the
// sentence "after 30 s still not: ...".
func until(ctx context.Context, within time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		done, err := ok()
		if done && err == nil {
			return nil
		}
		if errors.Is(err, errDead) {
			return fmt.Errorf("before %s: %w", what, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("after %v still not: %s (last answer: %v)", within, what, err)
		}
		pauseFor(ctx, 50*time.Millisecond)
	}
}

// freeAddr returns an address of the loopback that was free a moment ago. Its port is below those
// that the system gives to clients: of these one may be taken while its server is away, even by who
// looks for the server.
func freeAddr() (string, error) {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(17_000)))
		if err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", errors.New("no free port among a hundred")
}
