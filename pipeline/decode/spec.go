package decode

// MappingSpec says how an event is read from any JSON object. It is what stands in the
// configuration; [CompileMapping] makes a format of it.
//
//	fields:
//	  time:     {paths: timestamp, layouts: [iso8601]}
//	  service:  {paths: [service.name, app]}
//	  entity:   {paths: agent.name}
//	  check:    {template: "${rule.id}"}
//	  severity: {paths: rule.level, table: {"0-3": info, "4-11": warning, "12+": critical}}
//	labels:
//	  attacker: {match: {path: full_log, re2: "from (?P<ip>[0-9.]+)"}}
type MappingSpec struct {
	// Fields are the specs of the event's fields by name: id, dedup_key, time, scope, source,
	// service, entity, check, severity, status, summary, url, value.
	Fields map[string]ValueSpec `yaml:"fields"`
	// Labels are the specs of the event's labels by name.
	Labels map[string]ValueSpec `yaml:"labels"`
	// Unmapped says what becomes of scalars that no path names: "drop" (the default), or "labels":
	// each becomes a label named by its path, such as data.alert[0].severity.
	Unmapped string `yaml:"unmapped"`
	// Single is the path of an array that may have at most one element. A payload with more is
	// rejected as multiple_events: it is not split, and must not be cut in silence.
	Single string `yaml:"single"`
}

// ValueSpec says where one value comes from. The sources are tried in the order paths, template,
// match, const; the first that gives text wins. Null, "", objects and arrays give none. Then come
// trim, lower and the table.
type ValueSpec struct {
	// Paths are tried in order: names joined by dots, [n] for elements of arrays, quotes around
	// names with other characters (`a.b[0]."c.d"`).
	Paths Strings `yaml:"paths"`
	// Template has paths or captures of Match in it: "${caller} to ${callee}". When one of them
	// has no text the template gives none, except that "${path:-text}" falls back to the text
	// behind :-. Of several the first that gives text is taken. $${ is a plain ${.
	Template Strings `yaml:"template"`
	// Match is a regular expression over the text at a path. Its named captures are for the
	// template; without one, its only capture is the value.
	Match *MatchSpec `yaml:"match"`
	// Const is the value when nothing before gave text.
	Const string `yaml:"const"`

	Trim  bool `yaml:"trim"`  // remove white space around
	Lower bool `yaml:"lower"` // to lower case

	// Table replaces the value by that of its key: the exact text, else a range of numbers that
	// holds it (0-3, -5..5, 12+, <=5, >5), else a glob with * and ? (the one with the most other
	// characters first). Text without a key stays as it is, unless there is a default.
	Table map[string]string `yaml:"table"`
	// Scale names the severity table of a system, for severity and status: syslog, otel, x733,
	// zabbix, icinga, cloudwatch. The table overrides it word by word.
	Scale string `yaml:"scale"`
	// Layouts are tried in order, for time: rfc3339, iso8601 (also with a space, +0000 or without
	// an offset), epoch (unit told by magnitude), epoch_s, epoch_ms, epoch_us, epoch_ns, or a Go
	// layout such as "02/Jan/2006:15:04:05 -0700". The default is rfc3339, epoch.
	Layouts Strings `yaml:"layouts"`
	// Location is where times without an offset are from, for time: UTC (the default), an offset
	// such as +02:00, or a name of the IANA time zone database such as Europe/Vienna.
	Location string `yaml:"location"`

	// Default is the value when there is none, when the table has no key for it, and when it is no
	// severity or status. Not for time, which falls back to the record's timestamp.
	Default string `yaml:"default"`
	// Required rejects events that have no such value.
	Required bool `yaml:"required"`
}

// MatchSpec is a regular expression over the text at a path.
type MatchSpec struct {
	Path string `yaml:"path"`
	RE2  string `yaml:"re2"`
}

// Strings is a list that may be written as a single string.
type Strings []string

// UnmarshalYAML accepts a string or a list of strings.
func (s *Strings) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*s = Strings{one}
		return nil
	}
	var many []string
	if err := unmarshal(&many); err != nil {
		return err
	}
	*s = many
	return nil
}
