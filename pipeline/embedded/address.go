package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockFile    = "kafka.lock"
	addressFile = "kafka.json"

	// A reader holds the lock for one system call; an owner that meets it tries again.
	claimTries = 20
	claimPause = 10 * time.Millisecond
)

// ErrNotRunning says that no broker runs on a data directory now.
var ErrNotRunning = errors.New("no embedded broker is running there")

// Address is what a running broker leaves in its data directory for other processes.
type Address struct {
	Addr    string    `json:"addr"`    // host:port
	PID     int       `json:"pid"`     // the process that runs the broker
	Started time.Time `json:"started"` // UTC
}

// ReadAddress finds the broker that runs on dataDir now, in whatever process. If there is none the
// error is ErrNotRunning, and its text tells a directory that never had one from a file that a
// killed process left behind. It asks the kernel for the lock, not for the process: a process id
// may have been given to another since.
func ReadAddress(dataDir string) (Address, error) {
	lock, err := os.OpenFile(filepath.Join(dataDir, lockFile), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Address{}, fmt.Errorf("%s: %w", dataDir, ErrNotRunning)
	}
	if err != nil {
		return Address{}, fmt.Errorf("embedded broker of %s: %w", dataDir, err)
	}
	defer lock.Close()
	held, err := tryLock(lock, syscall.LOCK_SH)
	if err != nil {
		return Address{}, fmt.Errorf("embedded broker of %s: lock: %w", dataDir, err)
	}
	addr, err := readAddressFile(dataDir)
	switch {
	case held && err == nil:
		return Address{}, fmt.Errorf("%s: %w: process %d, started %s at %s, is gone without a word",
			dataDir, ErrNotRunning, addr.PID, addr.Started.Format(time.RFC3339), addr.Addr)
	case held:
		return Address{}, fmt.Errorf("%s: %w", dataDir, ErrNotRunning)
	case errors.Is(err, fs.ErrNotExist):
		return Address{}, fmt.Errorf("%s: %w yet: it starts or stops", dataDir, ErrNotRunning)
	default:
		return addr, err
	}
}

func readAddressFile(dataDir string) (Address, error) {
	var a Address
	path := filepath.Join(dataDir, addressFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("embedded broker: %s is not readable: %w", path, err)
	}
	return a, nil
}

// claim is the right to run a broker on a directory, held until release.
type claim struct {
	dir    string
	lock   *os.File
	killed bool // the last owner did not stop in good order
}

// claimDir takes the directory or says who has it. The lock file stays when the broker goes:
// removing it would let two processes lock two files of one name.
func claimDir(dir string) (*claim, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	for try := range claimTries {
		if try > 0 {
			time.Sleep(claimPause)
		}
		held, err := tryLock(lock, syscall.LOCK_EX)
		if err != nil {
			lock.Close()
			return nil, fmt.Errorf("embedded broker: lock %s: %w", lock.Name(), err)
		}
		if held {
			_, err := os.Stat(filepath.Join(dir, addressFile))
			return &claim{dir: dir, lock: lock, killed: err == nil}, nil
		}
	}
	lock.Close()
	owner, err := readAddressFile(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %s is in use by a broker that has not "+
			"said where: wait for it, or name another data directory", dir)
	}
	return nil, fmt.Errorf("embedded broker: %s is in use by the broker at %s (process %d, "+
		"since %s): connect to that one, stop it, or name another data directory",
		dir, owner.Addr, owner.PID, owner.Started.Format(time.RFC3339))
}

// publish writes the address file: a reader sees the old one or all of the new one.
func (c *claim) publish(addr string, started time.Time) error {
	started = started.UTC().Truncate(time.Millisecond)
	raw, err := json.Marshal(Address{Addr: addr, PID: os.Getpid(), Started: started})
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, addressFile)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("embedded broker: write its address: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("embedded broker: write its address: %w", err)
	}
	return nil
}

// release removes the address and then lets the directory go, in this order: a new owner's address
// must not be removed.
func (c *claim) release() {
	os.Remove(filepath.Join(c.dir, addressFile))
	c.lock.Close()
}

// tryLock takes an flock without waiting. False: somebody else has it.
func tryLock(f *os.File, how int) (bool, error) {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
