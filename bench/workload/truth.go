package workload

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"quell/correlate"
)

// Fault is a true incident: what a perfect correlator would have made one incident of.
type Fault struct {
	ID       int32          `json:"fault"`    // from 1; the label of its events
	Kind     string         `json:"kind"`     // service, host or rollout
	Scope    string         `json:"scope"`    // where
	Clusters []string       `json:"clusters"` // its failure domains; it may leak into another one
	Service  string         `json:"service"`  // the root, "compute" for a host
	Host     string         `json:"host,omitempty"`
	Start    correlate.Time `json:"start"`
	End      correlate.Time `json:"end"`    // of the condition; resolves may come later
	Alerts   int            `json:"alerts"` // distinct ones
	Events   int64          `json:"events"` // made so far, redeliveries included
}

// Truth knows the fault of every event of one storm. It holds no events: an id tells its fault to
// whoever has the seed.
type Truth struct {
	Options Options
	Faults  []Fault

	secret permutation
}

// Truth returns what is true about the storm. The events of its faults are counted up to the last
// Next, so ask when the storm is over.
func (s *Storm) Truth() *Truth {
	t := &Truth{Options: s.plan.options, secret: s.secret}
	start := t.Options.Start
	for i := range s.plan.faults {
		f := &s.plan.faults[i]
		world := &s.plan.scopes[f.scope]
		out := Fault{ID: f.id, Kind: string(f.kind), Scope: world.name,
			Service: world.services[f.service].name, Alerts: f.alerts, Events: s.counts[f.id],
			Start: start.Add(correlate.Duration(f.start)), End: start.Add(correlate.Duration(f.end))}
		if f.kind == kindHost {
			out.Service, out.Host = "compute", world.hosts[f.host].name
		}
		for _, c := range f.clusters {
			out.Clusters = append(out.Clusters, world.clusters[c].name)
		}
		t.Faults = append(t.Faults, out)
	}
	return t
}

// FaultOf returns the label of the event with that producer's id: Noise or a fault's number. It is
// false for an id that is not of this storm.
func (t *Truth) FaultOf(id string) (fault int32, ok bool) {
	sealed, ok := parseID(id)
	if !ok {
		return Noise, false
	}
	sequence, fault := t.secret.open(sealed)
	if int(fault) > len(t.Faults) || sequence >= uint64(t.Options.Events) {
		return Noise, false
	}
	return fault, true
}

// head is the first line of a truth file.
type head struct {
	Storm *Options `json:"storm"`
}

// labelFormat is the line of one event in a truth file.
const labelFormat = `{"id":"%s","fault":%d}` + "\n"

// Write writes the truth as JSON lines: {"storm": the options}, one {"fault": number, ...} for each
// fault, and one {"id": ..., "fault": number} for each event that is not a redelivery, 0 for
// background, so that nobody needs this package to check a result. It makes the storm a second time
// for that, about a second for a million events.
func (t *Truth) Write(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	lines := json.NewEncoder(out)
	if err := lines.Encode(head{&t.Options}); err != nil {
		return fmt.Errorf("truth of the storm: %w", err)
	}
	for i := range t.Faults {
		if err := lines.Encode(&t.Faults[i]); err != nil {
			return fmt.Errorf("truth of the storm, fault %d: %w", t.Faults[i].ID, err)
		}
	}
	next := uint64(0)
	for s := NewStorm(t.Options); ; {
		item, ok := s.Next()
		if !ok {
			break
		}
		if item.Sequence == next {
			next++
			id := string(appendID(nil, t.secret.seal(item.Sequence, item.Fault)))
			fmt.Fprintf(out, labelFormat, id, item.Fault) // the error stays in out until Flush
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("truth of the storm: %w", err)
	}
	return nil
}

// ReadTruth reads the storm and the faults of a truth file; it does not need the events' lines.
func ReadTruth(r io.Reader) (*Truth, error) {
	lines := json.NewDecoder(r)
	var h head
	if err := lines.Decode(&h); err != nil {
		return nil, fmt.Errorf("truth file, line 1: %w", err)
	}
	if h.Storm == nil {
		return nil, fmt.Errorf(`truth file, line 1: want {"storm": {...}}, the options of the storm`)
	}
	t := &Truth{Options: *h.Storm, secret: newPermutation(h.Storm.Seed)}
	for {
		var line struct {
			Fault
			Event string `json:"id"`
		}
		err := lines.Decode(&line)
		if err == io.EOF || err == nil && line.Event != "" {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("truth file, fault after %d: %w", len(t.Faults), err)
		}
		if int(line.ID) != len(t.Faults)+1 {
			return nil, fmt.Errorf("truth file: fault %d follows fault %d; they are numbered from 1",
				line.ID, len(t.Faults))
		}
		t.Faults = append(t.Faults, line.Fault)
	}
}
