package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quell/cmd/quell/internal/ops"
)

// serve runs a server until the test ends or stop is called, which returns what Run did.
func serve(t *testing.T, o ops.Options) (s *ops.Server, stop func() error) {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	s, err := ops.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var ended atomic.Bool
	stop = func() error {
		cancel()
		if ended.Swap(true) {
			return nil
		}
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s, stop
}

func get(t *testing.T, s *ops.Server, path string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestMetricsAreOfTheGivenRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "quell_test_total", Help: "A test."})
	reg.MustRegister(c)
	c.Add(3)
	s, _ := serve(t, ops.Options{Gatherer: reg})
	status, body := get(t, s, "/metrics")
	if status != http.StatusOK || !strings.Contains(body, "\nquell_test_total 3\n") {
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(body, "go_goroutines") {
		t.Error("the default registry is served too")
	}
}

func TestReadiness(t *testing.T) {
	var kafka atomic.Value
	kafka.Store(errors.New("dial tcp: refused"))
	s, _ := serve(t, ops.Options{Ready: func() map[string]error {
		m := map[string]error{"clickhouse": nil}
		if err := kafka.Load().(error); err.Error() != "" {
			m["kafka"] = err
		} else {
			m["kafka"] = nil
		}
		return m
	}})
	tests := []struct {
		name, kafka string
		status      int
		ready       bool
		dependency  map[string]string
	}{
		{"kafka is down", "dial tcp: refused", 503, false,
			map[string]string{"kafka": "dial tcp: refused", "clickhouse": "ok"}},
		{"all are connected", "", 200, true, map[string]string{"kafka": "ok", "clickhouse": "ok"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kafka.Store(errors.New(tt.kafka))
			status, body := get(t, s, "/readyz")
			var got struct {
				Ready        bool
				Dependencies map[string]string
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if status != tt.status || got.Ready != tt.ready ||
				!maps.Equal(got.Dependencies, tt.dependency) {
				t.Errorf("%d %s", status, body)
			}
			if status, body := get(t, s, "/healthz"); status != 200 || body != "{\"healthy\":true}\n" {
				t.Errorf("health depends on readiness: %d %s", status, body)
			}
		})
	}
}

func TestDown(t *testing.T) {
	s, _ := serve(t, ops.Options{Ready: func() map[string]error { return map[string]error{"kafka": nil} }})
	s.Down(errors.New("the engine of partition 3 failed"))
	s.Down(errors.New("stopping"))
	for _, path := range []string{"/healthz", "/readyz"} {
		status, body := get(t, s, path)
		if status != 503 || !strings.Contains(body, "the engine of partition 3 failed") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestPprofOnlyOnRequest: importing net/http/pprof puts it on the default mux, which is not served.
func TestPprofOnlyOnRequest(t *testing.T) {
	for _, on := range []bool{false, true} {
		s, _ := serve(t, ops.Options{Pprof: on})
		want := http.StatusNotFound
		if on {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
			if status, _ := get(t, s, path); status != want {
				t.Errorf("pprof %v: %s answers %d, want %d", on, path, status, want)
			}
		}
	}
}

func TestWhatIsNotServed(t *testing.T) {
	s, _ := serve(t, ops.Options{})
	for _, path := range []string{"/", "/metrics"} { // no Gatherer
		if status, _ := get(t, s, path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	res, err := http.Post("http://"+s.Addr()+"/healthz", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.StatusCode)
	}
}

func TestAddressInUse(t *testing.T) {
	s, _ := serve(t, ops.Options{})
	if _, err := ops.New(ops.Options{Listen: s.Addr()}); err == nil ||
		!strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

// TestStop: an answer that is under way holds Run for its grace period at most, and afterwards
// nobody listens.
func TestStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s, stop := serve(t, ops.Options{Ready: func() map[string]error {
		close(entered)
		<-release
		return nil
	}})
	asked := make(chan error, 1)
	go func() {
		res, err := http.Get("http://" + s.Addr() + "/readyz")
		if err == nil {
			_ = res.Body.Close()
		}
		asked <- err
	}()
	<-entered
	begun := time.Now()
	err := stop()
	if err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	close(release)
	if err := <-asked; err == nil {
		t.Error("the connection outlived its server")
	}
	if conn, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = conn.Close()
		t.Error("somebody still listens")
	}
}
