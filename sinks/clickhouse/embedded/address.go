package embedded

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Address is where a running Server can be reached. It holds no secrets.
type Address struct {
	HTTP    string    `json:"http"` // host:port
	TCP     string    `json:"tcp"`  // host:port
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	TLS     bool      `json:"tls"`
}

func (a Address) String() string {
	scheme := "http"
	if a.TLS {
		scheme = "https"
	}
	return fmt.Sprintf("process %d, %s://%s and tcp %s", a.PID, scheme, a.HTTP, a.TCP)
}

var (
	// ErrNotRunning says that no Server has announced itself in a data directory.
	ErrNotRunning = errors.New("no embedded ClickHouse runs on this data directory")
	// ErrStale says that one did, but is gone: it was killed.
	ErrStale = errors.New("the embedded ClickHouse that ran on this data directory is gone")
)

func addressFile(dataDir string) string { return filepath.Join(dataDir, "clickhouse.json") }

// ReadAddress returns the address of the Server that runs on dataDir. Its error wraps ErrNotRunning
// if there is none, or ErrStale, with the address that was left behind, if its process is dead or
// nobody answers there.
func ReadAddress(dataDir string) (Address, error) {
	path := addressFile(dataDir)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Address{}, fmt.Errorf("%s: %w", dataDir, ErrNotRunning)
	}
	if err != nil {
		return Address{}, err
	}
	var a Address
	if err := json.Unmarshal(text, &a); err != nil || a.PID <= 0 {
		return Address{}, fmt.Errorf("%s is not an address (%v): %w", path, err, ErrStale)
	}
	if err := a.answers(); err != nil {
		return a, fmt.Errorf("%s names %v: %w: %w", path, a, err, ErrStale)
	}
	return a, nil
}

// answers tells whether the process lives and serves. A process id is soon somebody else's, so a
// living one proves nothing without an answer.
func (a Address) answers() error {
	if err := syscall.Kill(a.PID, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return err
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		// Nothing secret is sent or believed; who it really is, its client checks.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	url := "http://" + a.HTTP + "/ping"
	if a.TLS {
		url = "https://" + a.HTTP + "/ping"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

// publish writes the address file, whole or not at all, and returns what removes it.
func (s *Server) publish() (remove func(), err error) {
	text, err := json.Marshal(Address{
		HTTP:    s.httpListener.Addr().String(),
		TCP:     s.tcpListener.Addr().String(),
		PID:     os.Getpid(),
		Started: time.Now().UTC().Truncate(time.Millisecond),
		TLS:     s.opts.TLS != nil,
	})
	if err != nil {
		return nil, err
	}
	path := addressFile(s.opts.DataDir)
	// The engine holds the directory, so nobody else writes here now.
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("announce the server: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("announce the server: %w", err)
	}
	return func() { os.Remove(path) }, nil
}
