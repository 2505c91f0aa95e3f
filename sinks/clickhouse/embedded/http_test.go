package embedded

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// ask sends plain HTTP; params are the URL's, as "a=b" pairs.
func (r *running) ask(method string, params url.Values, body io.Reader, head http.Header) (
	status int, text string, header http.Header,
) {
	r.t.Helper()
	scheme := "http://"
	if r.opts.TLS != nil {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method,
		scheme+r.HTTPAddr()+"/?"+params.Encode(), body)
	must(r.t, err)
	if head != nil {
		req.Header = head
	}
	res, err := r.client().Do(req)
	must(r.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	must(r.t, err)
	return res.StatusCode, string(answer), res.Header
}

func sql(q string) url.Values { return url.Values{"query": {q}} }

func TestPlainHTTP(t *testing.T) {
	srv := start(t, Options{})
	rows := func(s string) io.Reader { return strings.NewReader(s) }
	for _, test := range []struct {
		name, method string
		params       url.Values
		body         io.Reader
		status       int
		answer       string // or, for an error, a part of it
	}{
		{"a SELECT by GET", "GET", sql("SELECT 1, 'a\tb'"), nil, 200, "1\ta\\tb\n"},
		{"a SELECT in the body",
			"POST", nil, rows("SELECT 1 AS n FORMAT JSONEachRow"), 200, `{"n":1}` + "\n"},
		{"a default format",
			"POST", url.Values{"default_format": {"CSV"}}, rows("SELECT 1, 'x'"), 200,
			"1,\"x\"\n"},
		{"text in both", "POST", sql("SELECT 1"), rows("+ 2"), 200, "3\n"},
		{"a parameter",
			"GET", url.Values{"query": {"SELECT {x:String}"}, "param_x": {"it's"}}, nil, 200,
			"it\\'s\n"},
		{"a setting", "GET", url.Values{"query": {"SELECT getSetting('max_threads')"},
			"max_threads": {"3"}}, nil, 200, "3\n"},
		{"a database",
			"GET", url.Values{"query": {"SELECT currentDatabase()"}, "database": {"system"}},
			nil, 200, "system\n"},
		{"an unknown database",
			"GET", url.Values{"query": {"SELECT 1"}, "database": {"no`pe"}}, nil, 404,
			"Code: 81."},
		{"a table",
			"POST", sql("CREATE TABLE h (a UInt64, b String) ENGINE = MergeTree ORDER BY a"), nil,
			200, ""},
		{"GET changes nothing",
			"GET", sql("INSERT INTO h VALUES (666, 'x')"), nil, 403, "Code: 164."},
		{"GET drops nothing", "GET", sql("DROP TABLE h"), nil, 403, "Code: 164."},
		{"rows behind the statement",
			"POST", nil, rows("INSERT INTO h FORMAT CSV\n1,a\n2,\"b\n\nb\"\n"), 200, ""},
		{"rows in the body", "POST", sql("INSERT INTO h FORMAT TSV"), rows("3\tc\n"), 200, ""},
		{"rows in both", "POST", sql("INSERT INTO h FORMAT TSV\n4\td\n"), rows("5\te\n"), 200, ""},
		{"values in the body", "POST", sql("INSERT INTO h VALUES"), rows("(6, 'f')"), 200, ""},
		{"values in the text",
			"POST", nil, rows("INSERT INTO h (b, a) VALUES ('g', 7), ('h', 3 + 5)"), 200, ""},
		{"no format", "POST", sql("INSERT INTO h"), rows("(9, 'i')"), 200, ""},
		{"no rows", "POST", sql("INSERT INTO h FORMAT CSV"), nil, 200, ""},
		{"what was inserted",
			"GET", sql("SELECT groupArray(concat(toString(a), b)) FROM (SELECT * FROM h" +
				" ORDER BY a)"), nil, 200,
			"['1a','2b\\n\\nb','3c','4d','5e','6f','7g','8h','9i']\n"},
		{"bad rows", "POST", sql("INSERT INTO h FORMAT CSV"), rows("x,y\n"), 400, "Code: 27."},
		{"a syntax error", "POST", nil, rows("SELEC"), 400, "Code: 62."},
		{"an unknown table", "POST", nil, rows("SELECT * FROM nope"), 404, "Code: 60."},
		{"an unknown setting",
			"GET", url.Values{"query": {"SELECT 1"}, "nope": {"1"}}, nil, 400, "Code: 115."},
		{"a setting's name that is none",
			"GET", url.Values{"query": {"SELECT 1"}, "a=1, b": {"1"}}, nil, 400,
			"Code: 115."},
		{"two statements", "POST", nil, rows("SELECT 1; SELECT 2"), 400, "Code: 62."},
		{"nothing", "POST", nil, rows("  \n"), 400, "Code: 62."},
		{"an error after rows", "POST", url.Values{"wait_end_of_query": {"1"}},
			rows("SELECT throwIf(number = 3000000) FROM numbers(4000000)"), 400, "Code: 395."},
		{"a body that is not gzip", "POST", nil, nil, 400, "Code: 117."},
		{"a body in brotli", "POST", nil, nil, 501, "Code: 48."},
	} {
		t.Run(test.name, func(t *testing.T) {
			var head http.Header
			switch test.name {
			case "a body that is not gzip":
				head = http.Header{"Content-Encoding": {"gzip"}}
			case "a body in brotli":
				head = http.Header{"Content-Encoding": {"br"}}
			}
			status, text, header := srv.ask(test.method, test.params, test.body, head)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, text)
			}
			if status == 200 && text != test.answer {
				t.Errorf("got %q, want %q", text, test.answer)
			}
			if status != 200 && (!strings.HasPrefix(text, test.answer) || !strings.HasPrefix(text,
				"Code: "+header.Get("X-ClickHouse-Exception-Code")+".")) {
				t.Errorf("got %q, want %q, and its code in a header", text, test.answer)
			}
		})
	}
}

func TestHTTPFormats(t *testing.T) {
	srv := start(t, Options{})
	_, text, head := srv.ask("POST", sql("SELECT number AS n FROM numbers(3) FORMAT JSON"),
		nil, nil)
	var answer struct {
		Data []struct{ N int }
		Rows int
	}
	must(t, json.Unmarshal([]byte(text), &answer))
	if answer.Rows != 3 || answer.Data[2].N != 2 {
		t.Errorf("got %s", text)
	}
	if got := head.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("content type %s", got)
	}
	if got := head.Get("X-ClickHouse-Format"); got != "JSON" {
		t.Errorf("format %s", got)
	}
	if head.Get("X-ClickHouse-Timezone") != "UTC" || head.Get("X-ClickHouse-Query-Id") == "" {
		t.Errorf("headers %v", head)
	}

	_, text, _ = srv.ask("POST", url.Values{"enable_http_compression": {"1"}},
		strings.NewReader("SELECT 'x' FROM numbers(1000)"),
		http.Header{"Accept-Encoding": {"gzip"}})
	z, err := gzip.NewReader(strings.NewReader(text))
	must(t, err)
	plain, err := io.ReadAll(z)
	must(t, err)
	if !bytes.Equal(plain, bytes.Repeat([]byte("x\n"), 1000)) {
		t.Errorf("%d bytes after gzip", len(plain))
	}

	// An exception in mid-stream follows the rows, between marks that only this answer has.
	status, text, head := srv.ask("POST", nil, strings.NewReader(
		"SELECT throwIf(number = 3000000) FROM numbers(4000000)"+
			" SETTINGS max_block_size = 65536"), nil)
	tag := head.Get("X-ClickHouse-Exception-Tag")
	mark := "\r\n__exception__\r\n" + tag + "\r\nCode: 395."
	if status != 200 || tag == "" || !strings.Contains(text, mark) {
		t.Errorf("status %d, tag %q, end %q", status, tag, text[max(0, len(text)-300):])
	}
}

func TestPing(t *testing.T) {
	srv := start(t, Options{User: "u", Password: "p"})
	for path, want := range map[string]string{"/ping": "Ok.\n", "/": "Ok.\n"} {
		res, err := srv.client().Get("http://" + srv.HTTPAddr() + path)
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if string(text) != want {
			t.Errorf("%s answers %q", path, text)
		}
	}
	res, err := srv.client().Get("http://" + srv.HTTPAddr() + "/elsewhere")
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("/elsewhere answers %s", res.Status)
	}
}
