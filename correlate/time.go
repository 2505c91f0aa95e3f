package correlate

import (
	"encoding/json"
	"fmt"
	"time"
)

// Time is a moment in milliseconds since the Unix epoch, UTC. Zero means "never".
//
// Its JSON and text form is RFC 3339 with milliseconds in UTC ("2022-01-26T00:25:30.000Z"); zero
// is the empty string, and in JSON null.
type Time int64

// Duration is a length of time in milliseconds.
type Duration int64

// Durations that defaults and tests are written in.
const (
	Millisecond Duration = 1
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
	Hour                 = 60 * Minute
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// TimeOf converts a time.Time, cutting it to the millisecond (towards the past).
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Add returns t moved by d.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) Duration { return Duration(t - u) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String returns RFC 3339 with milliseconds, or "" for zero.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(timeLayout)
}

// MarshalJSON returns the RFC 3339 form as a JSON string, or null for zero.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(t.String())
}

// UnmarshalJSON reads what MarshalJSON wrote, or any RFC 3339 time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time must be an RFC 3339 string: %w", err)
	}
	if s == "" {
		*t = 0
		return nil
	}
	u, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("a time must be RFC 3339, such as 2026-11-21T08:00:00.000Z: %w", err)
	}
	*t = TimeOf(u)
	return nil
}

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) * time.Millisecond }

// String returns Go's notation of the duration, such as "5m0s".
func (d Duration) String() string { return d.Std().String() }
