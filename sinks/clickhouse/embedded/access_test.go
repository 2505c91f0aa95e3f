package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// certificate makes a key and a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (server *tls.Config, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "quell test"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der},
			PrivateKey: key}}},
		&tls.Config{RootCAs: roots}
}

func TestCredentials(t *testing.T) {
	srv := start(t, Options{User: "quell", Password: "s3cret"})
	each(t, protocols, func(t *testing.T, w way) {
		must(t, srv.open(w).Ping(t.Context()))
		for name, auth := range map[string]clickhouse.Auth{
			"wrong password": {Username: "quell", Password: "S3cret"},
			"no password":    {Username: "quell"},
			"another user":   {Username: "default", Password: "s3cret"},
			"nobody":         {},
			"a prefix":       {Username: "quell", Password: "s3cre"},
		} {
			o := srv.options(w)
			o.Auth = auth
			err := srv.dial(o).Ping(t.Context())
			if err == nil {
				t.Errorf("%s: let in", name)
				continue
			}
			wantCode(t, err, 516)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: the error tells the password", name)
			}
		}
	})

	basic := func(user, password string) http.Header {
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(user, password)
		return req.Header
	}
	own := func(user, key string) http.Header {
		h := http.Header{}
		h.Set("X-ClickHouse-User", user)
		h.Set("X-ClickHouse-Key", key)
		return h
	}
	for _, test := range []struct {
		name   string
		head   http.Header
		params url.Values
		status int
	}{
		{"basic", basic("quell", "s3cret"), nil, 200},
		{"basic, wrong", basic("quell", "x"), nil, 403},
		{"headers", own("quell", "s3cret"), nil, 200},
		{"headers, wrong", own("quell", ""), nil, 403},
		{"URL", nil, url.Values{"user": {"quell"}, "password": {"s3cret"}}, 200},
		{"URL, wrong", nil, url.Values{"user": {"quell"}, "password": {""}}, 403},
		{"none", nil, nil, 403},
		{"right in the URL, wrong in the headers", own("quell", "x"),
			url.Values{"user": {"quell"}, "password": {"s3cret"}}, 403},
	} {
		params := sql("SELECT 1")
		for k, v := range test.params {
			params[k] = v
		}
		status, text, head := srv.ask("POST", params, nil, test.head)
		if status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, status, test.status)
		}
		if code := head.Get("X-ClickHouse-Exception-Code"); status == 403 && (code != "516" ||
			!strings.HasPrefix(text, "Code: 516.")) {
			t.Errorf("%s: code %s, %s", test.name, code, text)
		}
	}
}

func TestTLS(t *testing.T) {
	serverTLS, clientTLS := certificate(t)
	srv := start(t, Options{User: "quell", Password: "s3cret", TLS: serverTLS})
	each(t, ways[:6], func(t *testing.T, w way) {
		o := srv.options(w)
		o.TLS = clientTLS
		c := srv.dial(o)
		must(t, c.Exec(t.Context(), "CREATE OR REPLACE TABLE secure (n UInt64) ENGINE = MergeTree"+
			" ORDER BY n"))
		b, err := c.PrepareBatch(t.Context(), "INSERT INTO secure")
		must(t, err)
		for i := range 100_000 {
			must(t, b.Append(uint64(i)))
		}
		must(t, b.Send())
		if n := count(t, c, "SELECT count() FROM secure"); n != 100_000 {
			t.Errorf("%d rows", n)
		}
		// The watch over a running statement must not break the stream of TLS records.
		for range 20 {
			must(t, c.Ping(t.Context()))
			count(t, c, "SELECT sum(n) FROM secure")
		}
		o = srv.options(w)
		o.TLS = clientTLS
		o.Auth.Password = "wrong"
		wantCode(t, srv.dial(o).Ping(t.Context()), 516)

		plain := srv.options(w)
		plain.DialTimeout = 2 * time.Second
		if err := srv.dial(plain).Ping(t.Context()); err == nil {
			t.Error("let in without TLS")
		}
		o = srv.options(w)
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		if err := srv.dial(o).Ping(t.Context()); err == nil {
			t.Error("the client accepted an unknown certificate")
		}
	})
	a, err := ReadAddress(srv.opts.DataDir)
	must(t, err)
	if !a.TLS || a.HTTP != srv.HTTPAddr() {
		t.Errorf("address %+v", a)
	}
	if status, text, _ := srv.ask("POST", url.Values{"query": {"SELECT 1"}, "user": {"quell"},
		"password": {"s3cret"}}, nil, nil); status != 200 || text != "1\n" {
		t.Errorf("plain HTTPS: %d %q", status, text)
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		reason  string // "" if they are fine
	}{
		{"nothing", Options{}, "no data directory"},
		{"defaults", Options{DataDir: "x"}, ""},
		{"everybody without credentials",
			Options{DataDir: "x", HTTPAddr: "0.0.0.0:8123"}, "other machines"},
		{"no host", Options{DataDir: "x", TCPAddr: ":9000"}, "other machines"},
		{"a name", Options{DataDir: "x", TCPAddr: "example.org:9000"}, "other machines"},
		{"localhost", Options{DataDir: "x", TCPAddr: "localhost:9000", HTTPAddr: "[::1]:8123"}, ""},
		{"everybody with credentials",
			Options{DataDir: "x", HTTPAddr: ":8123", User: "u", Password: "p"}, ""},
		{"everybody with an empty password",
			Options{DataDir: "x", HTTPAddr: ":8123", User: "u"}, "other machines"},
		{"a password without a user", Options{DataDir: "x", Password: "p"}, "without a user"},
	} {
		_, err := New(test.options)
		if test.reason == "" && err != nil || test.reason != "" && (err == nil ||
			!strings.Contains(err.Error(), test.reason)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.reason)
		}
	}
}
