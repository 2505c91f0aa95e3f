package archive_test

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestLaw: the package is pure. Blocks depend on rows and nothing else, so it reads no clock and
// imports the standard library, correlate and S2 only, which packs bytes and knows nothing else.
// (hash/maphash seeds the dictionaries' tables against made collisions; the order of a dictionary is
// that of first appearance.)
func TestLaw(t *testing.T) {
	banned := map[string]string{
		"time":         "a retried insert must be byte for byte the same",
		"math/rand":    "a block is a function of its rows",
		"math/rand/v2": "a block is a function of its rows",
		"os":           "the archive's form does no I/O",
		"net":          "the archive's form does no I/O",
		"log":          "who calls decides what is said",
		"log/slog":     "who calls decides what is said",
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why, ok := banned[path]; ok {
				t.Errorf("%s imports %s: %s", name, path, why)
			}
			first, _, _ := strings.Cut(path, "/")
			if path == "github.com/klauspost/compress/s2" {
				continue
			}
			if strings.Contains(first, ".") || (first == "quell" && path != "quell/correlate") {
				t.Errorf("%s imports %s: only the standard library, quell/correlate and S2 "+
					"may be", name, path)
			}
		}
	}
}
