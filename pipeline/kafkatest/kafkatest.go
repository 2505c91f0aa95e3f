// Package kafkatest runs a real Apache Kafka for a test: one broker that is its own controller
// (KRaft), on free ports of the loopback, with its data in the test's temporary directory.
//
//	broker := kafkatest.Start(t, kafkatest.Options{})
//	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
//
// It is for tests only. The broker is a Java process from the jars of deploy/kafka/pom.xml, which
// `make setup` puts into .cache/kafka/libs: missing jars fail the test, they never skip it. With
// -short the test is skipped, because a broker takes five seconds and half a gigabyte. By the
// convention of this repository the tests that use it are named TestReal..., so that `make test`
// runs them one package at a time and without the race detector.
//
// Every listener that the options ask for is open at the same time, so that one broker can show
// plaintext, SCRAM and TLS side by side. [Broker.Kill] and [Broker.Restart] are for tests of what a
// crash leaves: the ports and the data stay the same. The process dies with the test, also when that
// is killed. Its log goes to the test's artifact directory, and its end into the output of a test
// that failed.
package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Mechanisms that a User can have.
const (
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Options add listeners and settings to the plaintext broker of the zero value.
type Options struct {
	// User, if set, opens a SASL listener for this user: see Broker.SASLAddr.
	User *User

	// TLS opens a TLS listener with a certificate for localhost and 127.0.0.1, from an authority
	// made for this broker: see Broker.TLSAddr and Broker.TLSConfig. With a User too, there is
	// also a listener that wants both: see Broker.SASLTLSAddr.
	TLS bool

	// Properties are more lines of server.properties, by key; they win over the usual ones.
	Properties map[string]string
}

// User is a SCRAM user that exists from the broker's first start.
type User struct {
	Name      string
	Password  string
	Mechanism string // ScramSHA256 (the default) or ScramSHA512
}

// Start runs a broker until the test and its subtests are done, and returns when it answers. It
// fails the test if the broker does not start; the message says why.
func Start(tb testing.TB, opts Options) *Broker {
	tb.Helper()
	if testing.Short() {
		tb.Skip("a real Kafka is not started with -short")
	}
	root, err := repositoryRoot()
	if err != nil {
		tb.Fatal(err)
	}
	libs := filepath.Join(root, ".cache", "kafka", "libs")
	if _, err := os.Stat(filepath.Join(libs, ".complete")); err != nil {
		tb.Fatalf("no Kafka in %s: run make setup", libs)
	}
	if opts.User != nil && opts.User.Mechanism == "" {
		user := *opts.User
		user.Mechanism = ScramSHA256
		opts.User = &user
	}
	b := &Broker{
		tb: tb, opts: opts,
		template: filepath.Join(root, "deploy", "kafka", "server.properties.tmpl"),
		classes:  filepath.Join(libs, "*"),
		logPath:  filepath.Join(tb.ArtifactDir(), "kafka.log"),
	}
	tb.Cleanup(b.close)
	if opts.TLS {
		if b.authority, err = newAuthority(); err != nil {
			tb.Fatalf("Kafka: make certificates: %v", err)
		}
	}
	b.startAnew()
	return b
}

// Addr is the plaintext listener, host:port.
func (b *Broker) Addr() string { return b.ports["PLAINTEXT"] }

// SASLAddr is the listener for the User without TLS, host:port; empty without one.
func (b *Broker) SASLAddr() string { return b.ports["SASL_PLAINTEXT"] }

// TLSAddr is the listener with TLS and no user, host:port; empty without Options.TLS.
func (b *Broker) TLSAddr() string { return b.ports["SSL"] }

// SASLTLSAddr is the listener with TLS and the User, host:port; empty unless both were asked for.
func (b *Broker) SASLTLSAddr() string { return b.ports["SASL_SSL"] }

// Log is everything that the broker has logged so far, its earlier lives included.
func (b *Broker) Log() string {
	log, err := os.ReadFile(b.logPath)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(log)
}

// tail is the end of the log, without the hundreds of settings that Kafka prints first.
func (b *Broker) tail() string {
	const lines = 60
	all := strings.Split(strings.TrimRight(b.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// repositoryRoot is the nearest directory above that has a go.mod.
func repositoryRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s: run the test inside the repository", start)
		}
	}
}
