package embedded_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/embedded"
)

const victimDir = "QUELL_TEST_VICTIM_DIR"

// TestVictim is no test of its own: it is the process that TestKillLosesNothing kills.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("only a process for TestKillLosesNothing, which starts it with " + victimDir)
	}
	b, err := embedded.New(embedded.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// After kill -9 everything that was acknowledged is there, the transaction that was open is aborted,
// and the address that was left behind is known to be stale.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	victim.Env = append(os.Environ(), victimDir+"="+dir)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var found embedded.Address
	for ctx := within(t); found.Addr == ""; {
		if ctx.Err() != nil {
			t.Fatal("the other process never said where its broker is")
		}
		found, _ = embedded.ReadAddress(dir)
	}
	if found.PID != victim.Process.Pid {
		t.Errorf("the address names process %d, not %d", found.PID, victim.Process.Pid)
	}
	cl := client(t, found.Addr, kgo.TransactionalID("w"))
	create(t, cl, "t", 1, "message.timestamp.type=LogAppendTime")
	for _, value := range []string{"first", "second", "open at the end"} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, cl, record("t", "", value))
		if value == "open at the end" {
			break
		}
		if err := cl.EndTransaction(within(t), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // killed, as wanted
	if _, err := embedded.ReadAddress(dir); !errors.Is(err, embedded.ErrNotRunning) {
		t.Errorf("after the kill: %v", err)
	}

	begin := time.Now()
	b, _ := start(t, embedded.Options{DataDir: dir})
	t.Logf("up again after %v", time.Since(begin).Round(time.Millisecond))
	next := client(t, b.Addr(), kgo.TransactionalID("w"))
	if err := next.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, next, record("t", "", "third"))
	if err := next.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	got := values(consume(t, b.Addr(), "t", 3, kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	if got != "first second third" {
		t.Errorf("after the kill: %q", got)
	}
}
