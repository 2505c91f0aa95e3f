package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaryDir names the directory that TestMain makes for the binary.
const binaryDir = "QUELL_TEST_BINARY_DIR"

// binary builds quell once for all tests that run it as a process.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(binaryDir), "quell")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "quell-binary-")
	if err == nil {
		err = os.Setenv(binaryDir, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// library returns the engine's path for processes whose binary lies outside of the repository.
func library(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/chdb/libchdb.so")
	if err != nil {
		t.Fatal(err)
	}
	if env := os.Getenv("QUELL_CHDB_LIB"); env != "" {
		path = env
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no ClickHouse engine (%v): run make setup", err)
	}
	return path
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "QUELL_CHDB_LIB="+library(t))
	return cmd
}

// quell runs a command to its end and returns its standard output; it must exit with code.
func quell(t *testing.T, code int, args ...string) string {
	t.Helper()
	stdout, _ := quellWith(t, nil, code, args...)
	return stdout
}

// quellWith is quell with more environment; it returns what was said on standard error too.
func quellWith(t *testing.T, env []string, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("quell %s: exit %d (%v), want %d\n%s%s", strings.Join(args, " "), got, err, code,
			tail(out.String(), 4000), tail(errs.String(), 4000))
	}
	return out.String(), errs.String()
}

// process is a quell that keeps running.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *said
	done           chan error // holds the end once there is one
}

// said keeps what a process writes, to be read while it does.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// start runs a command until the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith is start with more environment.
func startWith(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, args...), stdout: new(said), stderr: new(said),
		done: make(chan error, 1)}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			p.explain()
		}
		p.kill()
	})
	return p
}

// explain logs the end of what the process said, and keeps all of it and, if it still runs, the
// stacks of its goroutines with the test's artifacts.
func (p *process) explain() {
	args := strings.Join(p.cmd.Args[1:], " ")
	p.t.Logf("quell %s said:\n%s%s", args, tail(p.stdout.String(), 2000), tail(p.stderr.String(), 6000))
	if _, ended := p.ended(); !ended {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case err := <-p.done:
			p.done <- err
		case <-time.After(5 * time.Second):
		}
	}
	path := filepath.Join(p.t.ArtifactDir(), fmt.Sprintf("quell-%d.log", p.cmd.Process.Pid))
	if err := os.WriteFile(path, []byte(args+"\n"+p.stdout.String()+p.stderr.String()), 0o600); err != nil {
		p.t.Log(err)
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// ended tells whether the process has ended, and how.
func (p *process) ended() (error, bool) {
	select {
	case err := <-p.done:
		p.done <- err
		return err, true
	default:
		return nil, false
	}
}

// terminate asks the process to stop, expects that it does so cleanly within the time, and returns
// how long it took.
func (p *process) terminate(within time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	if err, ended := p.ended(); ended {
		p.t.Fatalf("quell %v ended by itself: %v", p.cmd.Args[1:], err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		p.done <- err
		if err != nil {
			p.t.Errorf("quell %v stopped with %v", p.cmd.Args[1:], err)
		}
	case <-time.After(3 * within):
		p.t.Fatalf("quell %v does not stop", p.cmd.Args[1:])
	}
	took := time.Since(began)
	if took > within {
		p.t.Errorf("quell %v took %v to stop", p.cmd.Args[1:], took)
	}
	return took
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.done <- <-p.done
}

// waitFor waits until the condition holds, and fails when the process ends before.
func (p *process) waitFor(what string, ok func() bool) {
	p.t.Helper()
	eventually(p.t, what, func() bool {
		if ok() {
			return true
		}
		if err, ended := p.ended(); ended {
			p.t.Fatalf("quell %v ended (%v) before: %s", p.cmd.Args[1:], err, what)
		}
		return false
	})
}

// waitReady waits until /readyz of a running service says so.
func (p *process) waitReady(addr string) {
	p.t.Helper()
	p.waitFor("quell run is ready", func() bool {
		code, _ := get("http://" + addr + "/readyz")
		return code == http.StatusOK
	})
}

// freeAddr returns an address of the loopback that was free a moment ago. Its port is below those
// that the system gives to clients: of these one may be taken while its server is away, even by who
// looks for the server (a connection to oneself).
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(17_000)))
		if err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port among a hundred")
	return ""
}

// eventually looks again and again until the condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("after two minutes still not: %s", what)
}

// get returns status and body of a URL; 0 when nobody answers.
func get(url string) (int, string) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sqlCount asks a running archive for one number; -1 when it does not answer.
func sqlCount(t *testing.T, clickhouse, query string) int64 {
	t.Helper()
	rows := sqlRows(t, clickhouse, query)
	if len(rows) != 1 {
		return -1
	}
	n, err := rows[0][0].(json.Number).Int64()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// sqlRows asks a running archive over plain HTTP; nil when it does not answer. Whole numbers come
// as json.Number.
func sqlRows(t *testing.T, clickhouse, query string) [][]any {
	t.Helper()
	const form = "/?database=quell&output_format_json_quote_64bit_integers=0"
	resp, err := http.Post(clickhouse+form, "text/plain", strings.NewReader(query+" FORMAT JSONCompact"))
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	var out struct{ Data [][]any }
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v in %s", query, err, tail(string(body), 500))
	}
	return out.Data
}
