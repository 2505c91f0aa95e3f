package config

import (
	"log/slog"
	"net"
	"strconv"

	"quell/rules"
)

// Units of durations, in the package's own words.
const (
	millisecond = rules.Millisecond
	second      = rules.Second
	minute      = rules.Minute
	hour        = rules.Hour
	day         = rules.Day
	year        = 365 * day
)

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

func (l *Log) check(v *checker) {
	v.oneOf("log.level", l.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", l.Format, "text", "json")
}

// SlogLevel returns the level for log/slog.
func (l *Log) SlogLevel() slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(l.Level)) != nil {
		return slog.LevelInfo
	}
	return level
}

// DefaultMetrics is where metrics are served unless the configuration says otherwise.
const DefaultMetrics = "127.0.0.1:9464"

// Metrics says where metrics, health and profiles are served.
type Metrics struct {
	Listen string `yaml:"listen"` // host:port; port 0 is any free one
	Pprof  bool   `yaml:"pprof"`
}

// check demands a host: an address such as :9464 would listen on all interfaces without saying so.
func (m *Metrics) check(v *checker) {
	host, port, err := net.SplitHostPort(m.Listen)
	if err != nil {
		v.wrong("metrics.listen", "%q is not host:port; write one such as 127.0.0.1:9464", m.Listen)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.wrong("metrics.listen", "%q is not a port; write 0 to 65535", port)
	}
	if host == "" {
		v.wrong("metrics.listen", "%q does not say on which interfaces; write 127.0.0.1:%s for this"+
			" machine or 0.0.0.0:%s for all", m.Listen, port, port)
	}
	if ip := net.ParseIP(host); m.Pprof && ip != nil && !ip.IsLoopback() {
		v.warn("metrics.pprof", "everybody who reaches %s can read profiles; write pprof: false or"+
			" listen on 127.0.0.1", m.Listen)
	}
}
