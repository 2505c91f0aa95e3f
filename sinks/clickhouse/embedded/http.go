package embedded

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// serveHTTP serves ClickHouse's HTTP interface until serving ends, then ends what runs: requests
// get a grace period, kill ends their statements, and their connections are closed.
func (f front) serveHTTP(
	serving, statements context.Context, kill func(), ln net.Listener,
) error {
	var requests sync.WaitGroup
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			defer requests.Done()
			f.answer(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return statements },
		ReadHeaderTimeout: helloTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	release := context.AfterFunc(serving, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			kill()
			srv.Close()
		}
	})
	err := srv.Serve(ln)
	if !release() {
		<-stopped
	}
	requests.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ownParameter tells whether a URL parameter is the interface's own; others are settings.
func ownParameter(name string) bool {
	switch name {
	case "query", "query_id", "database", "default_format", "session_id", "session_timeout",
		"session_check", "close_session", "quota_key", "compress", "decompress", "buffer_size",
		"wait_end_of_query", "user", "password", "stacktrace", "client_protocol_version", "role":
		return true
	}
	return false
}

// exchange is one request and its answer.
type exchange struct {
	front
	w      http.ResponseWriter
	r      *http.Request
	params url.Values
	body   *bufio.Reader // decoded, bounded
	s      *session
}

func (f front) answer(w http.ResponseWriter, r *http.Request) {
	x := &exchange{front: f, w: w, r: r, params: r.URL.Query()}
	x.head("X-ClickHouse-Server-Display-Name", f.engine.name)
	x.head("X-ClickHouse-Timezone", "UTC")
	asked := r.Method != http.MethodGet || x.params.Has("query")
	if r.URL.Path == "/ping" || r.URL.Path == "/" && !asked {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if r.URL.Path != "/" {
		http.Error(w, "There is no handle "+strconv.Quote(r.URL.Path), http.StatusNotFound)
		return
	}
	if err := f.access.check(credentials(r)); err != nil {
		x.log.Warn("wrong credentials", "protocol", "http", "remote", r.RemoteAddr)
		x.fail(err)
		return
	}
	if err := x.run(); err != nil {
		x.fail(err)
	}
}

func (x *exchange) head(name, value string) { x.w.Header().Set(name, value) }

// run answers. An error that it returns is for the client, who has got nothing yet.
func (x *exchange) run() error {
	id := x.params.Get("query_id")
	if id == "" {
		id = randomHex()
	}
	x.head("X-ClickHouse-Query-Id", id)
	if strings.HasPrefix(x.r.Header.Get("Content-Type"), "multipart/form-data") {
		return exception(codeNotImplemented, "external tables are not supported")
	}
	closeBody, err := x.openBody()
	if err != nil {
		return err
	}
	defer closeBody()
	database := x.params.Get("database")
	if database == "" {
		database = x.r.Header.Get("X-ClickHouse-Database")
	}
	if x.s, err = x.engine.open(database); err != nil {
		return err
	}
	defer x.s.Close()
	settings, params := x.settings()
	if err := x.s.set(settings); err != nil {
		return err
	}
	defer x.s.guard(x.r.Context())()
	st, rows, err := x.readStatement()
	if err != nil {
		return err
	}
	if rows != nil {
		return x.insert(st.insert, params, rows)
	}
	return x.query(st, params)
}

// readStatement reads the statement, which stands in the URL or begins the body. For an INSERT
// whose rows can be streamed it returns them as rows, what stands in the text first.
func (x *exchange) readStatement() (st *statement, rows io.Reader, err error) {
	const headBytes = 32 << 10 // of a body: enough for the text before an INSERT's rows
	text := x.params.Get("query")
	if text == "" {
		head, _ := x.body.Peek(headBytes) // an error comes again below
		st = parseStatement(string(head))
		if in := st.insert; in != nil && in.format != "" && in.format != "Values" {
			_, err := x.body.Discard(in.rowsAt)
			return st, x.body, err
		}
	} else if st = parseStatement(text); st.insert != nil && (st.insert.format != "Values" ||
		st.inline() == "") {
		return st, io.MultiReader(strings.NewReader(st.inline()), x.body), nil
	}
	rest, err := io.ReadAll(io.LimitReader(x.body, int64(x.limits.QueryBytes)+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text)+len(rest) > x.limits.QueryBytes {
		return nil, nil, exception(codeTooManyBytes,
			"a statement of more than %d bytes; send rows behind an INSERT ... FORMAT",
			x.limits.QueryBytes)
	}
	if text != "" && len(rest) > 0 {
		text += "\n"
	}
	return parseStatement(text + string(rest)), nil, nil
}

// settings sorts the URL's parameters into settings and the statement's parameters.
func (x *exchange) settings() (settings []pair, params []param) {
	for _, name := range slices.Sorted(maps.Keys(x.params)) {
		value := x.params.Get(name)
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			params = append(params, param{Name: p, Value: value})
		} else if !ownParameter(name) {
			settings = append(settings, pair{name, value})
		}
	}
	// A browser can be made to GET anything from loopback, so, as with a server, GET changes
	// nothing.
	if x.r.Method == http.MethodGet || x.r.Method == http.MethodHead {
		settings = append(settings, pair{"readonly", "2"})
	}
	return settings, params
}

// fail answers with an exception. It takes in what the client still sends, within bounds: a client
// that is cut off while it writes may never read the answer.
func (x *exchange) fail(err error) {
	ex := asException(err)
	for _, name := range []string{"Content-Encoding", "X-ClickHouse-Format",
		"X-ClickHouse-Exception-Tag"} {
		x.w.Header().Del(name)
	}
	x.head("X-ClickHouse-Exception-Code", strconv.Itoa(ex.Code))
	x.head("Content-Type", "text/plain; charset=UTF-8")
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.CopyN(io.Discard, x.r.Body, 256<<20)
	x.w.WriteHeader(httpStatus(ex.Code))
	_, _ = io.WriteString(x.w, x.text(ex)+"\n")
}

// text is an exception as ClickHouse prints it.
func (x *exchange) text(err error) string {
	text := asException(err).Error()
	if !strings.Contains(text, "(version ") {
		text += " (version " + x.engine.version + ")"
	}
	return text
}

func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
