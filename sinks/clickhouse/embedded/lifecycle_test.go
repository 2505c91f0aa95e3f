package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childDir, in the environment, makes the test binary a server on that directory: a process has one
// engine, and some tests need two.
const childDir = "QUELL_TEST_CLICKHOUSE_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child serves until its standard input ends.
func child(dir string) int {
	srv, err := New(Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-srv.Ready()
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := srv.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// startChild runs a server on dir in another process.
func startChild(t *testing.T, dir string) (cmd *exec.Cmd, stdin io.Closer) {
	t.Helper()
	needLibrary(t)
	exe, err := os.Executable()
	must(t, err)
	cmd = exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q (%v)", line, err)
	}
	return cmd, in
}

func TestReopenedDirectoryKeepsItsRows(t *testing.T) {
	dir := t.TempDir()
	for round := range uint64(3) {
		srv := start(t, Options{DataDir: dir})
		c := srv.open(ways[0])
		must(t, c.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS kept (n UInt64) ENGINE = MergeTree"+
			" ORDER BY n"))
		if n := count(t, c, "SELECT count() FROM kept"); n != round {
			t.Errorf("round %d: %d rows", round, n)
		}
		must(t, c.Exec(t.Context(), fmt.Sprintf("INSERT INTO kept VALUES (%d)", round)))
		must(t, srv.stop())
	}
	// The same process may go on with another directory.
	srv := start(t, Options{})
	if err := srv.open(ways[0]).Exec(t.Context(), "SELECT * FROM kept"); err == nil {
		t.Error("a new directory has the old one's table")
	}
}

func TestAddressFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadAddress(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: %v", err)
	}
	srv := start(t, Options{DataDir: dir, User: "quell", Password: "s3cret"})
	a, err := ReadAddress(dir)
	must(t, err)
	if a.HTTP != srv.HTTPAddr() || a.TCP != srv.TCPAddr() || a.PID != os.Getpid() || a.TLS ||
		time.Since(a.Started) > time.Minute {
		t.Errorf("got %+v", a)
	}
	path := filepath.Join(dir, "clickhouse.json")
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	text, err := os.ReadFile(path)
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(text, &fields))
	for _, name := range []string{"http", "tcp", "pid", "started", "tls"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("no %s in %s", name, text)
		}
	}
	if len(fields) != 5 {
		t.Errorf("more than an address: %s", text)
	}
	must(t, srv.stop())
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("afterwards the file is still there: %v", err)
	}
	if _, err := net.DialTimeout("tcp", a.TCP, time.Second); err == nil {
		t.Error("afterwards somebody still answers")
	}
}

func TestStaleAddresses(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := ln.Addr().String()
	ln.Close()
	dead := exec.CommandContext(t.Context(), "true")
	must(t, dead.Run())
	for name, text := range map[string]string{
		"a dead process": fmt.Sprintf(`{"http":%q,"tcp":"t","pid":%d}`, nobody, dead.Process.Pid),
		"nobody answers": fmt.Sprintf(`{"http":%q,"tcp":"t","pid":%d}`, nobody, os.Getpid()),
		"half a file":    `{"http":"127.`,
		"an empty file":  "",
		"no process":     `{}`,
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "clickhouse.json"), []byte(text), 0o600))
		if _, err := ReadAddress(dir); !errors.Is(err, ErrStale) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	cmd, stdin := startChild(t, dir)
	held, err := ReadAddress(dir)
	must(t, err)
	refused := func() error {
		srv, err := New(Options{DataDir: dir})
		must(t, err)
		return srv.Run(t.Context())
	}
	var inUse *InUseError
	if err := refused(); !errors.As(err, &inUse) || inUse.By != held ||
		held.PID != cmd.Process.Pid {
		t.Errorf("got %v, want one that names %v", err, held)
	} else if text := err.Error(); !strings.Contains(text, held.TCP) || !strings.Contains(text,
		"76") {
		t.Errorf("got %q", text)
	}
	must(t, os.Remove(filepath.Join(dir, "clickhouse.json")))
	if err := refused(); !errors.As(err, &inUse) || inUse.By.PID != cmd.Process.Pid {
		t.Errorf("without the address file: got %v", err)
	}
	stdin.Close()
	must(t, cmd.Wait())
	srv := start(t, Options{DataDir: dir})
	if err := refused(); !errors.As(err, &inUse) || inUse.By.PID != os.Getpid() {
		t.Errorf("in the same process: got %v", err)
	}
	other, err := New(Options{DataDir: t.TempDir()})
	must(t, err)
	if err := other.Run(t.Context()); err == nil {
		t.Error("a second engine in this process")
	}
	must(t, srv.open(ways[0]).Ping(t.Context()))
	if err := srv.Run(t.Context()); err == nil {
		t.Error("a Server ran twice")
	}
}

// A process that was killed leaves its files behind; the next one starts nevertheless.
func TestStartAfterAKill(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startChild(t, dir)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if _, err := ReadAddress(dir); !errors.Is(err, ErrStale) {
		t.Errorf("after a kill: %v", err)
	}
	srv := start(t, Options{DataDir: dir})
	a, err := ReadAddress(dir)
	must(t, err)
	if a.HTTP != srv.HTTPAddr() {
		t.Errorf("got %v", a)
	}
}

func TestStopWithRunningStatements(t *testing.T) {
	srv := start(t, Options{})
	watcher := srv.open(ways[0])
	const statements = 6
	done := make(chan error, statements)
	for i := range statements {
		c := srv.open(ways[i%2*3])
		go func() { done <- c.Exec(context.Background(), endless) }()
	}
	slow := srv.open(ways[0]) // an insert whose client takes its time
	must(t, slow.Exec(t.Context(), "CREATE TABLE slow (n UInt64) ENGINE = MergeTree ORDER BY n"))
	b, err := slow.PrepareBatch(t.Context(), "INSERT INTO slow")
	must(t, err)
	must(t, b.Append(uint64(1)))
	waitFor(t, "the statements run", func() bool {
		return count(t, watcher, "SELECT count() FROM system.processes WHERE query LIKE"+
			" '%1000000000000%'"+
			" AND query NOT LIKE '%system.processes%'") == statements
	})
	begin := time.Now()
	must(t, srv.stop())
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	for range statements {
		if err := <-done; err == nil {
			t.Error("an endless statement ended well")
		}
	}
	if err := b.Send(); err == nil {
		t.Error("an insert ended well after the stop")
	}
}

// Idle connections get no grace period. On a busy machine one of a few tries has to show it.
func TestStopWhenIdleIsQuick(t *testing.T) {
	var took time.Duration
	for range 5 {
		srv := start(t, Options{})
		for _, w := range protocols {
			must(t, srv.open(w).Ping(t.Context()))
		}
		begin := time.Now()
		must(t, srv.stop())
		if took = time.Since(begin); took < stopGrace {
			return
		}
	}
	t.Errorf("stopping took %v", took)
}

func TestTimeIsUTC(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	dir := t.TempDir()
	startChild(t, dir) // a process whose engine has not seen a time yet
	a, err := ReadAddress(dir)
	must(t, err)
	r := &running{t: t, Server: &Server{}}
	for sql, want := range map[string]string{
		"SELECT timezone(), serverTimezone()":                 "UTC\tUTC\n",
		"SELECT toDateTime('2026-07-01 12:00:00')::UInt32":    "1782907200\n",
		"SELECT toString(fromUnixTimestamp64Milli(0::Int64))": "1970-01-01 00:00:00.000\n",
	} {
		res, err := r.client().Post("http://"+a.HTTP+"/", "", strings.NewReader(sql))
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if string(text) != want {
			t.Errorf("%s: got %q, want %q", sql, text, want)
		}
	}
}

// The library would read a config.xml that lies around in the working directory.
func TestStrangeConfigurationIsNotRead(t *testing.T) {
	lib := needLibrary(t)
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("config.xml", []byte("<html>not ours"), 0o600))
	srv := start(t, Options{Library: lib})
	must(t, srv.open(ways[0]).Ping(t.Context()))
}

func TestFindLibrary(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	real, err := FindLibrary()
	if err != nil && !testing.Short() {
		t.Fatal(err)
	}
	if err == nil && strings.HasPrefix(real, filepath.Dir(exe)) {
		t.Errorf("found %s beside the test binary", real)
	}
	outside := t.TempDir()
	t.Chdir(outside)
	t.Setenv("QUELL_CHDB_LIB", "")
	if _, err := FindLibrary(); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(),
		"run make setup") {
		t.Errorf("outside of the module: %v", err)
	}
	t.Setenv("QUELL_CHDB_LIB", filepath.Join(outside, "nothing.so"))
	if _, err := FindLibrary(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path to nothing: %v", err)
	}
	named := filepath.Join(outside, "libchdb.so")
	must(t, os.WriteFile(named, []byte("not a library"), 0o600))
	t.Setenv("QUELL_CHDB_LIB", named)
	if got, err := FindLibrary(); got != named || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	srv, err := New(Options{DataDir: outside})
	must(t, err)
	if err := srv.Run(t.Context()); err == nil || !strings.Contains(err.Error(),
		"ClickHouse engine") {
		t.Errorf("a library that is none: %v", err)
	}
	t.Setenv("QUELL_CHDB_LIB", "")
	must(t, os.MkdirAll(filepath.Join(outside, ".cache", "chdb"), 0o700))
	must(t, os.WriteFile("go.mod", []byte("module x\n"), 0o600))
	must(t, os.Rename(named, filepath.Join(outside, ".cache", "chdb", "libchdb.so")))
	must(t, os.Mkdir("deeper", 0o700))
	t.Chdir(filepath.Join(outside, "deeper"))
	if got, err := FindLibrary(); err != nil || filepath.Base(filepath.Dir(got)) != "chdb" {
		t.Errorf("got %s, %v", got, err)
	}
}
