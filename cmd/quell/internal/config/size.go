package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"quell/rules"
)

// Size is a number of bytes, written as 4096, 4KiB, 1MiB or 1GiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a number with or without a unit.
func (s *Size) UnmarshalText(b []byte) error {
	number, unit := strings.TrimSpace(string(b)), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size; write bytes such as 4096, or 4KiB, 1MiB, 1GiB", b)
	}
	*s = Size(n * unit)
	return nil
}

// MarshalText returns String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest unit that is exact.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && u.bytes > 1 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Duration is a length of time in Prometheus notation.
type Duration = rules.Duration

// Retention is how long a topic keeps its records: a duration, or forever (negative).
type Retention Duration

// Forever is the retention that deletes nothing.
const Forever Retention = -1

// UnmarshalText reads a duration or the word forever.
func (r *Retention) UnmarshalText(b []byte) error {
	if string(b) == "forever" {
		*r = Forever
		return nil
	}
	d, err := rules.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%w, or forever", err)
	}
	*r = Retention(d)
	return nil
}

// MarshalText returns String.
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the duration or "forever".
func (r Retention) String() string {
	if r < 0 {
		return "forever"
	}
	return Duration(r).String()
}
