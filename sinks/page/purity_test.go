package page

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed are the imports of the package, each with its reason. Equal pages must be equal bytes: a
// page that is written again after a crash is compared with, and taken for, the first.
var allowed = map[string]string{
	"bytes": "buffers", "encoding/json": "the form", "fmt": "texts", "strconv": "numbers",
	"strings": "texts", "unicode": "what ends a line",
	"time":            "the units of ages; reading a clock is checked for below",
	"quell/correlate": "the nouns",
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
				t.Errorf("%s imports %s: page forms are pure; move it out, or add it to the list with the"+
					" reason why it cannot make equal pages differ", name, spec.Path.Value)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && s.Sel.Name != "Hour" &&
				s.Sel.Name != "Minute" && s.Sel.Name != "Second" {
				t.Errorf("%s uses time.%s: the time of a page is its own At", name, s.Sel.Name)
			}
			return true
		})
	}
}
