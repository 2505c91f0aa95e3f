package config

import (
	"net/url"
	"regexp"
	"strings"
)

// ClickHouse says where the archive is.
type ClickHouse struct {
	Address  string   `yaml:"address"` // embedded, clickhouse://host:9000 or http(s)://host:8123
	Database string   `yaml:"database"`
	User     string   `yaml:"user"`
	Password Secret   `yaml:"password"`
	TLS      TLS      `yaml:"tls"`
	TTL      Duration `yaml:"ttl"` // from the day of archiving
	Insert   Insert   `yaml:"insert"`
}

// Insert says when collected rows are written: as soon as one of the two is reached. While a storm
// brings many rows, Every is five times as long.
type Insert struct {
	Rows  int      `yaml:"rows"`
	Every Duration `yaml:"every"`
}

func defaultClickHouse() ClickHouse {
	return ClickHouse{Address: Embedded, Database: "quell", User: "default", TTL: 90 * day,
		Insert: Insert{Rows: 200_000, Every: second}}
}

// Embedded reports whether the engine inside the process is meant.
func (c *ClickHouse) Embedded() bool { return c.Address == Embedded }

var databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,99}$`)

func (c *ClickHouse) check(v *checker) {
	c.checkAddress(v)
	if !databaseName.MatchString(c.Database) {
		v.wrong("clickhouse.database", "%q is not a database name; write letters, digits and _",
			c.Database)
	}
	if c.User == "" {
		v.wrong("clickhouse.user", "no user; write user: default")
	}
	c.TLS.check(v, "clickhouse.tls")
	within(v, "clickhouse.ttl", c.TTL, day, 10*year)
	within(v, "clickhouse.insert.rows", c.Insert.Rows, 1, 1_000_000)
	within(v, "clickhouse.insert.every", c.Insert.Every, 10*millisecond, hour)
}

const addressForms = "write clickhouse://host:9000, http://host:8123, https://host:8443 or embedded"

// checkAddress moves credentials, database and encryption out of the address, and leaves
// scheme://host:port.
func (c *ClickHouse) checkAddress(v *checker) {
	const path = "clickhouse.address"
	if c.Embedded() {
		return
	}
	u, err := url.Parse(c.Address)
	if err != nil { // the error repeats the address, which may hold a password
		v.wrong(path, "not an address; "+addressForms)
		return
	}
	if u.Scheme != "clickhouse" && u.Scheme != "http" && u.Scheme != "https" || !isHostPort(u.Host) {
		v.wrong(path, "%q has no scheme and host:port that quell knows; "+addressForms, u.Redacted())
		return
	}
	if u.RawQuery != "" || u.Fragment != "" {
		v.wrong(path, "%q carries parameters; remove them and use the keys user, password, database"+
			" and tls", u.Redacted())
		return
	}
	if u.User != nil {
		c.User = u.User.Username()
		if password, ok := u.User.Password(); ok {
			c.Password = NewSecret(password)
		}
	}
	if database := strings.Trim(u.Path, "/"); database != "" {
		c.Database = database
	}
	if u.Scheme == "https" {
		c.TLS.Enabled = true
	}
	if u.Scheme == "http" && c.TLS.Enabled {
		u.Scheme = "https"
	}
	c.Address = u.Scheme + "://" + u.Host
}
