// Package embedded is a Kafka broker inside the process, for trying quell out and for tests. It is
// not for production: one goroutine does all the work, nothing is replicated, and a power cut can
// take what the operating system had not yet written.
//
// It is franz-go's kfake behind a small surface: [New] checks the options, [Broker.Run] serves until
// its context ends, [Broker.Ready] says when, [Broker.Addr] says where. What listens is the real
// protocol on a real port, so that quell's own clients, kcat and librdkafka talk to it as to any
// broker: idempotent and transactional producers, read_committed consumers, classic and KIP-848
// groups, SASL and TLS. Topics are never created by asking for them; create them first.
//
// # State
//
// With Options.DataDir the log, the topics, the groups' offsets and the producers' state live in
// <DataDir>/kafka and are there again after a restart. Two small files lie beside it:
//
//   - kafka.lock is locked for as long as a broker runs on the directory, by the kernel, so that a
//     killed process holds nothing. A second broker on the directory is refused.
//   - kafka.json holds the address, the process and its start, so that other processes find the
//     broker: see [ReadAddress].
//
// Without a DataDir everything is in memory and gone when Run returns.
//
// # What it does not do
//
// After kill -9 everything that the operating system had been given is there again, and what was open
// is aborted (see recover.go). What does not outlive a kill are the sequence numbers of idempotent
// producers: a producer that lives on and repeats a batch may double it.
//
// kfake honours fewer settings than Kafka does, and this package repairs what quell depends on:
//
//   - message.timestamp.type=LogAppendTime is ignored by kfake. Here the records of such topics are
//     stamped on their way in (see appendtime.go), so that time comes from the log as it does with a
//     real broker. Records still call themselves CreateTime when asked for their type.
//   - Compaction in kfake knows neither min.compaction.lag.ms nor open transactions. Here it is off
//     while the broker serves and runs once at start, when there is nobody to disturb.
//   - Retention is applied every five minutes, and only where a topic sets retention.ms or
//     retention.bytes; there is no default of seven days. It looks for the last batch that is too
//     old, not for the first that is young enough: in a topic with CreateTime and a finite
//     retention.ms, one record with an old stamp takes all records before it along. Give such
//     topics retention.ms=-1.
//
// Two of its faults stay. A read_committed fetch that is cut off by the request's MaxBytes (not by a
// partition's) shows records of aborted transactions: let FetchMaxBytes be larger than what the
// partitions of a fetch may bring. And a member of a group that dies in the middle of joining may keep
// its partitions from everybody else until the broker is started again.
//
// Settings that it does not know are accepted and have no effect. Those that have one:
// cleanup.policy, retention.ms, retention.bytes, delete.retention.ms, max.message.bytes (default
// 1,048,588 bytes a batch), segment.bytes and message.timestamp.type.
package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options say where the broker keeps its data and whom it lets in. The zero value is a broker in
// memory on a free port of 127.0.0.1, open to this machine.
type Options struct {
	// DataDir is the directory that holds the broker's data and address file; it is created if it
	// is missing. Empty: in memory.
	DataDir string

	// Addr is the host and port to listen on and to name to clients; port 0 takes a free one.
	// Empty: 127.0.0.1:0. A host that is not of the loopback needs SASL.
	Addr string

	// SASL, if set, is the one user that is let in.
	SASL *Credentials

	// TLS, if set, is the server's side of every connection.
	TLS *tls.Config

	// Logger receives what the broker has to say. Nil: nothing is logged.
	Logger *slog.Logger

	// Listen replaces net.Listen, so that a test in virtual time can pass the Listen method of
	// kfake's VirtualNetwork and hand its DialContext to the clients.
	Listen func(network, address string) (net.Listener, error)

	// Cluster, if set, is called with kfake's cluster before anybody is let in, so that a test can
	// inject faults. The cluster is the broker's: it must not be closed.
	Cluster func(*kfake.Cluster)
}

// Mechanisms of Credentials, named as Kafka names them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Credentials are a user who may do everything.
type Credentials struct {
	Mechanism string // Plain, ScramSHA256 (the default) or ScramSHA512
	User      string
	Password  string
}

const defaultAddr = "127.0.0.1:0"

// New checks the options and returns a broker that does nothing until Run. The errors of all
// options are joined.
func New(opts Options) (*Broker, error) {
	if opts.Addr == "" {
		opts.Addr = defaultAddr
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Listen == nil {
		opts.Listen = net.Listen
	}
	if opts.SASL != nil {
		withDefault := *opts.SASL
		if withDefault.Mechanism == "" {
			withDefault.Mechanism = ScramSHA256
		}
		opts.SASL = &withDefault
	}
	if err := errors.Join(opts.checkAddr(), opts.checkSASL()); err != nil {
		return nil, err
	}
	if opts.DataDir != "" {
		abs, err := filepath.Abs(opts.DataDir)
		if err != nil {
			return nil, fmt.Errorf("embedded broker: data directory %q: %w", opts.DataDir, err)
		}
		opts.DataDir = abs
	}
	return &Broker{
		opts:           opts,
		ready:          make(chan struct{}),
		retentionEvery: retentionEvery,
	}, nil
}

// checkAddr refuses an address that would let strangers in, or that no client could be told.
func (o *Options) checkAddr() error {
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return fmt.Errorf("embedded broker: address %q: %w; write host:port, for example %s",
			o.Addr, err, defaultAddr)
	}
	ip := net.ParseIP(host)
	if host == "" || ip.IsUnspecified() {
		return fmt.Errorf("embedded broker: address %q names no host, but clients are told "+
			"where to connect: write the name or address that they reach this machine by", o.Addr)
	}
	loopback := host == "localhost" || ip.IsLoopback()
	if !loopback && o.SASL == nil {
		return fmt.Errorf("embedded broker: address %q is open to other machines and no "+
			"credentials are set: set a user and a password, or listen on 127.0.0.1", o.Addr)
	}
	return nil
}

func (o *Options) checkSASL() error {
	if o.SASL == nil {
		return nil
	}
	var errs []error
	switch o.SASL.Mechanism {
	case Plain, ScramSHA256, ScramSHA512:
	default:
		errs = append(errs, fmt.Errorf(
			"embedded broker: SASL mechanism %q is not known: use %s, %s or %s",
			o.SASL.Mechanism, Plain, ScramSHA256, ScramSHA512))
	}
	if o.SASL.User == "" || o.SASL.Password == "" {
		errs = append(errs, errors.New("embedded broker: SASL needs a user and a password"))
	}
	return errors.Join(errs...)
}
