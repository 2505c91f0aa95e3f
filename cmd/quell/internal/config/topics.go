package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Topics names every topic that quell reads or writes, and shapes those that it creates.
type Topics struct {
	Raw []RawTopic `yaml:"raw"`

	Responses    string `yaml:"responses"`
	Alerts       string `yaml:"alerts"`
	Incidents    string `yaml:"incidents"`
	Pages        string `yaml:"pages"`
	Rejected     string `yaml:"rejected"`
	Archive      string `yaml:"archive"`
	Dispositions string `yaml:"dispositions"`
	Checkpoints  string `yaml:"checkpoints"`
	Snapshots    string `yaml:"snapshots"`
	Rules        string `yaml:"rules"`

	AlertsPartitions  int32     `yaml:"alerts_partitions"` // also of what the engine writes
	ArchivePartitions int32     `yaml:"archive_partitions"`
	Retention         Retention `yaml:"retention"` // of all that is neither raw nor compacted
}

// RawTopic is one topic of raw events. Mapping belongs to format mapping, UnknownFields to format
// quell.
type RawTopic struct {
	Name          string    `yaml:"name"`
	Format        string    `yaml:"format"`
	Partitions    int32     `yaml:"partitions"` // when quell creates the topic
	Retention     Retention `yaml:"retention"`  // when quell creates the topic
	UnknownFields string    `yaml:"unknown_fields"`
	Mapping       *Mapping  `yaml:"mapping"`
}

// The formats of raw topics, and what becomes of unknown fields of format quell.
const (
	FormatQuell   = "quell"
	FormatMapping = "mapping"
	UnknownLabels = "labels"
	UnknownReject = "reject"
)

func (r *RawTopic) setDefaults() {
	*r = RawTopic{Format: FormatQuell, Partitions: 4, Retention: Retention(7 * day),
		UnknownFields: UnknownLabels}
}

func defaultTopics() Topics {
	var events RawTopic
	events.setDefaults()
	events.Name = "quell.events"
	return Topics{
		Raw:       []RawTopic{events},
		Responses: "quell.responses", Alerts: "quell.alerts", Incidents: "quell.incidents",
		Pages: "quell.pages", Rejected: "quell.rejected", Archive: "quell.archive",
		Dispositions: "quell.dispositions", Checkpoints: "quell.checkpoints",
		Snapshots: "quell.snapshots", Rules: "quell.rules",
		AlertsPartitions: 1, ArchivePartitions: 2, Retention: Retention(7 * day),
	}
}

// named is a topic's name and the path of the key that gave it.
type named struct{ path, name string }

// names lists every topic in the order of the file's sample.
func (t *Topics) names() []named {
	var out []named
	for i, r := range t.Raw {
		out = append(out, named{fmt.Sprintf("topics.raw[%d].name", i), r.Name})
	}
	return append(out,
		named{"topics.responses", t.Responses}, named{"topics.alerts", t.Alerts},
		named{"topics.incidents", t.Incidents}, named{"topics.pages", t.Pages},
		named{"topics.rejected", t.Rejected}, named{"topics.archive", t.Archive},
		named{"topics.dispositions", t.Dispositions}, named{"topics.checkpoints", t.Checkpoints},
		named{"topics.snapshots", t.Snapshots}, named{"topics.rules", t.Rules})
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (t *Topics) check(v *checker) {
	if len(t.Raw) == 0 {
		v.wrong("topics.raw", "no raw topic, so nothing to read; write - name: and a topic")
	}
	// Kafka's metric names turn . into _, so it warns of names that differ in no more than that.
	seen := map[string]named{}
	for _, n := range t.names() {
		switch {
		case n.name == "":
			v.wrong(n.path, "no topic name; write one such as events")
			continue
		case !topicName.MatchString(n.name) || n.name == "." || n.name == "..":
			v.wrong(n.path, "%q is not a topic name; write letters, digits, dots, _ and -, at most"+
				" 249", n.name)
			continue
		}
		folded := strings.ReplaceAll(n.name, "_", ".")
		if first, ok := seen[folded]; ok {
			v.wrong(n.path, "%q is also %s (a dot and _ count as equal); write another name", n.name,
				first.path)
			continue
		}
		seen[folded] = n
	}
	within(v, "topics.alerts_partitions", t.AlertsPartitions, 1, 1024)
	within(v, "topics.archive_partitions", t.ArchivePartitions, 1, 1024)
	checkRetention(v, "topics.retention", t.Retention)
	for i := range t.Raw {
		t.Raw[i].check(v, fmt.Sprintf("topics.raw[%d]", i))
	}
}

func checkRetention(v *checker, path string, r Retention) {
	if r != Forever && r < Retention(10*minute) {
		v.wrong(path, "%s is too short to survive a restart; write at least 10m, or forever", r)
	}
}

func (r *RawTopic) check(v *checker, path string) {
	within(v, path+".partitions", r.Partitions, 1, 10_000)
	checkRetention(v, path+".retention", r.Retention)
	formats := []string{FormatQuell, FormatMapping}
	if !slices.Contains(formats, r.Format) {
		v.oneOf(path+".format", r.Format, formats...)
		return
	}
	switch {
	case r.Format == FormatMapping && r.Mapping == nil:
		v.wrong(path+".format", "the format mapping needs a mapping; write mapping: and the fields'"+
			" paths")
	case r.Format == FormatQuell && r.Mapping != nil:
		v.wrong(path+".mapping", "a mapping belongs to the format mapping; write format: mapping")
	case r.Format == FormatMapping && r.UnknownFields != UnknownLabels:
		v.wrong(path+".unknown_fields", "unknown_fields belongs to the format quell; write"+
			" mapping.unmapped instead")
	case r.Format == FormatQuell:
		v.oneOf(path+".unknown_fields", r.UnknownFields, UnknownLabels, UnknownReject)
	}
}
