package chaos

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestGate: a held insert has not reached ClickHouse, or has and is not answered, as asked for;
// everything else passes meanwhile.
func TestGate(t *testing.T) {
	var inserted atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.HasPrefix(string(body), "INSERT") {
			inserted.Add(1)
		}
		_, _ = io.WriteString(w, "fine")
	}))
	defer server.Close()
	g, err := newGate(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	post := func(body string) <-chan string {
		answer := make(chan string, 1)
		go func() {
			resp, err := http.Post("http://"+g.addr, "", strings.NewReader(body))
			if err != nil {
				answer <- err.Error()
				return
			}
			defer func() { _ = resp.Body.Close() }()
			b, _ := io.ReadAll(resp.Body)
			answer <- string(b)
		}()
		return answer
	}
	for _, c := range []struct {
		name    string
		after   bool
		reached int32 // inserts that the server has while one is held
	}{{"before", false, 0}, {"after", true, 1}} {
		t.Run(c.name, func(t *testing.T) {
			inserted.Store(0)
			h := g.hold(c.after)
			if got := <-post("SELECT 1"); got != "fine" {
				t.Errorf("a question is answered %q", got)
			}
			answer := post("INSERT INTO events FORMAT Native")
			<-h.reached
			if n := inserted.Load(); n != c.reached || g.inserting.Load() != 1 {
				t.Errorf("the server has %d inserts, %d are under way", n, g.inserting.Load())
			}
			if got := <-post("INSERT INTO pages FORMAT Native"); got != "fine" {
				t.Errorf("the next insert is answered %q", got)
			}
			close(h.release)
			if got := <-answer; got != "fine" || inserted.Load() != 2 {
				t.Errorf("the held one is answered %q; the server has %d inserts", got, inserted.Load())
			}
		})
	}
}
