package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/app"
	"quell/pipeline"
	"quell/sinks/clickhouse"
)

// stage is where a run happens: the servers, each in a process of its own, and what belongs to the
// run there.
type stage struct {
	o      *Options
	dir    string
	prefix string // of everything that the run creates

	children  []*child
	kafka     string // host:port
	version   string // of Kafka, or "embedded"
	brokerPID int    // 0: nobody here knows
	engine    *child
	engineURL string

	cl     *kgo.Client
	adm    *kadm.Client
	topics []string // created
	groups []string
}

func openStage(ctx context.Context, o *Options) (_ *stage, err error) {
	s := &stage{o: o}
	var id [4]byte
	_, _ = rand.Read(id[:])
	s.prefix = "bench-" + hex.EncodeToString(id[:])
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "quell-bench-"); err != nil {
		return nil, err
	}
	if o.Profiles != "" {
		if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
			return nil, fmt.Errorf("--profiles: %w", err)
		}
	}
	if err := s.startBroker(ctx); err != nil {
		return nil, err
	}
	var url answer
	s.engine, url, err = s.server(ctx, Part{Do: "engine", Data: filepath.Join(s.dir, "engine")})
	if err != nil {
		return nil, err
	}
	s.engineURL = url.Addr
	s.cl, err = kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	s.adm = kadm.NewClient(s.cl)
	return s, s.askVersion(ctx)
}

// server starts a part that serves until the stage is closed, and waits for its address.
func (s *stage) server(ctx context.Context, p Part) (*child, answer, error) {
	c, err := begin(context.WithoutCancel(ctx), p) // whatever happens, it outlives its clients
	if err != nil {
		return nil, answer{}, err
	}
	s.children = append(s.children, c)
	a, err := c.next(ctx)
	return c, a, err
}

func (s *stage) startBroker(ctx context.Context) error {
	switch s.o.Kafka {
	case "":
		c, a, err := s.server(ctx, Part{Do: "broker"})
		if err != nil {
			return err
		}
		s.kafka, s.brokerPID, s.version = a.Addr, c.pid(), "embedded"
		return nil
	case Start:
		s.o.Note("starting Apache Kafka")
		_, a, err := s.server(ctx, Part{Do: "kafka", Data: filepath.Join(s.dir, "kafka")})
		if err != nil {
			return err
		}
		s.kafka = a.Addr
	default:
		s.kafka = s.o.Kafka
	}
	s.brokerPID = listener(s.kafka)
	return nil
}

// askVersion asks the brokers who they are.
func (s *stage) askVersion(ctx context.Context) error {
	if s.version != "" {
		return nil
	}
	versions, err := s.adm.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("kafka at %s: %w", s.kafka, err)
	}
	for _, v := range versions.Sorted() {
		if v.Err != nil {
			return fmt.Errorf("kafka at %s: %w", s.kafka, v.Err)
		}
		s.version = strings.TrimPrefix(v.VersionGuess(), "v")
	}
	return nil
}

// create makes the topics of a setting.
func (s *stage) create(ctx context.Context, set setting) error {
	cfg, err := parse(set.yaml(), s.kafka, s.engineURL)
	if err != nil {
		return err
	}
	o, err := app.Pipeline(cfg, s.kafka)
	if err != nil {
		return err
	}
	specs := o.Topics.Specs(o.Clock)
	for _, t := range specs {
		s.topics = append(s.topics, t.Name)
	}
	for _, role := range []string{"-intake", "-correlate", "-archive"} {
		s.groups = append(s.groups, set.prefix+role)
	}
	// A broker that has had no processor for a second is fenced by its controller until its next
	// heartbeat, and places nothing meanwhile. On a busy machine that happens.
	began := time.Now()
	return until(ctx, func() (bool, error) {
		_, err := pipeline.CreateTopics(ctx, s.adm, specs, 1)
		if errors.Is(err, kerr.InvalidReplicationFactor) && time.Since(began) < stopWithin {
			return false, nil
		}
		return true, err
	})
}

// database opens a setting's database.
func (s *stage) database(set setting) (*clickhouse.Client, error) {
	cfg, err := parse(set.yaml(), s.kafka, s.engineURL)
	if err != nil {
		return nil, err
	}
	return app.ClickHouse(cfg, s.engineURL)
}

// close ends the servers, and takes back what the run created on brokers that are not its own.
func (s *stage) close() error {
	var errs []error
	if s.adm != nil && s.o.Kafka != "" && s.o.Kafka != Start && len(s.topics) > 0 {
		_, err := s.adm.DeleteTopics(context.Background(), s.topics...)
		_, err2 := s.adm.DeleteGroups(context.Background(), s.groups...)
		errs = append(errs, err, err2)
	}
	if s.cl != nil {
		s.cl.Close()
	}
	for _, c := range s.children {
		errs = append(errs, c.stop())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
