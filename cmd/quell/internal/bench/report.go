package bench

// Report is a run's result, as --json prints it.
type Report struct {
	Workload string `json:"workload"`
	Kafka    string `json:"kafka"` // "embedded", or the version of the brokers
	Rows     []Row  `json:"rows"`
	// IntakeOverBare is intake's events_per_second over bare_consumer's, of this run.
	IntakeOverBare float64 `json:"intake_over_bare"`
	PageLatency    Latency `json:"page_latency_ms"`
	// ResidentMiB is the peak of the process that ran all roles over the workload.
	ResidentMiB float64 `json:"resident_mib"`

	Live  Live   `json:"live"` // what went on while page latency was measured
	Disk  Disk   `json:"disk"`
	Peers []Peer `json:"peers,omitempty"`

	Command      string   `json:"command"`
	Seed         uint64   `json:"seed"`
	Events       int64    `json:"events"`
	EventBytes   float64  `json:"event_bytes"` // on average, uncompressed
	Fingerprints int64    `json:"fingerprints"`
	Partitions   int      `json:"partitions"`
	Rules        int      `json:"rules"`
	Checkpoints  bool     `json:"checkpoints"`
	Machine      Machine  `json:"machine"`
	Versions     Versions `json:"versions"`
	LeftOut      []string `json:"left_out"`
}

// Row is one stage. Per event means per event of this row.
type Row struct {
	Name            string  `json:"name"`
	Events          int64   `json:"events"`
	EventsPerSecond float64 `json:"events_per_second"`
	CPU             float64 `json:"cpu_us_per_event"` // user and system
	Allocs          float64 `json:"allocs_per_event"`
	Bytes           float64 `json:"bytes_per_event"` // allocated on the heap

	Seconds     float64  `json:"seconds"`
	BrokerCPU   *float64 `json:"broker_cpu_us_per_event"` // null: nobody here knows
	EngineCPU   *float64 `json:"engine_cpu_us_per_event"` // null: it had no part in it
	ResidentMiB float64  `json:"resident_mib"`
	// Others is how many cores everybody else on the machine took meanwhile. Where that is much, the
	// processor times still tell something, the events a second do not.
	Others  float64 `json:"other_cores"`
	Clients int     `json:"clients,omitempty"` // of bare_consumer
}

// Latency is from the append of a raw record to its page being visible, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Live is the load under which page latency was measured.
type Live struct {
	Wanted   float64 `json:"wanted_events_per_second"`
	Offered  float64 `json:"offered_events_per_second"`  // see the package comment
	Achieved float64 `json:"achieved_events_per_second"` // appended by the generator
	Probes   int     `json:"probes"`
	Unpaged  int     `json:"probes_without_page"`
	// Late is how far behind its schedule the generator was, in milliseconds: the 99th percentile of
	// the probes' appends after the moments they were due.
	Late float64 `json:"generator_late_ms_p99"`

	Seconds float64  `json:"seconds"`
	Cores   float64  `json:"quell_cores"` // processor seconds a second
	Broker  *float64 `json:"broker_cores"`
	Engine  *float64 `json:"engine_cores"`
}

// Disk is what one event leaves behind, in bytes, whole system over the workload.
type Disk struct {
	Archive float64 `json:"clickhouse_bytes_per_event"` // compressed, all tables, merges settled
	Kafka   float64 `json:"raw_bytes_per_event"`        // uncompressed values
}

// Peer is another system over the same events.
type Peer struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Absent  string `json:"absent,omitempty"` // why it was not run
	What    string `json:"what"`

	Events          int64   `json:"events,omitempty"`
	EventsPerSecond float64 `json:"events_per_second,omitempty"`
	CPU             float64 `json:"cpu_us_per_event,omitempty"`
	// Over is its processor time an event over that of quell's intake, which archives too.
	Over float64 `json:"cpu_over_intake,omitempty"`
}

// Machine is where it ran.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryMiB int64  `json:"memory_mib"`
	System    string `json:"system"`
}

// Versions of what took part.
type Versions struct {
	Quell string `json:"quell"`
	Go    string `json:"go"`
}

// Names of the rows.
const (
	rowBare      = "bare_consumer"
	rowIntake    = "intake"
	rowCorrelate = "correlate"
	rowArchive   = "archive"
	rowWhole     = "whole"
)

// Row returns the row of a name, nil if there is none.
func (r *Report) Row(name string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

func leftOut() []string {
	return []string{
		"producing the workload, connecting, joining groups: a window begins with a stage's first records",
		"replication, network, TLS: one broker, one machine, whose cores everybody shares",
		"the merges of a day: a window ends when no merge runs any more, after some seconds",
	}
}
