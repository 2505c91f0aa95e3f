package pipeline_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Arrows of import run downwards only: the nouns at the bottom, technology at the leaves, wiring
// in cmd. The table says which of our packages a package may import, and which of the world's it
// must not; the reason is what breaks otherwise.
func TestImportLaw(t *testing.T) {
	laws := []struct {
		pkg    string
		may    []string // prefixes of our own packages
		banned []string // prefixes of others
		reason string
	}{
		{"quell/correlate", nil, []string{"time/", "net", "os", "log", "math/rand", "crypto/rand", "github.com", "golang.org"},
			"the engine is a pure fold: what it imports it could depend on"},
		{"quell/correlate/wire", []string{"quell/correlate"}, []string{"github.com", "net", "os"},
			"the byte form of the log must be readable without any client"},
		{"quell/correlate/archive", []string{"quell/correlate"}, []string{"github.com/twmb", "github.com/ClickHouse", "net", "os"},
			"blocks are built on the hot path and by tests without a server"},
		{"quell/rules", []string{"quell/correlate"}, []string{"github.com/twmb", "github.com/ClickHouse", "net/http", "os"},
			"rules are compiled from bytes: no I/O"},
		{"quell/pipeline/decode", []string{"quell/correlate"}, []string{"github.com/twmb", "net", "os", "log"},
			"decoders are pure: they are fuzzed without a broker"},
		{"quell/pipeline/dedup", []string{"quell/correlate"}, []string{"github.com/twmb", "net", "os", "log"},
			"verdicts must not depend on anything but the records"},
		{"quell/pipeline", []string{"quell/correlate", "quell/pipeline"}, []string{"github.com/ClickHouse"},
			"paging must not know ClickHouse, or it could wait for it"},
		{"quell/pipeline/embedded", nil, []string{"github.com/ClickHouse"}, "a broker is a broker"},
		{"quell/sinks/clickhouse", []string{"quell/correlate"}, []string{"github.com/twmb"},
			"adapters never import each other"},
		{"quell/sinks/page", []string{"quell/correlate"}, []string{"github.com/twmb", "github.com/ClickHouse"},
			"adapters never import each other"},
		{"quell/bench/workload", []string{"quell/correlate"}, []string{"github.com/twmb", "github.com/ClickHouse"},
			"a storm is made without a server"},
	}
	for _, law := range laws {
		t.Run(law.pkg, func(t *testing.T) {
			out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, law.pkg).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, imported := range strings.Fields(string(out)) {
				if strings.HasPrefix(imported, "quell/") && !allowed(imported, law.may) {
					t.Errorf("%s imports %s: arrows run downwards only", law.pkg, imported)
				}
				if allowed(imported, law.banned) {
					t.Errorf("%s imports %s: %s", law.pkg, imported, law.reason)
				}
			}
		})
	}
}

// allowed reports whether the package is one of the named or lies below one of them.
func allowed(pkg string, prefixes []string) bool {
	for _, p := range prefixes {
		if pkg == p || strings.HasPrefix(pkg, strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return false
}
