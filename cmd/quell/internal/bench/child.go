package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process that does a part.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
	errs  *lastWords
	wait  func() error
}

// stopWithin is how long a child may take to stop before it is killed.
const stopWithin = 20 * time.Second

// PartCommand is the hidden command that calls RunPart.
const PartCommand = "bench-part"

// begin starts a process for a part. When ctx ends it is asked to stop.
func begin(ctx context.Context, p Part) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: p.Do, cmd: exec.CommandContext(ctx, exe, PartCommand), errs: new(lastWords)}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out, c.cmd.Stderr = json.NewDecoder(stdout), c.errs
	// A signal to the run's group, ^C for instance, is not for them: the run stops them in order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Cancel, c.cmd.WaitDelay = c.stdin.Close, stopWithin
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the process of %s: %w", p.Do, err)
	}
	c.wait = sync.OnceValue(func() error {
		if err := c.cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w: %s", c.name, err, c.errs)
		}
		return nil
	})
	if err := json.NewEncoder(c.stdin).Encode(p); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// next returns what the child says next. If it says nothing more, the error is why.
func (c *child) next(ctx context.Context) (answer, error) {
	var a answer
	err := c.out.Decode(&a)
	if err == nil {
		return a, nil
	}
	if ended := c.stop(); ended != nil {
		err = ended
	}
	if ctx.Err() != nil {
		return a, context.Cause(ctx)
	}
	return a, fmt.Errorf("the process of %s: %w", c.name, err)
}

// stop asks the child to stop and returns how it ended. It may be called twice.
func (c *child) stop() error {
	_ = c.stdin.Close()
	late := time.AfterFunc(stopWithin, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	return c.wait()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// measure runs a part to its end and returns its row.
func measure(ctx context.Context, p Part) (Row, error) {
	c, err := begin(ctx, p)
	if err != nil {
		return Row{}, err
	}
	a, err := c.next(ctx)
	if err != nil {
		return Row{}, err
	}
	if err := c.stop(); err != nil {
		return Row{}, err
	}
	if a.Row == nil {
		return Row{}, fmt.Errorf("the process of %s measured nothing", p.Do)
	}
	return *a.Row, nil
}

// lastWords keeps the end of what a process writes on standard error.
type lastWords struct {
	mu  sync.Mutex
	buf []byte
}

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, b...)
	w.buf = w.buf[max(0, len(w.buf)-4096):]
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.buf))
}
