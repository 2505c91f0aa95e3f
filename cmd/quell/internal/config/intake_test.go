package config

import (
	"testing"

	"quell/correlate"
)

// TestIntakeEpoch: whatever can change a verdict changes the epoch, and nothing else does.
func TestIntakeEpoch(t *testing.T) {
	base := check(t, "", nil).IntakeEpoch()
	for name, text := range map[string]string{
		"window":    "dedup: {window: 6m}",
		"interval":  "dedup: {update_interval: 6s}",
		"skew":      "dedup: {max_skew: 1m}",
		"key":       "dedup: {key: 000102030405060708090a0b0c0d0e0f}",
		"fields":    "dedup: {fields: [service, check]}",
		"labels":    "dedup: {labels: [a]}",
		"pass_on":   "dedup: {pass_on: [a]}",
		"drop":      "dedup: {drop: [{name: a, match: check=x}]}",
		"format":    "topics: {raw: [{name: quell.events, unknown_fields: reject}]}",
		"mapping":   "topics: {raw: [{name: quell.events, format: mapping, mapping: {fields: {check: {const: a}}}}]}",
		"bound":     "limits: {event_bytes: 2MiB}",
		"memory":    "limits: {fingerprints: 5}",
		"raw topic": "topics: {raw: [{name: other}]}",
	} {
		if check(t, text, nil).IntakeEpoch() == base {
			t.Errorf("%s: %s leaves the epoch as it is", name, text)
		}
	}
	for name, text := range map[string]string{
		"rules":           "rules: [{name: default, group_wait: 1s}]",
		"kafka":           "kafka: {brokers: \"a:1\"}",
		"order of fields": "dedup: {fields: [check, entity, service]}",
		"nothing written": "dedup: {labels: [], pass_on: [], drop: []}",
		"partitions":      "topics: {raw: [{name: quell.events, partitions: 9, retention: 1d}]}",
	} {
		if check(t, text, nil).IntakeEpoch() != base {
			t.Errorf("%s: %s changes the epoch", name, text)
		}
	}
}

// TestNewIdentity: the configured key and fields reach the fingerprint.
func TestNewIdentity(t *testing.T) {
	seen := map[correlate.Fingerprint]string{}
	event := &correlate.Event{Scope: "s", Service: "a", Entity: "b", Check: "c",
		Labels: []correlate.Label{{Name: "l", Value: "v"}}}
	for name, text := range map[string]string{
		"default": "", "key": "dedup: {key: a secret of at least sixteen bytes}",
		"fields": "dedup: {fields: [service]}", "labels": "dedup: {labels: [l]}",
	} {
		id, err := check(t, text, nil).NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		fp, _ := id.Fingerprint(event)
		if other, ok := seen[fp]; ok {
			t.Errorf("%s and %s give the same fingerprint", name, other)
		}
		seen[fp] = name
	}
}
