package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"quell/pipeline/kafkatest"
)

// certificate makes a self-signed one for 127.0.0.1 and returns its files and who trusts it.
func certificate(t *testing.T) (cert, key string, trust *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, b := range map[string][]byte{cert: text,
		key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM(text)
	return cert, key, trust
}

// The secrets that no process may say.
const (
	kafkaSecret      = "k4fka-Pa55word"
	clickhouseSecret = "cl1ckh0use-Pa55word"
	routingSecret    = "r0ut1ng-k3y"
	dedupSecret      = "5ec2e7dedbeef5ec2e7dedbeef5ec2e7"
)

// TestRealSecured: SCRAM and TLS to Kafka, credentials and TLS to ClickHouse, over either of its
// protocols; all secrets come from the environment, and none of them is ever said.
func TestRealSecured(t *testing.T) {
	broker := kafkatest.Start(t, kafkatest.Options{TLS: true,
		User: &kafkatest.User{Name: "quell", Password: kafkaSecret, Mechanism: kafkatest.ScramSHA512}})
	cert, key, trust := certificate(t)
	env := []string{"KAFKA_PASSWORD=" + kafkaSecret, "CLICKHOUSE_PASSWORD=" + clickhouseSecret,
		"ROUTING_KEY=" + routingSecret, "DEDUP_KEY=" + dedupSecret}
	ch := startClickHouse(t, env, "--user", "ada", "--password-env", "CLICKHOUSE_PASSWORD",
		"--tls-cert", cert, "--tls-key", key)
	c := dial(t, broker.SASLTLSAddr(), kgo.DialTLSConfig(broker.TLSConfig()),
		kgo.SASL(scram.Auth{User: "quell", Pass: kafkaSecret}.AsSha512Mechanism()))
	listen := freeAddr(t)
	s := settings{kafka: broker.SASLTLSAddr(), listen: listen,
		kafkaMore: "  tls: {enabled: true, ca: " + broker.CAFile() + "}\n" +
			"  sasl: {mechanism: scram-sha-512, user: quell, password: '${KAFKA_PASSWORD}'}",
		clickhouseMore: "  user: ada\n  password: ${CLICKHOUSE_PASSWORD}\n  tls: {enabled: true, ca: " + cert + "}",
		more:           "routes: [{name: default, format: pagerduty, routing_key: '${ROUTING_KEY}'}]"}
	var said strings.Builder
	for i, address := range []string{"https://" + ch.http, "clickhouse://" + ch.tcp} {
		s.clickhouse = address
		config := strings.ReplaceAll(readFile(t, s.file(t)), "dedup: {", "dedup: {key: '${DEDUP_KEY}', ")
		config = strings.ReplaceAll(config, "log: {", "log: {level: debug, ")
		said.WriteString(securedRound(t, c, write(t, "quell.yaml", config), listen, env, i))
	}
	said.WriteString(ch.stdout.String() + ch.stderr.String())
	secretsKept(t, said.String())
	t.Run("native protocol", func(t *testing.T) { askSecured(t, ch, trust) })
	t.Run("wrong passwords", func(t *testing.T) { wrongPasswords(t, s, env) })
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// securedRound runs every command once and returns everything that was said.
func securedRound(t *testing.T, c *cluster, config, listen string, env []string, round int) string {
	t.Helper()
	out, errs := quellWith(t, env, exitOK, "topics", "create", "--config", config)
	said := out + errs
	run := startService(t, config, listen, env...)
	service := fmt.Sprint("shop-", round)
	file := write(t, "events.jsonl", event("a", service, "host-1", "critical", "firing")+"\nnonsense\n")
	out, errs = quellWith(t, env, exitOK, "produce", "--config", config, file)
	said += out + errs
	run.waitFor("a page is there", func() bool { return len(c.records("quell.pages")) > round })
	_, errs = quellWith(t, env, exitOK, "tap", "quell.alerts", "--config", config, "--from", "start", "--count", "1")
	said += errs
	run.waitFor("the event is archived", func() bool {
		out, errs = quellWith(t, env, exitOK, "sql", "--config", config, "--json",
			"SELECT (SELECT count() FROM events) AS events, (SELECT count() FROM rejected) AS rejected")
		said += out + errs
		return strings.Contains(out, fmt.Sprintf(`{"events":%d,"rejected":%[1]d}`, round+1))
	})
	run.terminate(stopWithin)
	return said + run.stdout.String() + run.stderr.String()
}

func secretsKept(t *testing.T, said string) {
	t.Helper()
	for _, secret := range []string{kafkaSecret, clickhouseSecret, routingSecret, dedupSecret} {
		if i := strings.Index(said, secret); i >= 0 {
			t.Errorf("a secret was said: %q", said[max(0, i-200):min(len(said), i+100)])
		}
	}
	if len(said) < 1000 {
		t.Errorf("only this was said: %q", said)
	}
}

// askSecured: the unmodified client, and what is refused.
func askSecured(t *testing.T, ch *archiveServer, trust *x509.CertPool) {
	ask := func(password string, config *tls.Config) (n uint64, err error) {
		conn, err := driver.Open(&driver.Options{Addr: []string{ch.tcp}, TLS: config, DialTimeout: 5 * time.Second,
			Auth: driver.Auth{Database: "quell", Username: "ada", Password: password}})
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close() }()
		err = conn.QueryRow(t.Context(), "SELECT count() FROM events").Scan(&n)
		return n, err
	}
	if n, err := ask(clickhouseSecret, &tls.Config{RootCAs: trust}); n != 2 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
	if _, err := ask("guess", &tls.Config{RootCAs: trust}); err == nil {
		t.Error("a wrong password is let in")
	}
	if _, err := ask(clickhouseSecret, nil); err == nil {
		t.Error("a client without TLS is let in")
	}
}

// wrongPasswords are told at once, with what refused them, and without the password.
func wrongPasswords(t *testing.T, s settings, env []string) {
	config := s.file(t)
	for name, c := range map[string]struct {
		env, says string
		args      []string
	}{
		"kafka":      {"KAFKA_PASSWORD=gue55ed-Pa55word", "SASL", []string{"topics", "create"}},
		"clickhouse": {"CLICKHOUSE_PASSWORD=gue55ed-Pa55word", "ada", []string{"sql", "SELECT 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			out, errs := quellWith(t, append(env[:len(env):len(env)], c.env), exitFailure,
				append(c.args, "--config", config)...)
			if said := out + errs; !strings.Contains(said, c.says) || strings.Contains(said, "Pa55word") {
				t.Errorf("it says %q", said)
			}
			if d := time.Since(began); d > 15*time.Second {
				t.Errorf("it took %v to refuse", d)
			}
		})
	}
}
