package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// realKafka is an Apache Kafka that deploy/kafka/run.sh runs, for this run alone.
type realKafka struct {
	addr string
	cmd  *exec.Cmd
}

var listensAt = regexp.MustCompile(` at ([0-9.]+:[0-9]+) `)

// serveKafka runs one until ctx ends.
func (p *Part) serveKafka(ctx context.Context, say *json.Encoder) error {
	k, err := startKafka(ctx, p.Data)
	if err != nil {
		return err
	}
	err = say.Encode(answer{Ready: true, Addr: k.addr})
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, k.stop())
}

// startKafka runs one with its data in dir and returns when it answers.
func startKafka(ctx context.Context, dir string) (*realKafka, error) {
	script, err := inRepository("deploy/kafka/run.sh")
	if err != nil {
		return nil, fmt.Errorf("--kafka %s: %w", Start, err)
	}
	k := &realKafka{cmd: exec.CommandContext(context.WithoutCancel(ctx), script)}
	k.cmd.Env = append(os.Environ(), "KAFKA_DIR="+dir)
	words := new(lastWords)
	k.cmd.Stderr = words
	stdout, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("--kafka %s: %w", Start, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if m := listensAt.FindStringSubmatch(line); err == nil && m != nil {
		k.addr = m[1]
		return k, nil
	}
	return nil, errors.Join(fmt.Errorf("--kafka %s: %s said %q: %s", Start, script, line, words), k.stop())
}

// stop ends it in good order.
func (k *realKafka) stop() error {
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(stopWithin, func() { _ = k.cmd.Process.Kill() })
	defer late.Stop()
	var exit *exec.ExitError
	if err := k.cmd.Wait(); err != nil && !errors.As(err, &exit) { // the script passes on how Java ended
		return err
	}
	return nil
}

// inRepository returns the path of a file of the repository that the working directory lies in.
func inRepository(name string) (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, name)
			_, err := os.Stat(path)
			return path, err
		}
		if dir == filepath.Dir(dir) {
			err = fs.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("%s lies in quell's repository; run this inside of it, or give the address of a Kafka: %w", name, err)
}
