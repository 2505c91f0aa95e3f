package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/kafkatest"
)

// stage is what rounds share: a Kafka, a ClickHouse, and the built binary. What a round does to the
// servers it mends before it ends.
type stage struct {
	o      Options
	broker *kafkatest.Broker
	store  *clickHouse
	cl     *kgo.Client // for questions; it survives the broker's restarts
	adm    *kadm.Client
}

// brokerSession is how long the broker may be silent before the controller, which it is itself, takes
// it for dead. It is longer than any pause of ours: a Kafka that has a single broker, and declares it
// dead while a transaction ends, skips that transaction's markers on partitions that have no leader
// ("these partitions are likely deleted already and hence can be skipped"), and read_committed
// readers wait behind it for ever. With replicas another broker leads then.
const brokerSession = 5 * time.Second

// Binary says what is put to the test.
type Binary struct {
	Quell   string // path of the program
	Library string // path of the ClickHouse engine
}

// newStage starts the servers; kafkatest ends the program by tb if it cannot.
func newStage(ctx context.Context, tb testing.TB, o Options) (*stage, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	s := &stage{o: o, broker: kafkatest.Start(tb, kafkatest.Options{Properties: map[string]string{
		"broker.session.timeout.ms": strconv.FormatInt(brokerSession.Milliseconds(), 10)}})}
	var err error
	if s.store, err = newClickHouse(ctx, o, "clickhouse"); err != nil {
		return nil, err
	}
	s.cl, err = kgo.NewClient(kgo.SeedBrokers(s.broker.Addr()), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.adm = kadm.NewClient(s.cl)
	return s, nil
}

func (s *stage) close() error {
	if s.cl != nil {
		s.cl.Close()
	}
	s.store.server.kill()
	return os.RemoveAll(s.store.data)
}

// quell returns a process of the binary that is not started yet.
func (o *Options) quell(dir, name string, args ...string) *process {
	return &process{name: name, binary: o.Binary.Quell, library: o.Binary.Library, args: args,
		logPath: filepath.Join(dir, name+".log")}
}

// clickHouse is the engine as a process of its own, at an address that stays.
type clickHouse struct {
	server *process
	addr   string // host:port of HTTP
	data   string
}

func newClickHouse(ctx context.Context, o Options, name string) (*clickHouse, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	tcp, err := freeAddr()
	if err != nil {
		return nil, err
	}
	c := &clickHouse{addr: addr, data: filepath.Join(o.Dir, name+"-data")}
	c.server = o.quell(o.Dir, name, "dev", "clickhouse", "--listen", addr, "--listen-tcp", tcp,
		"--data", c.data)
	return c, c.start(ctx)
}

// start starts the server and returns when it answers.
func (c *clickHouse) start(ctx context.Context) error {
	if err := c.server.start(); err != nil {
		return err
	}
	return until(ctx, time.Minute, "ClickHouse answers", func() (bool, error) {
		if !c.server.alive() {
			return false, c.server.ended()
		}
		_, err := c.query(ctx, "SELECT 1")
		return err == nil, err
	})
}

// query returns the rows of a statement, as ClickHouse writes them separated by tabs.
func (c *clickHouse) query(ctx context.Context, statement string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+"/",
		strings.NewReader(statement+" FORMAT TabSeparated"))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ClickHouse: %s: %.300s", resp.Status, body)
	}
	var rows [][]string
	for line := range strings.Lines(string(body)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows, nil
}

// number returns the one number that a statement answers with.
func (c *clickHouse) number(ctx context.Context, statement string) (int64, error) {
	rows, err := c.query(ctx, statement)
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("%s: not one number but %d rows", statement, len(rows))
	}
	return strconv.ParseInt(rows[0][0], 10, 64)
}

// drop removes a database; what it held was checked.
func (c *clickHouse) drop(ctx context.Context, database string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.addr+"/",
		strings.NewReader("DROP DATABASE IF EXISTS "+database+" SYNC"))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
