package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"quell/correlate"
	"quell/pipeline/decode"
	"quell/pipeline/dedup"
	"quell/rules"
)

// DecodeOptions returns the bounds of decoding and the labels that must stay exact.
func (c *Config) DecodeOptions() decode.Options {
	l := &c.Limits
	return decode.Options{
		Limits: decode.Limits{
			MaxBytes: int(l.EventBytes), MaxDepth: l.EventDepth, MaxFields: l.EventFields,
			MaxIdentity: int(l.IdentityBytes), MaxText: int(l.TextBytes), MaxLabels: l.Labels,
			MaxLabelName: int(l.LabelNameBytes), MaxLabelValue: int(l.LabelValueBytes),
			MaxMatch: int(l.MatchBytes),
		},
		Exact: append(append([]string{}, c.Dedup.Labels...), c.Dedup.PassOn...),
	}
}

// NewIdentity returns a new computer of fingerprints: one for each worker.
func (c *Config) NewIdentity() (*dedup.Identity, error) {
	fields := append([]string{}, c.Dedup.Fields...) // nil would mean the default
	return dedup.NewIdentity(dedup.IdentityConfig{Key: c.Dedup.key(), Fields: fields,
		Labels: c.Dedup.Labels})
}

// DedupConfig returns the configuration of deduplication.
func (c *Config) DedupConfig() dedup.Config {
	return dedup.Config{
		Key:            c.Dedup.key(),
		Window:         correlate.Duration(c.Dedup.Window),
		UpdateInterval: correlate.Duration(c.Dedup.UpdateInterval),
		MaxSkew:        correlate.Duration(c.Dedup.MaxSkew),
		MaxEntries:     c.Limits.Fingerprints,
		PassOn:         c.Dedup.PassOn,
	}
}

// EngineLimits returns the bounds of an engine.
func (c *Config) EngineLimits() correlate.Limits {
	l := &c.Limits
	return correlate.Limits{
		Incidents: l.Incidents, OpenIncidents: l.OpenIncidents, GroupsPerRule: l.GroupsPerRule,
		AlertsPerIncident: l.AlertsPerIncident, LiveAlerts: l.LiveAlerts, ClosedGroups: l.ClosedGroups,
		Lateness: correlate.Duration(l.Lateness), AlertMemory: correlate.Duration(l.AlertMemory),
		MergeBuffer: l.MergeBuffer,
	}
}

// key returns the parsed key, or the public default.
func (d *Dedup) key() [16]byte {
	key, err := dedup.ParseKey(d.Key.Reveal())
	if err != nil {
		return dedup.DefaultKey()
	}
	return key
}

// IntakeEpoch returns the hash of all that the verdicts on events depend on beside the events:
// formats, identity, windows, drop rules and limits. What was decided under another epoch may have
// been decided otherwise.
func (c *Config) IntakeEpoch() uint64 {
	type topic struct {
		Name, Format, UnknownFields string
		Mapping                     *Mapping
	}
	identity := c.DedupConfig()
	keyHash := sha256.Sum256(append([]byte("quell dedup key hash"), identity.Key[:]...))
	identity.Key = [16]byte{}
	depends := struct {
		Topics   []topic
		Limits   decode.Options
		KeyHash  []byte
		Identity dedup.Config
		Fields   []string
		Labels   []string
		Drop     []rules.Drop
	}{Limits: c.DecodeOptions(), KeyHash: keyHash[:], Identity: identity,
		Fields: sorted(c.Dedup.Fields), Labels: sorted(c.Dedup.Labels),
		Drop: append([]rules.Drop{}, c.Dedup.Drop...)}
	depends.Limits.Exact, depends.Identity.PassOn = nil, sorted(c.Dedup.PassOn)
	for _, r := range c.Topics.Raw {
		depends.Topics = append(depends.Topics, topic{r.Name, r.Format, r.UnknownFields, r.Mapping})
	}
	source, err := json.Marshal(depends)
	if err != nil {
		panic(fmt.Sprintf("config: what intake depends on must have a JSON form: %v", err))
	}
	sum := sha256.Sum256(source)
	return binary.BigEndian.Uint64(sum[:])
}

// sorted returns names in order, and an empty list for none: neither order nor the way of writing
// nothing decides anything.
func sorted(names []string) []string {
	out := append([]string{}, names...)
	slices.Sort(out)
	return out
}
