package dedup

import (
	"errors"
	"fmt"
	"slices"

	"quell/correlate"
)

// Config says how a table deduplicates. Zero values mean the defaults.
type Config struct {
	Key            [16]byte           // secret; DefaultKey
	Window         correlate.Duration // quiet time after which a fingerprint is forgotten; 5m
	UpdateInterval correlate.Duration // least time between cumulative updates; 10s
	MaxSkew        correlate.Duration // fall of stream time that is held, not followed; 10m
	MaxEntries     int                // live fingerprints; 2,000,000
	PassOn         []string           // labels whose change passes on at once, in any order
}

// The defaults of a Config.
const (
	DefaultWindow         = 5 * correlate.Minute
	DefaultUpdateInterval = 10 * correlate.Second
	DefaultMaxSkew        = 10 * correlate.Minute
	DefaultMaxEntries     = 2_000_000
)

// The bounds of a Config. Within an entry the time since the last pass-on has 32 bits of
// milliseconds, and slots are numbered with 32 bits.
const (
	maxWindow  = 30 * 24 * correlate.Hour
	maxSkew    = 365 * 24 * correlate.Hour
	maxEntries = 1 << 30
)

// withDefaults returns c complete and its labels sorted, or all that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	c.Window = defaulted(c.Window, DefaultWindow)
	c.UpdateInterval = defaulted(c.UpdateInterval, min(DefaultUpdateInterval, c.Window))
	c.MaxSkew = defaulted(c.MaxSkew, DefaultMaxSkew)
	if c.MaxEntries == 0 {
		c.MaxEntries = DefaultMaxEntries
	}
	var errs []error
	if c.Window < 0 || c.Window > maxWindow {
		errs = append(errs, fmt.Errorf("window is %v: write more than 0 and at most %v",
			c.Window, maxWindow))
	}
	if c.UpdateInterval < 0 || c.UpdateInterval > c.Window {
		errs = append(errs, fmt.Errorf("update_interval is %v: write more than 0 and at most the "+
			"window (%v), or counts would be forgotten before they are told",
			c.UpdateInterval, c.Window))
	}
	if c.MaxSkew < 0 || c.MaxSkew > maxSkew {
		errs = append(errs, fmt.Errorf("max_skew is %v: write more than 0 and at most %v",
			c.MaxSkew, maxSkew))
	}
	if c.MaxEntries < 1 || c.MaxEntries > maxEntries {
		errs = append(errs, fmt.Errorf("max_entries is %d: write at least 1 and at most %d",
			c.MaxEntries, maxEntries))
	}
	c.PassOn = slices.Clone(c.PassOn)
	slices.Sort(c.PassOn)
	c.PassOn = slices.Compact(c.PassOn)
	if slices.Contains(c.PassOn, "") {
		errs = append(errs, fmt.Errorf("pass_on label %q has no name: remove it", ""))
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("deduplication: %w", err)
	}
	return c, nil
}

func defaulted(d, otherwise correlate.Duration) correlate.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
