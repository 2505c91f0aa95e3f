package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Overrides are what the command line and the process bring to a configuration.
type Overrides struct {
	Kafka      string // --kafka: brokers with commas, or embedded; "" is the file's
	ClickHouse string // --clickhouse: an address, or embedded; "" is the file's
	Data       string // --data: directory of the embedded servers; "" is DefaultData

	// Getenv looks up an environment variable, as os.LookupEnv does; nil knows none.
	Getenv func(string) (string, bool)
}

// Load reads and checks the file. The error says that it cannot be read; the Config is nil if the
// problems prevent its use.
func Load(path string, o Overrides) (*Config, Problems, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w; `quell config sample` prints one to begin"+
			" with", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	c, problems := Check(path, data, o)
	if c != nil {
		c.Kafka.TLS.resolve(filepath.Dir(path))
		c.ClickHouse.TLS.resolve(filepath.Dir(path))
	}
	return c, problems, nil
}

// Check checks the bytes of a configuration; file is the name in the problems. It does no I/O. The
// Config is nil if the problems prevent its use.
func Check(file string, data []byte, o Overrides) (*Config, Problems) {
	c := unchecked()
	d := &decoder{at: map[string]position{}}
	fatal := c.read(d, data, o)
	v := &checker{file: file, locate: d.locate, written: d.written, override: c.apply(o)}
	if fatal == nil {
		c.check(v)
	}
	v.problems = withoutConsequences(v.problems, d.problems)
	for _, p := range append(d.problems, fatal...) {
		p.File, p.Severity = file, SeverityError
		v.problems = append(v.problems, p)
	}
	v.problems.sort()
	if len(v.problems.Errors()) > 0 {
		return nil, v.problems
	}
	return c, v.problems
}

// read decodes data into c. It returns the problems after which nothing else can be checked.
func (c *Config) read(d *decoder, data []byte, o Overrides) []Problem {
	root, problem := parse(data)
	if problem != nil {
		return []Problem{*problem}
	}
	if root == nil {
		return nil
	}
	env := &environment{lookup: o.Getenv}
	if env.lookup == nil {
		env.lookup = func(string) (string, bool) { return "", false }
	}
	env.substitute(root, 0)
	x := &expansion{}
	root = x.copy(root, 0)
	if x.problem != nil {
		return []Problem{*x.problem}
	}
	d.decode(root, reflect.ValueOf(c).Elem(), "")
	paths := d.paths()
	for _, p := range env.problems {
		p.Path = paths[position{p.Line, p.Column}]
		d.problems = append(d.problems, p)
	}
	return nil
}

// apply puts the overrides in place and says which flag set what.
func (c *Config) apply(o Overrides) map[string]string {
	flags := map[string]string{}
	if o.Kafka != "" {
		_ = c.Kafka.Brokers.UnmarshalText([]byte(o.Kafka)) // cannot fail
		flags["kafka.brokers"] = "--kafka"
	}
	if o.ClickHouse != "" {
		c.ClickHouse.Address = o.ClickHouse
		flags["clickhouse.address"] = "--clickhouse"
	}
	if o.Data != "" {
		c.Data = o.Data
	}
	return flags
}

// withoutConsequences removes from checked what was said about values that could not be decoded in
// the first place, and warnings about a list of rules of which one could not.
func withoutConsequences(checked, decoded Problems) Problems {
	causes, lists := map[string]bool{}, map[string]bool{}
	for _, p := range decoded {
		list, _, _ := strings.Cut(p.Path, "[")
		causes[p.Path], lists[list] = true, true
	}
	return slices.DeleteFunc(checked, func(p Problem) bool {
		list, _, _ := strings.Cut(p.Path, "[")
		if p.Severity == SeverityWarning && lists[list] {
			return true
		}
		for path := p.Path; path != ""; path = around(path) {
			if causes[path] {
				return true
			}
		}
		return false
	})
}
