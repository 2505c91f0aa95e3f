package config

import (
	"slices"

	"quell/correlate"
	"quell/rules"
)

// Config is the whole configuration. A Config that Load or Check returned is valid and complete.
type Config struct {
	Kafka      Kafka               `yaml:"kafka"`
	ClickHouse ClickHouse          `yaml:"clickhouse"`
	Topics     Topics              `yaml:"topics"`
	Dedup      Dedup               `yaml:"dedup"`
	Rules      []rules.Rule        `yaml:"rules"`
	Routes     []Route             `yaml:"routes"`
	Services   []rules.Service     `yaml:"services"`
	Limits     Limits              `yaml:"limits"`
	Clock      correlate.ClockMode `yaml:"clock"`
	Log        Log                 `yaml:"log"`
	Metrics    Metrics             `yaml:"metrics"`

	// Data is the directory of the embedded servers. It comes from the command line only.
	Data string `yaml:"-"`

	compiled compiled
}

// Embedded is the address of a server inside the process, of Kafka and of ClickHouse.
const Embedded = "embedded"

// DefaultData is the directory of the embedded servers when none is given.
const DefaultData = ".quell/"

// unchecked returns the defaults, before anything is compiled.
func unchecked() *Config {
	return &Config{
		Kafka:      defaultKafka(),
		ClickHouse: defaultClickHouse(),
		Topics:     defaultTopics(),
		Dedup:      defaultDedup(),
		Limits:     defaultLimits(),
		Clock:      correlate.ClockAppend,
		Log:        Log{Level: "info", Format: "text"},
		Metrics:    Metrics{Listen: DefaultMetrics},
		Data:       DefaultData,
	}
}

// Default returns the configuration of an empty file.
func Default() *Config {
	c, problems := Check("default", nil, Overrides{})
	if err := problems.Err(); err != nil {
		panic("config: the defaults must be valid: " + err.Error())
	}
	return c
}

// check validates every section and compiles what the configuration describes.
func (c *Config) check(v *checker) {
	c.Kafka.check(v)
	c.ClickHouse.check(v)
	c.Topics.check(v)
	c.Dedup.check(v)
	c.Limits.check(v)
	c.Log.check(v)
	c.Metrics.check(v)
	c.checkRoutes(v)
	c.compile(v)
}

// Redacted returns a copy whose secrets are gone for good: Reveal returns "<redacted>".
func (c *Config) Redacted() *Config {
	out := *c
	out.Routes = slices.Clone(c.Routes)
	secrets := []*Secret{&out.Kafka.SASL.Password, &out.ClickHouse.Password, &out.Dedup.Key}
	for i := range out.Routes {
		secrets = append(secrets, &out.Routes[i].RoutingKey)
	}
	for _, s := range secrets {
		*s = NewSecret(s.String())
	}
	return &out
}
