package config

import "quell/pipeline/decode"

// Limits are the bounds of what quell takes in and holds. What happens at each is told in the
// sample.
type Limits struct {
	BatchBytes      Size `yaml:"batch_bytes"`
	EventBytes      Size `yaml:"event_bytes"`
	EventDepth      int  `yaml:"event_depth"`
	EventFields     int  `yaml:"event_fields"`
	IdentityBytes   Size `yaml:"identity_bytes"`
	TextBytes       Size `yaml:"text_bytes"`
	Labels          int  `yaml:"labels"`
	LabelNameBytes  Size `yaml:"label_name_bytes"`
	LabelValueBytes Size `yaml:"label_value_bytes"`
	MatchBytes      Size `yaml:"match_bytes"`
	RejectedBytes   Size `yaml:"rejected_payload_bytes"`

	Fingerprints      int      `yaml:"fingerprints"`        // in one raw partition
	Incidents         int      `yaml:"incidents"`           // in one alerts partition
	OpenIncidents     int      `yaml:"open_incidents"`      // in one scope
	GroupsPerRule     int      `yaml:"groups_per_rule"`     // in one scope
	AlertsPerIncident int      `yaml:"alerts_per_incident"` // tracked one by one
	LiveAlerts        int      `yaml:"live_alerts"`         // in one alerts partition
	ClosedGroups      int      `yaml:"closed_groups"`       // in one alerts partition
	Lateness          Duration `yaml:"lateness"`            // how long a closed group is remembered
	AlertMemory       Duration `yaml:"alert_memory"`        // how long a resolved incident is known
	MergeBuffer       int      `yaml:"merge_buffer"`        // records that wait under clock: event
	MemoBytes         Size     `yaml:"memo_bytes"`          // of the cache of resolved label sets
}

func defaultLimits() Limits {
	d := decode.DefaultLimits()
	return Limits{
		BatchBytes: 64 << 20, EventBytes: Size(d.MaxBytes), EventDepth: d.MaxDepth, EventFields: d.MaxFields,
		IdentityBytes: Size(d.MaxIdentity), TextBytes: Size(d.MaxText), Labels: d.MaxLabels,
		LabelNameBytes: Size(d.MaxLabelName), LabelValueBytes: Size(d.MaxLabelValue),
		MatchBytes: Size(d.MaxMatch), RejectedBytes: 4 << 10,
		Fingerprints: 2_000_000, Incidents: 200_000, OpenIncidents: 100_000, GroupsPerRule: 50_000,
		AlertsPerIncident: 10_000, LiveAlerts: 1_000_000, ClosedGroups: 100_000, Lateness: hour, AlertMemory: hour,
		MergeBuffer: 1_000_000, MemoBytes: 32 << 20,
	}
}

func (l *Limits) check(v *checker) {
	within(v, "limits.batch_bytes", l.BatchBytes, 1<<20, 1<<30)
	within(v, "limits.event_bytes", l.EventBytes, 64, 256<<20)
	within(v, "limits.event_depth", l.EventDepth, 1, 1000)
	within(v, "limits.event_fields", l.EventFields, 1, 1<<24)
	within(v, "limits.identity_bytes", l.IdentityBytes, 16, 64<<10)
	within(v, "limits.text_bytes", l.TextBytes, 16, 1<<20)
	within(v, "limits.labels", l.Labels, 1, 1<<10)
	within(v, "limits.label_name_bytes", l.LabelNameBytes, 1, 4<<10)
	within(v, "limits.label_value_bytes", l.LabelValueBytes, 16, 64<<10)
	within(v, "limits.match_bytes", l.MatchBytes, 16, 64<<10)
	within(v, "limits.rejected_payload_bytes", l.RejectedBytes, 1, 1<<20)
	within(v, "limits.fingerprints", l.Fingerprints, 1, 100_000_000)
	within(v, "limits.incidents", l.Incidents, 1, 10_000_000)
	within(v, "limits.open_incidents", l.OpenIncidents, 1, 10_000_000)
	within(v, "limits.groups_per_rule", l.GroupsPerRule, 1, 10_000_000)
	within(v, "limits.alerts_per_incident", l.AlertsPerIncident, 1, 1_000_000)
	within(v, "limits.live_alerts", l.LiveAlerts, 1, 100_000_000)
	within(v, "limits.closed_groups", l.ClosedGroups, 1, 10_000_000)
	within(v, "limits.lateness", l.Lateness, second, 30*day)
	within(v, "limits.alert_memory", l.AlertMemory, second, 30*day)
	within(v, "limits.merge_buffer", l.MergeBuffer, 1, 100_000_000)
	within(v, "limits.memo_bytes", l.MemoBytes, 64<<10, 4<<30)
}
