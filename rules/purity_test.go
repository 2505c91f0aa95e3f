package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed are the imports of the package, each with its reason. A rule set must be a function of
// its source: whatever could read a file, the network or a clock, or draw a random number, would
// make two processes with one configuration disagree.
var allowed = map[string]string{
	"crypto/sha256": "the hash of a set", "encoding/json": "the canonical form", "errors": "errors",
	"fmt": "texts", "net/url": "addresses are parsed, never fetched", "regexp": "globs",
	"regexp/syntax": "which regular expressions are lists", "unicode": "the replacement character",
	"slices": "lists", "sort": "lists", "strconv": "quoting", "strings": "texts",
	"unicode/utf8": "what is no text is refused",
	"time":         "the unit of durations; reading a clock is checked for below",
	"github.com/prometheus/alertmanager/matcher/parse": "the syntax of matchers",
	"github.com/prometheus/alertmanager/pkg/labels":    "matchers",
	"github.com/prometheus/common/model":               "the notation of durations",
	"quell/correlate":                                  "the nouns",
}

func TestPurity(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || allowed[path] == "" {
				t.Errorf("%s imports %s: rules are pure; move it out, or add it to the list with the"+
					" reason why it cannot make two processes disagree", name, spec.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && s.Sel.Name != "Duration" &&
				s.Sel.Name != "Millisecond" {
				t.Errorf("%s uses time.%s: the time of rules comes from alerts", name, s.Sel.Name)
			}
			return true
		})
	}
}
