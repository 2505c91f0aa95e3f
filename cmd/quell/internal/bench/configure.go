package bench

import (
	"fmt"
	"strings"

	"quell/cmd/quell/internal/config"
)

// setting is one configuration of the service: a set of topics, a group and a database.
type setting struct {
	prefix   string // of topics, group and transactional ids
	raw      string // topic
	database string
	update   string // dedup.update_interval; "" is the default
	o        *Options
}

// probeRule pages about one probe alone and at once.
const probeRule = `  - {name: probe, match: 'service="probe"', group_by: [entity], group_wait: 0s, page_at: critical}
`

// dread are expressions that a backtracking matcher would take for ever for, and a linear one long.
const dread = `  - {name: dread-1, match: 'entity=~"(a|aa)+b"', group_by: [service]}
  - {name: dread-2, match: 'entity=~"(a*)*c|(.*a){12}d"', group_by: [service]}
  - {name: dread-3, match: 'entity=~"(.?){60}a{60}x"', group_by: [service]}
`

// yaml is the configuration file: what a deployment would write, and defaults otherwise. The rules
// are in the order that is worst for who tries one after the other: what matches comes late.
func (s *setting) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka: {group: %[1]s}\nclickhouse: {database: %s}\ntopics:\n  raw: [{name: %s, partitions: %d}]\n",
		s.prefix, s.database, s.raw, s.o.Partitions)
	for _, name := range []string{"responses", "alerts", "incidents", "pages", "rejected", "archive",
		"dispositions", "checkpoints", "snapshots", "rules"} {
		fmt.Fprintf(&b, "  %s: %s.%[1]s\n", name, s.prefix)
	}
	b.WriteString("dedup:\n  pass_on: [cluster]\n")
	if s.update != "" {
		fmt.Fprintf(&b, "  update_interval: %s\n", s.update)
	}
	b.WriteString("rules:\n" + probeRule)
	if s.o.Workload == "adversarial" {
		b.WriteString(dread)
	}
	for i := s.o.Rules - 1; i >= 0; i-- {
		match := fmt.Sprintf(`service="service-%03d"`, i)
		if i%2 == 1 {
			match = fmt.Sprintf(`{service=~"service-%03d(-canary)?", severity!="critical"}`, i)
		}
		fmt.Fprintf(&b, "  - {name: r%d, match: '%s', group_by: [service, cluster], group_wait: 1s, page_at: critical}\n", i, match)
	}
	return b.String()
}

// parse checks the text, as any configuration is.
func parse(text, kafka, clickhouse string) (*config.Config, error) {
	c, problems := config.Check("the benchmark's configuration", []byte(text),
		config.Overrides{Kafka: kafka, ClickHouse: clickhouse, Getenv: func(string) (string, bool) { return "", false }})
	if bad := problems.Errors(); len(bad) > 0 {
		return nil, fmt.Errorf("%d problems, the first: %s", len(bad), bad[0])
	}
	c.Log.Level = "warn"
	return c, nil
}
