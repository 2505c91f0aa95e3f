package chaos

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// gate stands between one process and ClickHouse, and can hold an insert in the middle: before
// ClickHouse has it, or after ClickHouse took it and before the process knows. So what "stopped in
// the middle of an insert" means is not left to luck.
type gate struct {
	addr      string
	server    *http.Server
	inserting atomic.Int32 // inserts that are under way

	mu    sync.Mutex
	armed *held
}

// held is one insert that is kept back.
type held struct {
	after   bool          // hold the answer, not the request
	reached chan struct{} // closed when the insert is in our hands
	release chan struct{} // closed to let it go on
	done    chan struct{} // closed when ClickHouse has answered
}

// newGate listens; target is host:port of ClickHouse's HTTP.
func newGate(target string) (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{addr: l.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {
		panic(http.ErrAbortHandler) // ClickHouse is away: so is the connection to it
	}
	g.server = &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(proxy, w, r) })}
	go func() { _ = g.server.Serve(l) }() // ends with Close
	return g, nil
}

func (g *gate) Close() { _ = g.server.Close() }

// hold keeps back the next insert into a table.
func (g *gate) hold(after bool) *held {
	h := &held{after: after, reached: make(chan struct{}), release: make(chan struct{}),
		done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = h
	return h
}

// disarm takes a hold back that no insert has met.
func (g *gate) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = nil
}

func (g *gate) take() *held {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.armed
	g.armed = nil
	return h
}

// serve forwards a request. The body of an insert is read first: what is held is a whole insert.
func (g *gate) serve(proxy *httputil.ReverseProxy, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if !isInsert(r, body) {
		proxy.ServeHTTP(w, r)
		return
	}
	g.inserting.Add(1)
	defer g.inserting.Add(-1)
	h := g.take()
	if h == nil {
		proxy.ServeHTTP(w, r)
		return
	}
	// What was under way to ClickHouse arrives there, whatever became of who sent it.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	if !h.after {
		close(h.reached)
		<-h.release
	}
	answer := &kept{header: http.Header{}}
	defer close(h.done)
	proxy.ServeHTTP(answer, r)
	if h.after {
		close(h.reached)
		<-h.release
	}
	for k, v := range answer.header {
		w.Header()[k] = v
	}
	w.WriteHeader(max(answer.status, http.StatusOK))
	_, _ = w.Write(answer.body.Bytes()) // who asked may be gone
}

func isInsert(r *http.Request, body []byte) bool {
	const insert = "INSERT INTO"
	return r.Method == http.MethodPost && (strings.HasPrefix(r.URL.Query().Get("query"), insert) ||
		bytes.HasPrefix(body, []byte(insert)))
}

// kept is an answer that is not sent yet.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) WriteHeader(status int)      { k.status = status }
func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }
