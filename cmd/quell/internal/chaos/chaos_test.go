package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// repository is the way from this package.
const repository = "../../../.."

// built returns the program to test, built once for the test.
func built(t *testing.T) Binary {
	t.Helper()
	b := Binary{Quell: filepath.Join(t.TempDir(), "quell")}
	cmd := exec.Command("go", "build", "-o", b.Quell, "./cmd/quell")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var err error
	if b.Library, err = filepath.Abs(filepath.Join(repository, ".cache/chdb/libchdb.so")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.Library); err != nil {
		t.Fatalf("no ClickHouse engine (%v): run make setup", err)
	}
	return b
}

// lines writes what the program prints to the test's log.
type lines struct{ t *testing.T }

func (l lines) Write(b []byte) (int, error) {
	l.t.Log(string(b))
	return len(b), nil
}

// TestRealChaosFiveRounds plays the rounds in which every act that must occur does. A round that
// fails leaves its logs with the test's artifacts.
func TestRealChaosFiveRounds(t *testing.T) {
	dir := t.ArtifactDir()
	sum, err := Run(t.Context(), t, Options{Binary: built(t), Dir: dir, Seed: 4, Rounds: blockRounds,
		Out: lines{t}})
	if err != nil {
		explain(t, dir)
		t.Fatal(err)
	}
	if sum.Records == 0 || sum.Pages == 0 || len(sum.Faults) < len(always()) {
		t.Errorf("too little happened: %+v", sum)
	}
}

// explain logs the end of what the processes of failed rounds said.
func explain(t *testing.T, dir string) {
	logs, err := filepath.Glob(filepath.Join(dir, "round-*", "*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		t.Logf("%s (%v):\n%s", path, err, b[max(0, len(b)-3000):])
	}
}
