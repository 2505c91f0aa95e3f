// Package peers holds the configurations under which quell's benchmark runs two other programs over
// the events that it measures quell with: Bento, a stream processor in Go on the same Kafka client,
// and SEC, the simple event correlator, which reads lines of text. Each does the part of intake's work
// that it can be configured to do, and neither archives anything.
//
// `quell bench --peers` runs those that it finds on PATH. Bento can be built in the directory bento;
// SEC is Debian's package sec.
package peers

import _ "embed"

// Bento returns Bento's configuration. It reads BROKER, FROM, TO and GROUP from the environment.
func Bento() []byte { return []byte(bento) }

// SEC returns SEC's rules.
func SEC() []byte { return []byte(sec) }

//go:embed bento.yaml
var bento string

//go:embed sec.conf
var sec string
