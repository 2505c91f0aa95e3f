package pipeline

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
)

// Kafka says how to reach the brokers.
type Kafka struct {
	Brokers  []string
	ClientID string
	Group    string // begins the names of consumer groups and transactional ids
	TLS      *tls.Config
	SASL     sasl.Mechanism
	// Instance makes group membership static: a restart within the session timeout moves nothing.
	Instance string
	// SessionTimeout is how long a process may be silent before the groups give its partitions to
	// others; 0 is 6 s.
	SessionTimeout time.Duration
	// Replication of topics that quell creates; 0 means the broker's default.
	Replication int16
	// More options of every client, which come last: a test passes its own dialer. No configuration
	// reaches it.
	More []kgo.Opt
}

// Roles says which roles a process runs.
type Roles struct {
	Intake, Correlate, Archive bool
}

// RawTopic is one topic of raw events.
type RawTopic struct {
	Name       string
	Partitions int32 // when quell creates it
	Format     *decode.Format
	Retention  time.Duration // when quell creates it; < 0 means forever
}

// Topics names every topic that quell reads or writes.
type Topics struct {
	Raw []RawTopic

	Responses, Alerts, Incidents, Pages, Rejected, Archive, Dispositions string
	Checkpoints, Snapshots, Rules                                        string

	AlertsPartitions  int32 // also of incidents, pages, dispositions and snapshots
	ArchivePartitions int32
	Retention         time.Duration // of alerts, archive, dispositions, rejected and pages
}

// Intake is what verdicts depend on, beside the records.
type Intake struct {
	Identity dedup.IdentityConfig
	Dedup    dedup.Config
	// Visible are the labels that alerts carry: identity and pass_on labels, sorted.
	Visible []string
	MaxSkew correlate.Duration
	// Drop reports whether a drop rule matches; nil drops nothing.
	Drop func(*correlate.Event) bool
	// Epoch is the hash of everything above and the formats.
	Epoch           uint64
	RejectedPayload int // bytes of a rejected payload that are kept
	// BatchBytes bounds what a producer's batch may decompress to; 0 is 64 MiB. What is beyond stops
	// its raw partition, and says so, until the bound is raised: nothing is skipped.
	BatchBytes      int
	CheckpointEvery time.Duration
	Shards          int // direct consumers; 0 means one per processor
}

// RuleBody is a rule set that can be written to the rules topic and read back.
type RuleBody interface {
	correlate.RuleSet
	Canonical() []byte
}

// PageForm turns incidents and pages into the bytes that Kafka carries.
type PageForm interface {
	AppendIncident(dst []byte, in *correlate.Incident) ([]byte, error)
	AppendPage(dst []byte, p *correlate.Page) ([]byte, error)
}

// Correlate is what the engine depends on, beside the records.
type Correlate struct {
	Rules  RuleBody
	Parse  func(canonical []byte) (correlate.RuleSet, error)
	Limits correlate.Limits
	Form   PageForm
	// SnapshotEvery is how many records of an alerts partition may follow its newest snapshot.
	SnapshotEvery int64
	// CommitEvery is the shortest time between two transactions under load; when idle a
	// transaction starts at once.
	CommitEvery time.Duration
	MemoBytes   int64 // of the label set memo
}

// Archive is where blocks go, and how large they grow first.
type Archive struct {
	To    archive.Archive
	Rows  int           // that make an insert at once
	Every time.Duration // after which fewer make one; a storm's after five times that
}

// Pace is how often a service does something while nothing happens.
type Pace struct {
	// Tick is between two ticks; 0 is 250 ms. With 2 s everything would look like a backlog.
	Tick time.Duration
	// Poll bounds how long a poll waits, and so how late a flush, a checkpoint or an insert can be;
	// 0 is 100 ms.
	Poll time.Duration
	// Commit is how long a position without effects may stay uncommitted; 0 is 5 s. It bounds the
	// replay after a crash, not what anybody sees.
	Commit time.Duration
}

func (p Pace) tick() time.Duration { return cmp.Or(p.Tick, 250*time.Millisecond) }
func (p Pace) poll() time.Duration { return cmp.Or(p.Poll, 100*time.Millisecond) }

func (p Pace) commit() time.Duration { return cmp.Or(p.Commit, 5*time.Second) }

// Options configure a Service. Every field without a stated default is required for the roles
// that use it.
type Options struct {
	Kafka     Kafka
	Topics    Topics
	Roles     Roles
	Clock     correlate.ClockMode
	Intake    Intake
	Correlate Correlate
	Archive   Archive

	// Until ends the raw partitions it names at these offsets (exclusive): they say that they
	// finished, and under the event clock the engine then runs out its timers.
	Until map[correlate.RawPartition]int64

	// Uncheckpointed keeps no positions and uses no transactions. It is for measuring what they cost:
	// no configuration reaches it.
	Uncheckpointed bool

	// Pace is for tests in virtual time, where hours pass: no configuration reaches it.
	Pace Pace

	Metrics prometheus.Registerer // nil: a registry of its own
	Logger  *slog.Logger
}
