package correlate_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The engine is a pure fold: two owners that read the same records must page the same people at
// the same times. Everything below could make them differ, and most of it only once in a while.

// allowed are the packages that the engine may import, all of the standard library. A package
// joins the list with a reason why it can neither read the world nor decide anything by chance.
var allowed = map[string]string{
	"bytes":           "compares and trims",
	"crypto/sha256":   "names incidents, ends hashes",
	"encoding/binary": "varints",
	"encoding/hex":    "text form of fingerprints and hashes",
	"encoding/json":   "a Time's JSON form",
	"errors":          "errors",
	"fmt":             "errors and texts",
	"iter":            "ranges over a function",
	"math":            "the bounds of integers",
	"math/bits":       "rotates words",
	"slices":          "sorts and compares",
	"sort":            "finds in sorted lists",
	"strconv":         "the partition in an incident's id",
	"strings":         "copies and compares",
	"time":            "a Time's text form; reading the clock is banned below",
}

// banned are selectors of allowed packages, with the reason.
var banned = map[string]string{
	"time.Now":       "the engine's time comes from the log",
	"time.Since":     "the engine's time comes from the log",
	"time.Until":     "the engine's time comes from the log",
	"time.Sleep":     "the engine waits for nothing",
	"time.After":     "the engine's timers are records of its state",
	"time.AfterFunc": "the engine's timers are records of its state",
	"time.Tick":      "the engine's timers are records of its state",
	"time.NewTimer":  "the engine's timers are records of its state",
	"time.NewTicker": "the engine's timers are records of its state",
	"time.Local":     "the machine's time zone is not in the log",
	"time.Date":      "its location could be the machine's",
	"fmt.Print":      "the engine does no output",
	"fmt.Println":    "the engine does no output",
	"fmt.Printf":     "the engine does no output",
}

func TestTheEngineIsPure(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(files))
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	if _, err := conf.Check("quell/correlate", fset, files, info); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		checkPure(t, fset, f, info)
	}
}

func checkPure(t *testing.T, fset *token.FileSet, f *ast.File, info *types.Info) {
	excused := map[int]bool{} // lines that say why the order of a map does not matter
	for _, group := range f.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, "//quell:unsorted "); ok && reason != "" {
				excused[fset.Position(c.Pos()).Line] = true
			}
		}
	}
	refuse := func(n ast.Node, why string) { t.Errorf("%s: %s", fset.Position(n.Pos()), why) }
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || allowed[path] == "" {
			refuse(spec, "import of "+spec.Path.Value+": the engine imports only packages of the "+
				"standard library that cannot read the world")
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
			refuse(n, "goroutines and channels make the order of things depend on the scheduler")
		case *ast.SelectorExpr:
			if p, ok := n.X.(*ast.Ident); ok && banned[p.Name+"."+n.Sel.Name] != "" {
				refuse(n, p.Name+"."+n.Sel.Name+": "+banned[p.Name+"."+n.Sel.Name])
			}
		case *ast.RangeStmt:
			if _, ok := info.Types[n.X].Type.Underlying().(*types.Map); ok &&
				!excused[fset.Position(n.Pos()).Line] {
				refuse(n, "Go iterates maps in random order: sort, or say //quell:unsorted and why")
			}
		case ast.Expr:
			if tv, ok := info.Types[n]; ok && isFloat(tv.Type) {
				refuse(n, "floating point: rounding differs between machines and orders of addition")
			}
		}
		return true
	})
}

func isFloat(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}
