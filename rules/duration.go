package rules

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"quell/correlate"
)

// Duration is a length of time in Prometheus notation: 5m, 1h30m, 2d, 500ms. Its unit is the
// engine's, the millisecond.
type Duration correlate.Duration

// The units of Duration.
const (
	Millisecond = Duration(correlate.Millisecond)
	Second      = Duration(correlate.Second)
	Minute      = Duration(correlate.Minute)
	Hour        = Duration(correlate.Hour)
	Day         = 24 * Hour
)

// ParseDuration reads Prometheus notation. Negative durations do not exist.
func ParseDuration(s string) (Duration, error) {
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 500ms, 30s, 5m, 1h30m or 2d", s)
	}
	return Duration(time.Duration(d).Milliseconds()), nil
}

// UnmarshalText is ParseDuration. After an error d is as it was.
func (d *Duration) UnmarshalText(b []byte) error {
	parsed, err := ParseDuration(string(b))
	if err == nil {
		*d = parsed
	}
	return err
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns Prometheus notation in as few units as are exact.
func (d Duration) String() string { return model.Duration(d.Std()).String() }

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) * time.Millisecond }
