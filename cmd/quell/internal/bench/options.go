package bench

import (
	"fmt"
	"log/slog"

	"quell/bench/workload"
)

// Start is the value of Options.Kafka that starts an Apache Kafka for the run.
const Start = "start"

// Options say what to measure.
type Options struct {
	Workload     string
	Seed         uint64
	Events       int // of the workload; 0 is its own number
	Fingerprints int // distinct alerts; 0 is the workload's part
	Partitions   int // of the raw topics
	Rules        int // beside the probe's; each names a service, in the order that is worst
	Rate         int // offered beside the probes, events a second; 0 is what the machine can do
	Checkpoints  bool

	Kafka    string // host:port, Start, or "" for the embedded broker
	Peers    bool   // run Bento and SEC too
	Profiles string // directory for processor and allocation profiles; "" writes none
	Command  string // as it was called, for the report
	Version  string // quell's

	Logger *slog.Logger
	// Note is told what is being done.
	Note func(text string)
}

// Check says what is wrong with the options, before anything is started.
func (o *Options) Check() error {
	for _, v := range []struct {
		name       string
		value      int
		least, max int
	}{
		{"--events", o.Events, 0, 1_000_000_000}, {"--fingerprints", o.Fingerprints, 0, 100_000_000},
		{"--partitions", o.Partitions, 1, 1000}, {"--rules", o.Rules, 0, 100_000},
		{"--rate", o.Rate, 0, 10_000_000},
	} {
		if v.value < v.least || v.value > v.max {
			return fmt.Errorf("%s %d: write a number from %d to %d", v.name, v.value, v.least, v.max)
		}
	}
	_, err := workload.NewLoad(o.load())
	return err
}

// load is the workload as it is drained.
func (o *Options) load() workload.LoadOptions {
	return workload.LoadOptions{Name: o.Workload, Seed: o.Seed, Events: o.Events, Fingerprints: o.Fingerprints}
}
