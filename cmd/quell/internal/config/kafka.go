package config

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kafka says how to reach the brokers and how to appear there.
type Kafka struct {
	Brokers     Brokers `yaml:"brokers"`
	ClientID    string  `yaml:"client_id"`
	Group       string  `yaml:"group"`    // begins the names of consumer groups and transactions
	Instance    string  `yaml:"instance"` // static group membership; "" is dynamic
	TLS         TLS     `yaml:"tls"`
	SASL        SASL    `yaml:"sasl"`
	Replication int16   `yaml:"replication_factor"` // of topics created; 0 is the broker's default
	// SessionTimeout is how long a process may be silent before others take over its partitions.
	SessionTimeout Duration `yaml:"session_timeout"`
}

// Brokers is a list of host:port, or Embedded alone. In YAML it is a list or one text with commas.
type Brokers []string

// UnmarshalText splits the form with commas.
func (b *Brokers) UnmarshalText(text []byte) error {
	*b = nil
	for one := range strings.SplitSeq(string(text), ",") {
		if one = strings.TrimSpace(one); one != "" {
			*b = append(*b, one)
		}
	}
	return nil
}

// Embedded reports whether the broker inside the process is meant.
func (k *Kafka) Embedded() bool { return len(k.Brokers) == 1 && k.Brokers[0] == Embedded }

// SASL says who logs in.
type SASL struct {
	Mechanism string `yaml:"mechanism"` // "" is no login
	User      string `yaml:"user"`
	Password  Secret `yaml:"password"`
}

func defaultKafka() Kafka {
	return Kafka{Brokers: Brokers{Embedded}, ClientID: "quell", Group: "quell",
		SessionTimeout: 6 * second}
}

var kafkaName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

func (k *Kafka) check(v *checker) {
	if len(k.Brokers) == 0 {
		v.wrong("kafka.brokers", "no broker; write host:port, several with commas, or embedded")
	}
	for i, b := range k.Brokers {
		if b == Embedded && len(k.Brokers) == 1 {
			break
		}
		if !isHostPort(b) {
			v.wrong(k.brokerPath(v, i), "%q is not host:port; write one such as kafka-1:9092, or"+
				" embedded alone", b)
		}
	}
	for _, name := range []struct{ path, value string }{
		{"kafka.client_id", k.ClientID}, {"kafka.group", k.Group}, {"kafka.instance", k.Instance},
	} {
		if !kafkaName.MatchString(name.value) && (name.value != "" || name.path != "kafka.instance") {
			v.wrong(name.path, "%q is not a name; write letters, digits, dots, _ and -, at most 200",
				name.value)
		}
	}
	within(v, "kafka.replication_factor", k.Replication, 0, 100)
	within(v, "kafka.session_timeout", k.SessionTimeout, second, 5*minute)
	k.TLS.check(v, "kafka.tls")
	k.SASL.check(v, k.TLS.Enabled)
}

// brokerPath names the i-th broker, or all of them where one text named them.
func (k *Kafka) brokerPath(v *checker, i int) string {
	path := "kafka.brokers[" + strconv.Itoa(i) + "]"
	if v.override["kafka.brokers"] == "" && v.written(path) {
		return path
	}
	return "kafka.brokers"
}

func (s *SASL) check(v *checker, encrypted bool) {
	if s.Mechanism == "" {
		// A password alone is no mistake: the sample takes it from the environment, where it may stand
		// for another program.
		if s.User != "" {
			v.wrong("kafka.sasl", "user and password need a mechanism; write mechanism:"+
				" scram-sha-512, scram-sha-256 or plain")
		}
		return
	}
	v.oneOf("kafka.sasl.mechanism", s.Mechanism, "plain", "scram-sha-256", "scram-sha-512")
	if s.User == "" {
		v.wrong("kafka.sasl.user", "the mechanism %s needs a user; write user: name", s.Mechanism)
	}
	if !s.Password.IsSet() {
		v.wrong("kafka.sasl.password", "the mechanism %s needs a password; write password:"+
			" ${KAFKA_PASSWORD}", s.Mechanism)
	}
	if s.Mechanism == "plain" && !encrypted {
		v.warn("kafka.sasl.mechanism", "plain sends the password readable over the network; write"+
			" kafka.tls.enabled: true or a scram mechanism")
	}
}

// isHostPort reports whether s names a host and a port that can be connected to.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, convErr := strconv.ParseUint(port, 10, 16)
	return err == nil && convErr == nil && n > 0 && host != "" &&
		!slices.ContainsFunc([]rune(host), func(r rune) bool {
			return r <= ' ' || strings.ContainsRune("/@?#,", r)
		})
}
