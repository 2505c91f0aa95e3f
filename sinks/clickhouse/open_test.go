package clickhouse_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
	"quell/sinks/clickhouse"
)

func TestPasswordNeverPrints(t *testing.T) {
	o := clickhouse.Options{Address: "http://h", Password: "hunter2"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "password", o.Password, "options", o)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", o.Password, "options", o)
	j, err := json.Marshal(struct{ Password clickhouse.Password }{o.Password})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{log.String(), string(j), fmt.Sprint(o),
		fmt.Sprintf("%v %+v %#v", o, o, o),
		fmt.Sprintf("%s %q %x %d", o.Password, o.Password, o.Password, o.Password)} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("the password is in %s", text)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct{ name, address, want string }{
		{"HTTP's port", "http://h", "ClickHouse at h:8123, database quell"},
		{"TLS and HTTP", "https://h/db", "ClickHouse at h:8443, database db"},
		{"native", "clickhouse://u:p@h:1/db", "ClickHouse at h:1, database db"},
		{"native and TLS", "clickhouses://[::1]", "ClickHouse at [::1]:9440, database quell"},
		{"no scheme", "h:9000", ""},
		{"another scheme", "ftp://u:hunter2@h", ""},
		{"not a URL", "http://u:hunter2@h:%zz", ""},
		{"nothing", "", ""},
		{"an injected database", "http://h/x;drop", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := clickhouse.Open(clickhouse.Options{Address: test.address})
			if err != nil {
				if test.want != "" || strings.Contains(err.Error(), "hunter2") {
					t.Fatal(err)
				}
				return
			}
			defer c.Close()
			if c.String() != test.want {
				t.Errorf("got %q, want %q", c, test.want)
			}
		})
	}
}

// TestCredentialsInTheAddress: an address alone is enough, and tells nobody its password.
func TestCredentialsInTheAddress(t *testing.T) {
	for _, way := range ways[:3:3] {
		u, err := url.Parse(way.address())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(testUser, string(testPassword))
		c := open(t, clickhouse.Options{Address: u.String()})
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
		u.User = url.UserPassword(testUser, "wrong-secret")
		c = open(t, clickhouse.Options{Address: u.String()})
		err = c.Ping(t.Context())
		if archive.FaultOf(err) != archive.FaultStop || strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("%s: %v (%v), want a stop without the password", way.name, err,
				archive.FaultOf(err))
		}
	}
}

// TestNobodyThere: a server that is away is waited for.
func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := ln.Addr().String()
	ln.Close()
	for _, scheme := range []string{"http://", "clickhouse://"} {
		c := open(t, clickhouse.Options{Address: scheme + gone})
		b := archive.Batch{Table: archive.TableEvents, Token: "t",
			Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 1)}}
		for name, err := range map[string]error{"ping": c.Ping(t.Context()),
			"insert": c.Insert(t.Context(), b), "migrate": c.Migrate(t.Context())} {
			if archive.FaultOf(err) != archive.FaultRetry || !strings.Contains(err.Error(), gone) {
				t.Errorf("%s%s: %v (%v), want a retry that names the address", scheme, name, err,
					archive.FaultOf(err))
			}
		}
	}
}

// TestServerGoesAway: a client whose connections end is told to try again.
func TestServerGoesAway(t *testing.T) {
	var clients []*clickhouse.Client
	for _, way := range ways[:3] {
		o := options()
		o.Address = way.address()
		clients = append(clients, migrated(t, o))
	}
	if err := engine.stop(); err != nil {
		t.Fatal(err)
	}
	b := archive.Batch{Table: archive.TableEvents, Token: "t",
		Sections: []archive.Section{archivetest.Events(archivetest.Origin("raw", 0), 0, 1)}}
	for _, c := range clients {
		for range 2 { // on an old connection, and on a new one
			if err := c.Insert(t.Context(), b); archive.FaultOf(err) != archive.FaultRetry {
				t.Errorf("%v (%v), want a retry", err, archive.FaultOf(err))
			}
		}
	}
	var err error
	if engine, err = start(dataDir, nil); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	certificate, pool := selfSigned(t)
	if err := engine.stop(); err != nil {
		t.Fatal(err)
	}
	secure, err := start(t.TempDir(), &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := secure.stop(); err != nil {
			t.Error(err)
		}
		if engine, err = start(dataDir, nil); err != nil {
			t.Fatal(err)
		}
	}()
	for _, address := range []string{"https://" + secure.HTTPAddr(),
		"clickhouses://" + secure.TCPAddr()} {
		o := clickhouse.Options{Address: address, User: testUser, Password: testPassword,
			TLS: &tls.Config{RootCAs: pool, ServerName: "localhost"}}
		c := migrated(t, o)
		b := archive.Batch{Table: archive.TableEvents, Token: address,
			Sections: []archive.Section{archivetest.Events(archivetest.Origin(address, 0), 0, 3)}}
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if n := len(offsetsOf(c)(t, archive.TableEvents, address, 0)); n != 3 {
			t.Errorf("%s: %d rows, want 3", address, n)
		}
		o.TLS = nil // the system's roots do not know the certificate
		if err := open(t, o).Ping(t.Context()); archive.FaultOf(err) != archive.FaultStop {
			t.Errorf("%s, unknown authority: %v (%v), want a stop", address, err, archive.FaultOf(err))
		}
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
