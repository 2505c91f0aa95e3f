// Package connect gives a command its Kafka: configured brokers, or the embedded one, found or
// started, and in either case one that has answered.
//
// A broker that does not answer is asked again, with a growing pause, until a limit of time; each
// failure is told once it is known, so that nobody stares at a silent terminal. What will not get
// better by waiting (wrong credentials, a certificate that is not trusted) fails at once.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/servers"
	"quell/pipeline"
)

// tryFor bounds one attempt.
const tryFor = 5 * time.Second

// Brokers is a Kafka that a command may use until Close.
type Brokers struct {
	pipeline.Kafka
	Embedded bool
	Owned    bool // an embedded one that Open started: it ends with Close
	servers  *servers.Set
}

// Options of Open.
type Options struct {
	Wait   time.Duration // how long brokers may take to answer
	Logger *slog.Logger  // of an embedded broker
	// Note tells a person why it takes longer.
	Note func(text string)
}

// Open finds or starts the configuration's brokers and waits until one answers.
func Open(ctx context.Context, c *config.Config, o Options) (*Brokers, error) {
	b := &Brokers{Embedded: c.Kafka.Embedded()}
	addr := ""
	if b.Embedded {
		set, err := servers.Start(ctx, servers.Want{Kafka: true, DataDir: c.Data, Logger: o.Logger})
		if err != nil {
			return nil, err
		}
		b.servers, b.Owned, addr = set, set.OwnsKafka, set.Kafka
	}
	var err error
	if b.Kafka, err = app.Kafka(c, addr); err == nil {
		err = b.wait(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close stops an embedded broker that Open started, and waits until its log is on disk.
func (b *Brokers) Close() error {
	if b.servers == nil {
		return nil
	}
	return b.servers.Stop()
}

// wait returns when a broker has answered, or why none did.
func (b *Brokers) wait(ctx context.Context, o Options) error {
	cl, err := app.Client(b.Kafka)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer cl.Close()
	limit, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	for n := 0; ; n++ {
		err := ping(limit, cl)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case hopeless(err):
			return fmt.Errorf("kafka at %s refuses us: %w", strings.Join(b.Kafka.Brokers, ","), err)
		case limit.Err() != nil:
			return b.gaveUp(err, o.Wait)
		}
		pause := min(100*time.Millisecond<<min(n, 6), 5*time.Second)
		o.Note(fmt.Sprintf("kafka at %s does not answer (%v); trying again in %v",
			strings.Join(b.Kafka.Brokers, ","), err, pause))
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-limit.Done():
			t.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return b.gaveUp(err, o.Wait)
		}
	}
}

func ping(ctx context.Context, cl *kgo.Client) error {
	try, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	return cl.Ping(try)
}

func (b *Brokers) gaveUp(err error, wait time.Duration) error {
	return fmt.Errorf("kafka at %s did not answer within %v: %w; is it running, and is kafka.brokers"+
		" (or --kafka) right?", strings.Join(b.Kafka.Brokers, ","), wait, err)
}

// hopeless tells the errors that another attempt will not mend.
func hopeless(err error) bool {
	var (
		authority x509.UnknownAuthorityError // nobody we trust signed its certificate
		name      x509.HostnameError         // it is somebody else's certificate
		invalid   x509.CertificateInvalidError
		plain     tls.RecordHeaderError // it does not speak TLS
		verified  *tls.CertificateVerificationError
	)
	return errors.Is(err, kerr.SaslAuthenticationFailed) || // user or password is wrong
		errors.Is(err, kerr.UnsupportedSaslMechanism) ||
		errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid) ||
		errors.As(err, &plain) || errors.As(err, &verified)
}
