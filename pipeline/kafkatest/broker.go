package kafkatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	startWithin = 90 * time.Second // the test machine may be busy with other things
	stopWithin  = 30 * time.Second
	portTries   = 3
)

// errExited says that the process ended before it answered.
var errExited = errors.New("the Kafka process exited")

// Broker is a running Kafka. Its methods are for the test's goroutine.
type Broker struct {
	tb        testing.TB
	opts      Options
	authority *authority
	template  string // of server.properties
	classes   string // class path
	logPath   string

	dir    string            // data and configuration of this broker
	ports  map[string]string // host:port by listener
	cmd    *exec.Cmd         // nil: not running
	exited chan struct{}     // closed when cmd has ended
}

// startAnew formats a directory and starts the broker on free ports. Somebody else may take a port
// between our asking for it and Kafka's using it; then it is done again with others.
func (b *Broker) startAnew() {
	b.tb.Helper()
	for try := 1; ; try++ {
		b.dir = filepath.Join(b.tb.TempDir(), fmt.Sprintf("kafka-%d", try))
		err := b.configure()
		if err == nil {
			err = b.format()
		}
		if err == nil {
			err = b.launch()
		}
		if err == nil {
			return
		}
		if try == portTries || !strings.Contains(b.Log(), "Address already in use") {
			b.tb.Fatalf("Kafka: %v", err)
		}
	}
}

// Restart stops the broker in good order if it runs, starts it on the same ports and data, and
// returns when it answers.
func (b *Broker) Restart() {
	b.tb.Helper()
	b.Stop()
	if err := b.launch(); err != nil {
		b.tb.Fatalf("Kafka: restart: %v", err)
	}
}

// Stop ends the broker in good order, as an operator does. It does nothing if it does not run.
func (b *Broker) Stop() {
	b.tb.Helper()
	if b.cmd == nil {
		return
	}
	b.deliver(syscall.SIGTERM)
	select {
	case <-b.exited:
		b.cmd = nil
	case <-time.After(stopWithin):
		b.Kill()
		b.tb.Errorf("Kafka: not stopped within %v of SIGTERM: killed", stopWithin)
	}
}

// Kill ends the broker as a crash does: kill -9. It does nothing if it does not run.
func (b *Broker) Kill() {
	if b.cmd == nil {
		return
	}
	b.deliver(syscall.SIGKILL)
	<-b.exited
	b.cmd = nil
}

// PID is the broker's process, for tests that pause it. 0: not running.
func (b *Broker) PID() int {
	if b.cmd == nil {
		return 0
	}
	return b.cmd.Process.Pid
}

// deliver sends a signal to the process and whatever it may have started.
func (b *Broker) deliver(s syscall.Signal) { _ = syscall.Kill(-b.cmd.Process.Pid, s) }

func (b *Broker) close() {
	b.Kill()
	if b.tb.Failed() {
		b.tb.Logf("the end of Kafka's log (%s):\n%s", b.logPath, b.tail())
	}
}

// format prepares the data directory and creates the user, as kafka-storage.sh does.
func (b *Broker) format() error {
	var id [16]byte
	rand.Read(id[:])
	args := []string{
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", b.classes, "kafka.tools.StorageTool",
		"format", "--standalone", "-c", b.propertiesPath(),
		"--cluster-id=" + base64.RawURLEncoding.EncodeToString(id[:]),
	}
	if u := b.opts.User; u != nil {
		args = append(args, "--add-scram",
			fmt.Sprintf("%s=[name=%s,password=%s]", u.Mechanism, u.Name, u.Password))
	}
	var out bytes.Buffer
	cmd := exec.Command("java", args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("format %s: %w\n%s", b.dir, err, out.String())
	}
	return nil
}

// launch starts the process and waits until it answers on every listener.
func (b *Broker) launch() error {
	log, err := os.OpenFile(b.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own handle
	cmd := exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", b.classes,
		"kafka.Kafka", b.propertiesPath())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: is a JDK installed?", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the log says more
		close(exited)
	}()
	b.cmd, b.exited = cmd, exited
	if err := b.waitForMetadata(); err != nil {
		b.Kill()
		return err
	}
	return nil
}

// waitForMetadata returns when the broker names itself as alive. Its port opens long before that.
func (b *Broker) waitForMetadata() error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ask, done := context.WithTimeout(ctx, 2*time.Second)
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ask, cl)
		done()
		if err == nil && len(resp.Brokers) == 1 {
			return nil
		}
		select {
		case <-tick.C:
		case <-b.exited:
			return fmt.Errorf("%w:\n%s", errExited, b.tail())
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v (last error: %w)", startWithin, err)
		}
	}
}

// freePorts asks the system for n ports that nobody uses now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // together at the end, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
