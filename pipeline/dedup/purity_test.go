package dedup

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// What a pure package may import, each with its reason. A verdict must be a fold over records and
// configuration: whatever can tell one machine, moment or run from another stays out.
var allowedImports = map[string]string{
	"bytes":                        "compares fingerprints",
	"cmp":                          "orders",
	"crypto/sha256":                "condenses configured keys",
	"encoding/binary":              "the byte form of identities and snapshots",
	"encoding/hex":                 "configured keys",
	"errors":                       "errors",
	"fmt":                          "errors; never in a decision",
	"iter":                         "snapshots in pieces",
	"math":                         "bounds of integers",
	"math/bits":                    "rotations",
	"slices":                       "sorts",
	"github.com/cespare/xxhash/v2": "partitioning and checksums",
	"quell/correlate":              "the nouns",
}

func TestPurity(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	set, checked := token.NewFileSet(), 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		checked++
		parsed, err := parser.ParseFile(set, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); allowedImports[path] == "" {
				t.Errorf("%s imports %s, which is not on the list of what a pure package needs: "+
					"add it with a reason, unless it reads a clock, draws numbers or does I/O",
					set.Position(i.Pos()), path)
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if why := impure(n); why != "" {
				t.Errorf("%s: %s", set.Position(n.Pos()), why)
			}
			return true
		})
	}
	if checked == 0 {
		t.Fatal("no source file found")
	}
}

// impure says why a piece of syntax has no place in the package, or "".
func impure(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "starts a goroutine: the order of goroutines differs from run to run"
	case *ast.SelectStmt:
		return "selects among channels: the choice is random"
	case *ast.MapType:
		return "uses a map: its order is random, and its entries are garbage to scan"
	case *ast.BasicLit:
		if n.Kind == token.FLOAT {
			return "uses floating point: fused multiply-add differs between machines"
		}
	case *ast.Ident:
		if n.Name == "float64" || n.Name == "float32" {
			return "uses floating point: fused multiply-add differs between machines"
		}
	}
	return ""
}
