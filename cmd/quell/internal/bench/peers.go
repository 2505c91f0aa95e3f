package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"quell/bench/peers"
	"quell/bench/workload"
)

// peers runs the other programs that are on PATH over the workload.
func (b *run) peers(ctx context.Context, topic string) error {
	for _, p := range []struct {
		command, what string
		measure       func(ctx context.Context, path, topic string) (Peer, error)
	}{
		{"bento", "hash, dedupe, filter, produce; no archive", b.bento},
		{"sec", "one SingleWithSuppress rule over lines of text; no Kafka, no archive", b.sec},
	} {
		path, err := exec.LookPath(p.command)
		if err != nil {
			b.r.Peers = append(b.r.Peers, Peer{Name: p.command, What: p.what, Absent: "not on PATH"})
			continue
		}
		b.o.Note("peer " + p.command)
		peer, err := p.measure(ctx, path, topic)
		if err != nil {
			return fmt.Errorf("peer %s: %w", p.command, err)
		}
		peer.Name, peer.What, peer.Over = p.command, p.what, peer.CPU/b.r.Row(rowIntake).CPU
		b.r.Peers = append(b.r.Peers, peer)
	}
	return nil
}

// version asks a program for its version: the first line that has one.
func version(ctx context.Context, path string) string {
	out, _ := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		for word := range strings.FieldsSeq(line) {
			if v := strings.TrimSuffix(strings.TrimPrefix(word, "v"), ","); v[0] >= '0' && v[0] <= '9' {
				return v
			}
		}
	}
	return ""
}

// bento drains the raw topic with Bento. Its window is from its first committed offsets to its last.
func (b *run) bento(ctx context.Context, path, topic string) (peer Peer, err error) {
	config := filepath.Join(b.s.dir, "bento.yaml")
	if err := os.WriteFile(config, peers.Bento(), 0o600); err != nil {
		return peer, err
	}
	group, to := b.s.prefix+".bento", b.s.prefix+".bento.out"
	if _, err := b.s.adm.CreateTopic(ctx, int32(b.o.Partitions), 1, nil, to); err != nil {
		return peer, err
	}
	b.s.topics, b.s.groups = append(b.s.topics, to), append(b.s.groups, group)
	ends, err := endsOf(ctx, b.s.adm, topic)
	if err != nil {
		return peer, err
	}
	cmd, words := exec.CommandContext(ctx, path, "-c", config), new(lastWords)
	cmd.Env = append(os.Environ(), "BROKER="+b.s.kafka, "FROM="+topic, "TO="+to, "GROUP="+group)
	cmd.Stdout, cmd.Stderr = words, words
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, stopWithin
	if err := cmd.Start(); err != nil {
		return peer, err
	}
	run, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(fmt.Errorf("it ended (%w): %s", errors.Join(cmd.Wait(), errEnded), words))
	}()
	w := &groupWindow{adm: b.s.adm, group: group, pid: cmd.Process.Pid, all: total(ends[topic])}
	err = w.watch(run)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	<-done
	if err != nil {
		return peer, err
	}
	peer = w.peer()
	peer.Version = version(ctx, path)
	return peer, nil
}

var errEnded = errors.New("before it had read everything")

// groupWindow measures a process that consumes with a group of Kafka's.
type groupWindow struct {
	adm   *kadm.Client
	group string
	pid   int
	all   int64

	first, last usage
	before      int64
}

func (w *groupWindow) watch(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		offsets, err := w.adm.FetchOffsets(ctx, w.group)
		if err != nil {
			return false, ctx.Err() // a group that nobody has joined yet
		}
		var read int64
		offsets.Each(func(o kadm.OffsetResponse) { read += max(o.At, 0) })
		now := usage{at: time.Now()}
		if now.cpu, err = processorTime(w.pid); err != nil {
			return false, ctx.Err()
		}
		if w.first.at.IsZero() && read > 0 {
			w.first, w.before = now, read
		}
		w.last = now
		return read >= w.all, nil
	})
}

func (w *groupWindow) peer() Peer {
	n := w.all - w.before
	return Peer{Events: n, EventsPerSecond: float64(n) / w.last.at.Sub(w.first.at).Seconds(),
		CPU: float64((w.last.cpu - w.first.cpu).Microseconds()) / float64(max(n, 1))}
}

// sec gives SEC the workload as lines of a file, which it reads to their end. Its window is its whole
// life: it takes a tenth of a second to begin.
func (b *run) sec(ctx context.Context, path, _ string) (Peer, error) {
	rules, lines := filepath.Join(b.s.dir, "sec.conf"), filepath.Join(b.s.dir, "lines.txt")
	if err := os.WriteFile(rules, peers.SEC(), 0o600); err != nil {
		return Peer{}, err
	}
	if err := writeLines(lines, b.o.load()); err != nil {
		return Peer{}, err
	}
	words := new(lastWords)
	cmd := exec.CommandContext(ctx, path, "--conf="+rules, "--input="+lines, "--notail", "--debug=1")
	cmd.Stderr = words
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return Peer{}, fmt.Errorf("%w: %s", err, words)
	}
	n, took := b.r.Events, time.Since(began).Seconds()
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Peer{Version: version(ctx, path), Events: n, EventsPerSecond: float64(n) / took,
		CPU: float64(cpu.Microseconds()) / float64(n)}, nil
}

// writeLines writes a load as text for who does not read JSON.
func writeLines(path string, o workload.LoadOptions) (err error) {
	l, err := workload.NewLoad(o)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	for {
		value, _, ok := l.Next()
		if !ok {
			return w.Flush()
		}
		var e struct{ Time, Service, Entity, Check, Severity, Status, Summary string }
		if err := json.Unmarshal(value, &e); err != nil {
			return err
		}
		fmt.Fprintln(w, e.Time, e.Service, e.Entity, e.Check, e.Severity, e.Status, e.Summary)
	}
}
