package decode

import "quell/correlate"

// The severity tables of the systems that quell is likely to hear from, so that "critical" means
// the same whoever says it.
//
//	quell       info, warning, error, critical; firing, resolved
//	syslog      RFC 5424: 0-2 (emerg, alert, crit) critical, 3 (err) error, 4 (warning) warning,
//	            5-7 (notice, info, debug) info
//	otel        OpenTelemetry's severity number or text: 21-24 (FATAL) critical, 17-20 (ERROR)
//	            error, 13-16 (WARN) warning, 1-12 (TRACE, DEBUG, INFO) info
//	x733        ITU-T X.733: critical critical, major error, minor and warning warning,
//	            indeterminate info, cleared resolved
//	zabbix      5 (Disaster) critical, 4 (High) error, 3 (Average) and 2 (Warning) warning,
//	            1 (Information) and 0 (Not classified) info; PROBLEM firing, OK resolved
//	icinga      also Nagios, Sensu: 2 CRITICAL critical, 1 WARNING and 3 UNKNOWN warning, 0 OK
//	            resolved (the numbers are those of services and plugins); hosts: DOWN critical,
//	            UNREACHABLE warning, UP resolved
//	cloudwatch  ALARM firing, OK resolved, INSUFFICIENT_DATA info: neither an alarm nor its end
//
// Words are compared without regard to case. The native format knows the first row only, in lower
// case. UNREACHABLE and INSUFFICIENT_DATA are our own reading.

// grade is what a word of a scale says: a severity, a status, or both.
type grade struct {
	severity correlate.Severity
	status   correlate.Status
}

// maxScaleWord is the length of the longest word of a scale that is looked up.
const maxScaleWord = 32

type scaleRow struct {
	grade grade
	words []string
}

// scaleNames lists the scales for messages.
const scaleNames = "syslog, otel, x733, zabbix, icinga or cloudwatch"

func scaleRows(name string) ([]scaleRow, bool) {
	info, warning := grade{severity: correlate.Info}, grade{severity: correlate.Warning}
	failure, critical := grade{severity: correlate.Error}, grade{severity: correlate.Critical}
	firing, resolved := grade{status: correlate.Firing}, grade{status: correlate.Resolved}
	switch name {
	case "":
		return []scaleRow{{info, []string{"info"}}, {warning, []string{"warning"}},
			{failure, []string{"error"}}, {critical, []string{"critical"}},
			{firing, []string{"firing"}}, {resolved, []string{"resolved"}}}, true
	case "syslog":
		return []scaleRow{
			{critical, []string{"0", "emerg", "emergency", "panic", "1", "alert", "2", "crit"}},
			{failure, []string{"3", "err"}}, {warning, []string{"4", "warn"}},
			{info, []string{"5", "notice", "6", "informational", "7", "debug"}}}, true
	case "otel":
		return []scaleRow{
			{critical, []string{"21", "22", "23", "24", "fatal", "fatal2", "fatal3", "fatal4"}},
			{failure, []string{"17", "18", "19", "20", "error2", "error3", "error4"}},
			{warning, []string{"13", "14", "15", "16", "warn", "warn2", "warn3", "warn4"}},
			{info, []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
				"trace", "trace2", "trace3", "trace4", "debug", "debug2", "debug3", "debug4",
				"info2", "info3", "info4", "information"}}}, true
	case "x733":
		return []scaleRow{{failure, []string{"major"}}, {warning, []string{"minor"}},
			{info, []string{"indeterminate"}}, {resolved, []string{"cleared"}}}, true
	case "zabbix":
		return []scaleRow{{critical, []string{"5", "disaster"}}, {failure, []string{"4", "high"}},
			{warning, []string{"3", "average", "2"}},
			{info, []string{"1", "information", "0", "not classified"}},
			{firing, []string{"problem"}}, {resolved, []string{"ok"}}}, true
	case "icinga":
		return []scaleRow{{critical, []string{"2", "down"}},
			{warning, []string{"1", "3", "unknown", "unreachable"}},
			{resolved, []string{"0", "ok", "up"}}}, true
	case "cloudwatch":
		return []scaleRow{{firing, []string{"alarm"}}, {resolved, []string{"ok"}},
			{grade{correlate.Info, correlate.Firing}, []string{"insufficient_data"}}}, true
	}
	return nil, false
}

// compileScale returns the grades of our own words and those of the named scale.
func compileScale(name string) (map[string]grade, bool) {
	rows, ok := scaleRows(name)
	own, _ := scaleRows("")
	grades := make(map[string]grade, 48)
	for _, r := range append(rows, own...) {
		for _, w := range r.words {
			grades[w] = r.grade
		}
	}
	return grades, ok
}

// grade returns what a word says on a scale.
func (d *Decoder) grade(grades map[string]grade, word string) (grade, bool) {
	if len(word) > maxScaleWord {
		return grade{}, false
	}
	for i := range len(word) {
		c := word[i]
		if c-'A' < 26 {
			c |= 0x20
		}
		d.folded[i] = c
	}
	g, ok := grades[string(d.folded[:len(word)])]
	return g, ok
}
