package decode

import "fmt"

// Limits are the bounds of one format. A zero means the default.
type Limits struct {
	MaxBytes      int `yaml:"max_bytes"`       // payload, bytes; more is rejected
	MaxDepth      int `yaml:"max_depth"`       // objects and arrays inside each other; rejected
	MaxFields     int `yaml:"max_fields"`      // object members in a payload; rejected
	MaxIdentity   int `yaml:"max_identity"`    // bytes of id, dedup key ... check; rejected
	MaxText       int `yaml:"max_text"`        // bytes of summary, url and value; cut
	MaxLabels     int `yaml:"max_labels"`      // labels; explicit rejected, others dropped
	MaxLabelName  int `yaml:"max_label_name"`  // bytes; explicit rejected, others dropped
	MaxLabelValue int `yaml:"max_label_value"` // bytes; explicit, exact rejected, others cut
	MaxMatch      int `yaml:"max_match"`       // bytes of text for a pattern or table; rejected
}

// DefaultLimits returns the default of each bound.
func DefaultLimits() Limits {
	return Limits{
		MaxBytes: 1 << 20, MaxDepth: 64, MaxFields: 16384, MaxIdentity: 1024, MaxText: 4096,
		MaxLabels: 64, MaxLabelName: 128, MaxLabelValue: 1024, MaxMatch: 4096,
	}
}

// limitRange is one bound of Limits with the values that it may have.
type limitRange struct {
	name      string
	value     *int
	byDefault int
	low, high int
}

func (l *Limits) ranges() []limitRange {
	d := DefaultLimits()
	return []limitRange{
		{"max_bytes", &l.MaxBytes, d.MaxBytes, 64, 1 << 28},
		{"max_depth", &l.MaxDepth, d.MaxDepth, 1, 1000},
		{"max_fields", &l.MaxFields, d.MaxFields, 1, 1 << 24},
		{"max_identity", &l.MaxIdentity, d.MaxIdentity, 16, 1 << 16},
		{"max_text", &l.MaxText, d.MaxText, 16, 1 << 20},
		{"max_labels", &l.MaxLabels, d.MaxLabels, 0, 1 << 10},
		{"max_label_name", &l.MaxLabelName, d.MaxLabelName, 1, 1 << 12},
		{"max_label_value", &l.MaxLabelValue, d.MaxLabelValue, 16, 1 << 16},
		{"max_match", &l.MaxMatch, d.MaxMatch, 16, 1 << 16},
	}
}

// withDefaults returns l with its zeroes replaced.
func (l Limits) withDefaults() Limits {
	for _, r := range l.ranges() {
		if *r.value == 0 {
			*r.value = r.byDefault
		}
	}
	return l
}

// Check returns what is wrong with the limits, nothing when all are within their ranges.
func (l Limits) Check() []Problem {
	var out []Problem
	for _, r := range l.ranges() {
		if v := *r.value; v != 0 && (v < r.low || v > r.high) {
			out = append(out, Problem{Path: r.name, Text: fmt.Sprintf(
				"%d is out of range: write a number from %d to %d, or leave it out for %d",
				v, r.low, r.high, r.byDefault)})
		}
	}
	return out
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path string // where in the spec, such as fields.time.layouts[1]
	Text string // the value, what is wrong with it, and what to write instead
}

// String returns "path: text".
func (p Problem) String() string { return p.Path + ": " + p.Text }

// Options are what every format has.
type Options struct {
	Limits Limits
	// Exact names the labels that decide something: identity and pass_on labels. They are never
	// cut or dropped to keep a bound; the event is rejected instead.
	Exact []string
}
