package config

import (
	"strings"
	"testing"
)

// TestProblems pins position and text of what is found. Each case names all problems of its file,
// by "line:column: path: beginning of the text" ("line:column: warning: path: ..." for warnings).
func TestProblems(t *testing.T) {
	env := map[string]string{"SET": "x", "NUMBER": "3", "EMPTY": "", "WORD": "many"}
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		// YAML itself
		{"tab", "\tkafka: {}", []string{"1:1: not valid YAML: found character that cannot start"}},
		{"open list", "kafka:\n  brokers: [a:1\nlog: {}\n", []string{"3:4: not valid YAML: did not find"}},
		{"colon in a text", "log:\n  level: a: b\n", []string{
			"2:11: not valid YAML: mapping values are not allowed in this context; put a text"}},
		{"unknown anchor", "log: *x\n", []string{"1:6: not valid YAML: unknown anchor"}},
		{"two documents", "clock: append\n---\nclock: event\n", []string{
			"2:1: a second document begins here"}},
		{"not UTF-8", "log:\n  level: \"\xff\"\n", []string{"2:11: the byte 0xff is not UTF-8"}},
		{"a list as a file", "- a\n", []string{"1:1: a list is found where keys with values belong"}},
		{"a text as a file", "quell\n", []string{`1:1: the value "quell" is found where keys`}},
		{"alias of itself", "kafka: &a\n  sasl: *a\n", []string{"1:8: nested more than 64 deep"}},
		{"merge of a text", "kafka:\n  <<: x\n", []string{"2:7: << takes a mapping"}},
		{"tag", "log:\n  level: !x info\n", []string{
			"2:10: log.level: the YAML tag !x has no meaning here; remove it"}},

		// keys and types
		{"unknown key at the top", "kafak: {}\n", []string{
			`1:1: kafak: unknown key "kafak"; did you mean "kafka"?`}},
		{"unknown key below", "log:\n  level: info\n  colour: red\n", []string{
			`3:3: log.colour: unknown key "colour"; write one of: level, format`}},
		{"unknown key in a list", "rules:\n  - name: a\n    gruop_by: []\n", []string{
			`3:5: rules[0].gruop_by: unknown key "gruop_by"; did you mean "group_by"?`}},
		{"repeated key", "log:\n  level: info\n  level: warn\n", []string{
			`3:3: log.level: the key "level" is already in line 2; remove one`}},
		{"list for a key", "? [a]\n: b\n", []string{"1:3: a list is found where a key belongs; write a word"}},
		{"list for a value", "log:\n  level: [info]\n", []string{
			"2:10: log.level: a list is found where a single value belongs"}},
		{"value for a list", "dedup:\n  labels: user\n", []string{
			`2:11: dedup.labels: the value "user" is found where a list belongs; write [a, b]`}},
		{"value for a section", "kafka: localhost:9092\n", []string{
			`1:8: kafka: the value "localhost:9092" is found where keys with values belong`}},
		{"text for a number", "topics: {alerts_partitions: many}\n", []string{
			`1:29: topics.alerts_partitions: "many" is not a whole number; write one such as 4`}},
		{"fraction for a number", "topics:\n  alerts_partitions: 1.5\n", []string{
			`2:22: topics.alerts_partitions: "1.5" is not a whole number`}},
		{"number that does not fit", "topics:\n  alerts_partitions: 3000000000\n", []string{
			"2:22: topics.alerts_partitions: 3000000000 is too large"}},
		{"text for a switch", "metrics:\n  pprof: \"true\"\n", []string{
			`2:10: metrics.pprof: "true" is neither true nor false; write one of them without quotes`}},
		{"empty item", "dedup:\n  labels:\n    -\n", []string{"3:6: dedup.labels[0]: an empty item"}},
		{"number for a duration", "dedup:\n  window: 5\n", []string{
			`2:11: dedup.window: "5" is not a duration; write 500ms, 30s`}},
		{"unit of a size", "limits: {event_bytes: 1MB}\n", []string{
			`1:23: limits.event_bytes: "1MB" is not a size; write bytes such as 4096, or 4KiB`}},
		{"clock", "clock: wall\n", []string{`1:8: clock: "wall" is none of ["append" "event"]`}},

		// environment
		{"unset variable", "kafka:\n  client_id: ${UNSET}\n", []string{
			"2:14: kafka.client_id: the environment variable UNSET is not set; set it or write" +
				" ${UNSET:-default}"}},
		{"variable of the wrong type", "topics:\n  alerts_partitions: ${WORD}\n", []string{
			`2:22: topics.alerts_partitions: "many" is not a whole number`}},
		{"quoted number", "topics:\n  alerts_partitions: \"${NUMBER}\"\n", []string{
			`2:22: topics.alerts_partitions: "3" is not a whole number`}},
		{"broken variable", "kafka:\n  client_id: ${SET:?no}\n", []string{
			`2:14: kafka.client_id: "${SET" is not a variable; write ${NAME} or ${NAME:-default}`}},

		// kafka
		{"no port", "kafka:\n  brokers: [a:9092, b]\n", []string{
			`2:21: kafka.brokers[1]: "b" is not host:port; write one such as kafka-1:9092`}},
		{"no port in a text", "kafka:\n  brokers: a:9092, b\n", []string{
			`2:12: kafka.brokers: "b" is not host:port`}},
		{"no broker", "kafka:\n  brokers: []\n", []string{"2:12: kafka.brokers: no broker; write"}},
		{"embedded beside another", "kafka:\n  brokers: embedded,a:9092\n", []string{
			`2:12: kafka.brokers: "embedded" is not host:port`}},
		{"client id", "kafka: {client_id: a b}\n", []string{
			`1:20: kafka.client_id: "a b" is not a name; write letters`}},
		{"replication factor", "kafka: {replication_factor: -1}\n", []string{
			"1:29: kafka.replication_factor: -1 is out of bounds; write 0 to 100"}},
		{"tls not enabled", "kafka:\n  tls:\n    ca: a.pem\n", []string{
			"3:5: kafka.tls: without enabled: true these settings have no effect"}},
		{"certificate without key", "kafka: {tls: {enabled: true, cert: a.pem}}\n", []string{
			"1:14: kafka.tls: cert and key belong together"}},
		{"any server", "kafka: {tls: {enabled: true, insecure_skip_verify: true}}\n", []string{
			"1:52: warning: kafka.tls.insecure_skip_verify: anybody can pretend"}},
		{"unknown mechanism", "kafka: {sasl: {mechanism: gssapi, user: a, password: b}}\n", []string{
			`1:27: kafka.sasl.mechanism: "gssapi" is not known; write plain or scram-sha-256`}},
		{"user without mechanism", "kafka: {sasl: {user: a}}\n", []string{
			"1:15: kafka.sasl: user and password need a mechanism"}},
		{"mechanism without user", "kafka: {sasl: {mechanism: scram-sha-256}}\n", []string{
			"1:15: kafka.sasl.password: the mechanism scram-sha-256 needs a password",
			"1:15: kafka.sasl.user: the mechanism scram-sha-256 needs a user"}},
		{"readable password", "kafka: {sasl: {mechanism: plain, user: a, password: b}}\n", []string{
			"1:27: warning: kafka.sasl.mechanism: plain sends the password readable"}},

		// clickhouse
		{"address without scheme", "clickhouse: {address: \"host:9000\"}\n", []string{
			`1:23: clickhouse.address: "host:9000" has no scheme and host:port that quell knows`}},
		{"address without port", "clickhouse:\n  address: https://a:secret@host\n", []string{
			`2:12: clickhouse.address: "https://a:xxxxx@host" has no scheme and host:port`}},
		{"address with parameters", "clickhouse: {address: http://host:8123/?database=x}\n", []string{
			"1:23: clickhouse.address: \"http://host:8123/?database=x\" carries parameters"}},
		{"database", "clickhouse: {database: a-b}\n", []string{
			`1:24: clickhouse.database: "a-b" is not a database name`}},
		{"ttl", "clickhouse: {ttl: 1h}\n", []string{
			"1:19: clickhouse.ttl: 1h is out of bounds; write 1d to 10y"}},
		{"insert rows", "clickhouse: {insert: {rows: 0}}\n", []string{
			"1:29: clickhouse.insert.rows: 0 is out of bounds; write 1 to 1000000"}},

		// topics
		{"no raw topic", "topics:\n  raw: []\n", []string{"2:8: topics.raw: no raw topic"}},
		{"raw topic without name", "topics:\n  raw:\n    - format: quell\n", []string{
			"3:7: topics.raw[0].name: no topic name"}},
		{"topic name", "topics: {alerts: a/b}\n", []string{
			`1:18: topics.alerts: "a/b" is not a topic name`}},
		{"same topic twice", "topics:\n  alerts: x\n  pages: x\n", []string{
			`3:10: topics.pages: "x" is also topics.alerts`}},
		{"topics that differ in a dot", "topics:\n  alerts: a.b\n  pages: a_b\n", []string{
			`3:10: topics.pages: "a_b" is also topics.alerts (a dot and _ count as equal)`}},
		{"format", "topics:\n  raw:\n    - {name: a, format: csv}\n", []string{
			`3:25: topics.raw[0].format: "csv" is not known; write quell or mapping`}},
		{"mapping without mapping", "topics:\n  raw:\n    - {name: a, format: mapping}\n", []string{
			"3:25: topics.raw[0].format: the format mapping needs a mapping"}},
		{"mapping without its format",
			"topics:\n  raw:\n    - name: a\n      mapping: {fields: {check: {const: x}}}\n", []string{
				"4:16: topics.raw[0].mapping: a mapping belongs to the format mapping"}},
		{"unknown fields", "topics:\n  raw:\n    - {name: a, unknown_fields: keep}\n", []string{
			`3:33: topics.raw[0].unknown_fields: "keep" is not known; write labels or reject`}},
		{"retention", "topics:\n  retention: never\n", []string{
			`2:14: topics.retention: "never" is not a duration; write 500ms, 30s, 5m, 1h30m or 2d, or` +
				" forever"}},
		{"short retention", "topics:\n  retention: 1s\n", []string{
			"2:14: topics.retention: 1s is too short to survive a restart"}},
		{"partitions", "topics: {alerts_partitions: 0}\n", []string{
			"1:29: topics.alerts_partitions: 0 is out of bounds; write 1 to 1024"}},
		{"mapping problems", "topics:\n  raw:\n    - name: a\n      format: mapping\n      mapping:\n" +
			"        fields:\n          tiem: {paths: a}\n          time:\n            paths: [t]\n" +
			"            layouts: [rfc3339, nonsense]\n          check: {paths: 'a[b'}\n" +
			"        unmapped: keep\n", []string{
			"7:17: topics.raw[0].mapping.fields.tiem: an event has no field",
			"10:32: topics.raw[0].mapping.fields.time.layouts[1]: ",
			"11:26: topics.raw[0].mapping.fields.check.paths",
			"12:19: topics.raw[0].mapping.unmapped: "}},
		{"unknown key in a mapping", "topics:\n  raw:\n    - name: a\n      format: mapping\n" +
			"      mapping:\n        fields:\n          check: {path: a, const: b}\n", []string{
			`7:19: topics.raw[0].mapping.fields.check.path: unknown key "path"; did you mean "paths"?`}},

		// dedup
		{"short key", "dedup: {key: abc}\n", []string{"1:14: dedup.key: dedup key has 3 bytes"}},
		{"identity field", "dedup: {fields: [service, host]}\n", []string{
			`1:27: dedup.fields[1]: "host" is not a field of the identity`}},
		{"source in the identity", "dedup: {fields: [source]}\n", []string{
			"1:18: dedup.fields[0]: the source is never part"}},
		{"scope in the identity", "dedup: {fields: [check, scope, service]}\n", []string{
			"1:25: dedup.fields[1]: the scope is always part of the identity; remove it"}},
		{"no identity", "dedup: {fields: []}\n", []string{
			"1:17: warning: dedup.fields: nothing but the scope"}},
		{"label that is a field", "dedup: {pass_on: [summary]}\n", []string{
			`1:19: dedup.pass_on[0]: "summary" is a field of the event, not a label`}},
		{"label twice", "dedup: {labels: [a, b, a]}\n", []string{
			`1:24: dedup.labels[2]: "a" is there twice`}},
		{"label in both", "dedup: {labels: [a], pass_on: [a]}\n", []string{
			`1:32: warning: dedup.pass_on[0]: "a" is in dedup.labels`}},
		{"interval longer than the window", "dedup: {window: 5s, update_interval: 6s}\n", []string{
			"1:38: dedup.update_interval: 6s is longer than the window (5s)"}},
		{"drop without matchers", "dedup:\n  drop:\n    - name: all\n", []string{
			"3:7: dedup.drop[0].match: a drop rule without matchers"}},

		// rules, routes, services
		{"rule reads a label", "rules:\n  - name: a\n    match: 'user=\"x\"'\n", []string{
			`3:12: rules[0].match: rules cannot read the label "user"`}},
		{"group by an unknown label", "rules:\n  - name: a\n    group_by: [service, user]\n", []string{
			`3:25: rules[0].group_by[1]: rules cannot read the label "user"`}},
		{"matcher without quotes", "rules:\n  - name: a\n    match: {service=\"x\"}\n", []string{
			"3:12: rules[0].match: without quotes { begins a YAML mapping"}},
		{"second matcher", "rules:\n  - name: a\n    match:\n      - service=a\n      - check~b\n", []string{
			"5:9: rules[0].match[1]: `check~b` is not a matcher"}},
		{"kind of later", "rules:\n  - name: a\n    kind: storm\n", []string{
			`3:11: rules[0].kind: "storm" is not available yet`}},
		{"severity", "rules:\n  - name: a\n    page_at: fatal\n", []string{
			`3:14: rules[0].page_at: "fatal" is none of ["info" "warning" "error" "critical"]`}},
		{"window", "rules:\n  - name: a\n    window: {gap: 2h, max_life: 1h}\n", []string{
			"3:33: rules[0].window.max_life: max_life (1h) is shorter than gap (2h)"}},
		{"nothing repeats the cause", "rules:\n  - name: a\n    match: [x]\n  - name: b\n", []string{
			"3:12: rules[0].match: `x` is not a matcher"}},
		{"rule behind the default", "rules:\n  - name: default\n  - name: b\n", []string{
			`2:11: rules[0].name: the rule named "default" must be the last`}},
		{"form of pages", "routes:\n  - {name: a, format: email}\n", []string{
			`2:23: routes[0].format: "email" is not known; write quell or pagerduty`}},
		{"routing key of no use", "routes:\n  - name: a\n    routing_key: x\n", []string{
			"3:18: routes[0].routing_key: a routing key belongs to the format pagerduty"}},
		{"route reads a label", "routes:\n  - {name: a, match: 'user=x'}\n", []string{
			`2:22: routes[0].match: rules cannot read the label "user"`}},
		{"priority", "services:\n  - {name: a, priority: 1}\n", []string{
			`2:25: services[0].priority: "1" is not a priority; write one of P1`}},
		{"runbook", "services:\n  - name: a\n    runbook: wiki\n", []string{
			`3:14: services[0].runbook: "wiki" is not a web address`}},

		// limits, log, metrics
		{"limit", "limits:\n  event_depth: 100000\n", []string{
			"2:16: limits.event_depth: 100000 is out of bounds; write 1 to 1000"}},
		{"size out of bounds", "limits: {event_bytes: 1GiB}\n", []string{
			"1:23: limits.event_bytes: 1GiB is out of bounds; write 64 to 256MiB"}},
		{"log level", "log: {level: loud}\n", []string{
			`1:14: log.level: "loud" is not known; write debug or info or warn or error`}},
		{"listens everywhere unsaid", "metrics: {listen: \":9464\"}\n", []string{
			`1:19: metrics.listen: ":9464" does not say on which interfaces; write 127.0.0.1:9464`}},
		{"listens nowhere", "metrics: {listen: nowhere}\n", []string{
			`1:19: metrics.listen: "nowhere" is not host:port`}},
		{"profiles for everybody", "metrics: {listen: \"0.0.0.0:1\", pprof: true}\n", []string{
			"1:39: warning: metrics.pprof: everybody who reaches 0.0.0.0:1"}},

		{"all at once, in order", "log:\n  level: loud\nclock: x\nkafka:\n  brokers: [a]\n  x: 1\n", []string{
			"2:10: log.level", "3:8: clock", "5:13: kafka.brokers[0]", "6:3: kafka.x"}},
		{"nothing", "", nil},
		{"only a comment", "# nothing\n", nil},
		{"sections without values", "kafka:\ntopics:\nrules:\nlog:\n  level:\n", nil},
		{"variables that are set", "kafka:\n  client_id: ${SET}\ntopics:\n  alerts_partitions: ${NUMBER}\n" +
			"clickhouse:\n  user: ${EMPTY:-me}\n", nil},
		{"listens everywhere", "metrics: {listen: \"0.0.0.0:9464\"}\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := Check("f", []byte(c.yaml), Overrides{Getenv: func(n string) (string, bool) {
				value, ok := env[n]
				return value, ok
			}})
			if (got == nil) != (len(problems.Errors()) > 0) {
				t.Errorf("configuration %v with problems %v", got, problems)
			}
			for i, p := range problems {
				if i >= len(c.want) || !strings.HasPrefix(p.String(), "f:"+c.want[i]) {
					t.Errorf("unexpected: %s", p)
				}
			}
			if len(problems) != len(c.want) {
				t.Errorf("%d problems, want %d: %q", len(problems), len(c.want), c.want)
			}
		})
	}
}
