package decode

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// allowedImports are the imports of this package outside the standard library, with the reason.
var allowedImports = map[string]string{
	"quell/correlate":              "the event that decoding makes",
	"github.com/cespare/xxhash/v2": "places texts in the memo of matches; decides nothing",
}

// bannedImports are packages of the standard library that a pure decoder has no use for.
var bannedImports = map[string]string{
	"os": "decoding does no I/O", "net": "decoding does no I/O", "io": "a payload is bytes",
	"log": "the caller logs", "log/slog": "the caller logs", "sync": "a decoder is for one goroutine",
	"math/rand": "a verdict must be repeatable", "math/rand/v2": "a verdict must be repeatable",
	"hash/maphash": "its seed is random", "reflect": "the hot path", "context": "decoding never waits",
}

// TestImportLaw keeps decoding a pure function of bytes, metadata and format: that is what makes
// verdicts repeatable after a crash and lets every parser here be fuzzed. Kafka, YAML and clocks
// stay with the callers.
func TestImportLaw(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		checked++
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(path, "/")
			outside := strings.Contains(first, ".") || first == "quell"
			if _, ok := allowedImports[path]; outside && !ok {
				t.Errorf("%s imports %s: decode knows only the standard library and %v", name, path,
					allowedImports)
			}
			if why, banned := bannedImports[path]; banned {
				t.Errorf("%s imports %s: %s", name, path, why)
			}
		}
		for _, call := range []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.Local"} {
			if strings.Contains(string(source), call) {
				t.Errorf("%s calls %s: equal input must give equal events at any time", name, call)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d files were checked", checked)
	}
}
