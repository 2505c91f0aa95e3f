package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func (b *Broker) propertiesPath() string { return filepath.Join(b.dir, "server.properties") }

// configure chooses ports and writes server.properties, from the template that `make kafka` uses.
func (b *Broker) configure() error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	template, err := os.ReadFile(b.template)
	if err != nil {
		return err
	}
	names := b.listeners()
	ports, err := freePorts(len(names) + 1)
	if err != nil {
		return err
	}
	b.ports = make(map[string]string)
	var listeners []string
	for i, name := range names {
		b.ports[name] = "127.0.0.1:" + strconv.Itoa(ports[i])
		listeners = append(listeners, name+"://"+b.ports[name])
	}
	text := strings.NewReplacer(
		"@LISTENERS@", strings.Join(listeners, ","),
		"@CONTROLLER_PORT@", strconv.Itoa(ports[len(names)]),
		"@DIR@", b.dir,
	).Replace(string(template))

	more := b.security()
	maps.Copy(more, b.opts.Properties)
	for _, key := range slices.Sorted(maps.Keys(more)) {
		text += fmt.Sprintf("%s=%s\n", key, more[key]) // the last line for a key counts
	}
	return os.WriteFile(b.propertiesPath(), []byte(text), 0o600)
}

func (b *Broker) listeners() []string {
	names := []string{"PLAINTEXT"}
	if b.opts.User != nil {
		names = append(names, "SASL_PLAINTEXT")
	}
	if b.opts.TLS {
		names = append(names, "SSL")
	}
	if b.opts.User != nil && b.opts.TLS {
		names = append(names, "SASL_SSL")
	}
	return names
}

// security is what the SASL and TLS listeners need.
func (b *Broker) security() map[string]string {
	set := make(map[string]string)
	if u := b.opts.User; u != nil {
		set["sasl.enabled.mechanisms"] = u.Mechanism
		for _, listener := range []string{"sasl_plaintext", "sasl_ssl"} {
			mechanism := strings.ToLower(u.Mechanism)
			key := fmt.Sprintf("listener.name.%s.%s.sasl.jaas.config", listener, mechanism)
			set[key] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
	}
	if b.authority != nil {
		// Kafka wants PEM with its line ends, a properties file wants them escaped.
		oneLine := func(pem []byte) string { return strings.ReplaceAll(string(pem), "\n", `\n`) }
		set["ssl.keystore.type"] = "PEM"
		set["ssl.keystore.certificate.chain"] = oneLine(b.authority.serverCert)
		set["ssl.keystore.key"] = oneLine(b.authority.serverKey)
	}
	return set
}
