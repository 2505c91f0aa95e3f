package embedded_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"quell/pipeline/embedded"
)

// selfSigned is a certificate for localhost and the pool that trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestOnlyTheUserIsLetInAndOnlyOverTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	trust := kgo.DialTLSConfig(&tls.Config{RootCAs: pool})
	for _, tt := range []struct {
		mechanism string
		auth      func(user, password string) sasl.Mechanism
	}{
		{embedded.Plain, func(u, p string) sasl.Mechanism {
			return plain.Auth{User: u, Pass: p}.AsMechanism()
		}},
		{embedded.ScramSHA256, func(u, p string) sasl.Mechanism {
			return scram.Auth{User: u, Pass: p}.AsSha256Mechanism()
		}},
		{embedded.ScramSHA512, func(u, p string) sasl.Mechanism {
			return scram.Auth{User: u, Pass: p}.AsSha512Mechanism()
		}},
	} {
		t.Run(tt.mechanism, func(t *testing.T) {
			user := embedded.Credentials{Mechanism: tt.mechanism, User: "quell", Password: "right"}
			b, _ := start(t, embedded.Options{
				Addr: "localhost:0", SASL: &user,
				TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
			})
			admin := client(t, b.Addr(), trust, kgo.SASL(tt.auth("quell", "right")))
			create(t, admin, "t", 1)
			produce(t, admin, &kgo.Record{Topic: "t", Value: []byte("hello")})
			got := consume(t, b.Addr(), "t", 1, trust, kgo.SASL(tt.auth("quell", "right")))
			if values(got) != "hello" {
				t.Errorf("consumed %q", values(got))
			}
			for name, opts := range map[string][]kgo.Opt{
				"wrong password": {trust, kgo.SASL(tt.auth("quell", "wrong"))},
				"no credentials": {trust},
				"no TLS":         {kgo.SASL(tt.auth("quell", "right"))},
				"no trust":       {kgo.DialTLS(), kgo.SASL(tt.auth("quell", "right"))},
			} {
				opts = append(opts, kgo.RetryTimeout(time.Second), kgo.RequestRetries(0))
				cl := client(t, b.Addr(), opts...)
				if err := cl.Ping(within(t)); err == nil {
					t.Errorf("%s: let in", name)
				}
			}
		})
	}
}

// The password of today counts, not that of the last run.
func TestANewPasswordReplacesTheStoredOne(t *testing.T) {
	dir := t.TempDir()
	with := func(password string) embedded.Options {
		user := embedded.Credentials{User: "quell", Password: password}
		return embedded.Options{DataDir: dir, SASL: &user}
	}
	auth := func(password string) kgo.Opt {
		return kgo.SASL(scram.Auth{User: "quell", Pass: password}.AsSha256Mechanism())
	}
	_, stop := start(t, with("old"))
	stop()
	b, _ := start(t, with("new"))
	if err := client(t, b.Addr(), auth("new")).Ping(within(t)); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := client(t, b.Addr(), auth("old"), kgo.RequestRetries(0)).Ping(within(t)); err == nil {
		t.Error("the old password is still good")
	}
}

func TestAVirtualNetworkCarriesTheBroker(t *testing.T) {
	var network kfake.VirtualNetwork
	b, _ := start(t, embedded.Options{Listen: network.Listen})
	dial := kgo.Dialer(network.DialContext)
	cl := client(t, b.Addr(), dial)
	create(t, cl, "t", 1, "message.timestamp.type=LogAppendTime")
	produce(t, cl, &kgo.Record{Topic: "t", Value: []byte("over no wire"), Timestamp: yearsAgo})
	got := consume(t, b.Addr(), "t", 1, dial)
	if values(got) != "over no wire" || got[0].Timestamp.Equal(yearsAgo) {
		t.Errorf("consumed %q of %s", values(got), got[0].Timestamp)
	}
}
