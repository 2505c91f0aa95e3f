package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/correlate"
	"quell/pipeline"
)

// generators make the blocks that need no server.
func generators(t *testing.T) map[string]func() string {
	return map[string]func() string{
		"sample":   func() string { return fenced("yaml", string(config.Sample())) },
		"commands": commandTable,
		"flags":    func() string { return fenced("", newRoot().PersistentFlags().FlagUsages()) },
		"topics":   func() string { return topicTable(t) },
		"metrics":  func() string { return metricTable(t) },
		"verdicts": func() string {
			return wordTable(t, "Verdict", func(n uint8) string { return correlate.Verdict(n).String() })
		},
		"dispositions": func() string {
			return wordTable(t, "Disposition", func(n uint8) string { return correlate.Disposition(n).String() })
		},
		"states": func() string {
			return wordTable(t, "State", func(n uint8) string { return correlate.State(n).String() })
		},
		"reasons": func() string {
			return wordTable(t, "PageReason", func(n uint8) string { return correlate.PageReason(n).String() })
		},
		"packages": func() string { return packageTable(t) },
		"make":     func() string { return makeHelp(t) },
		"targets":  func() string { return "\n" + results(t).Targets() + "\n" },
		"capacity": func() string { return capacityTable(t) },
	}
}

func fileBlock(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return fenced(strings.TrimPrefix(filepath.Ext(path), "."), string(b))
}

// markdown returns a table; the first row is its head.
func markdown(rows ...[]string) string {
	var b strings.Builder
	b.WriteString("\n")
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String() + "\n"
}

func code(s string) string { return "`" + s + "`" }

func commandTable() string {
	rows := [][]string{{"command", "what it does"}}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && !c.Hidden && !c.HasSubCommands() {
			_, args, _ := strings.Cut(c.Use, " ")
			use := strings.TrimSpace(c.CommandPath() + " " + args)
			rows = append(rows, []string{code(use), c.Short})
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	return markdown(rows...)
}

func topicTable(t *testing.T) string {
	t.Helper()
	rows := [][]string{{"topic", "partitions", "cleanup", "kept for", "record time"}}
	topics := app.Topics(config.Default())
	for _, s := range topics.Specs(correlate.ClockAppend) {
		kept := "the latest of each key"
		if ms, err := strconv.Atoi(s.Configs["retention.ms"]); err == nil {
			kept = fmt.Sprintf("%d days", ms/86_400_000)
		}
		rows = append(rows, []string{code(s.Name), fmt.Sprint(s.Partitions), s.Configs["cleanup.policy"],
			kept, s.Configs["message.timestamp.type"]})
	}
	return markdown(rows...)
}

// registered keeps what a service registers.
type registered struct{ all []prometheus.Collector }

func (r *registered) Register(c prometheus.Collector) error {
	r.all = append(r.all, c)
	return nil
}
func (r *registered) MustRegister(all ...prometheus.Collector) { r.all = append(r.all, all...) }
func (r *registered) Unregister(prometheus.Collector) bool     { return false }

func metricTable(t *testing.T) string {
	t.Helper()
	o, err := app.Pipeline(config.Default(), "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	reg := new(registered)
	o.Metrics = reg
	if _, err := pipeline.New(o); err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`fqName: "(\w+)", help: "([^"]*)",.* variableLabels: {([^}]*)}`)
	var rows [][]string
	for _, c := range reg.all {
		found := make(chan *prometheus.Desc, 16)
		c.Describe(found)
		close(found)
		for d := range found {
			m := parts.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("a metric of another form: %s", d)
			}
			rows = append(rows, []string{code(m[1]), kindOf(c), strings.ReplaceAll(m[3], ",", ", "), m[2]})
		}
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return markdown(append([][]string{{"metric", "type", "labels", "what it tells"}}, rows...)...)
}

func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.GaugeVec, prometheus.Gauge:
		return "gauge"
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	return "counter"
}

// wordTable lists the words of a closed set with the comments of their constants.
func wordTable(t *testing.T, kind string, word func(uint8) string) string {
	t.Helper()
	path := filepath.Join(repository, "correlate/words.go")
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{strings.ToLower(strings.TrimPrefix(kind, "Page")), "meaning"}}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != kind {
			return true
		}
		value, err := strconv.ParseUint(spec.Values[0].(*ast.BasicLit).Value, 10, 8)
		if err != nil || spec.Comment == nil {
			t.Fatalf("%s: %v, comment %v", spec.Names[0], err, spec.Comment)
		}
		rows = append(rows, []string{code(word(uint8(value))), strings.TrimSpace(spec.Comment.Text())})
		return true
	})
	return markdown(rows...)
}

// packageTable lists the packages that stand for something outside of themselves, with the first
// sentence of their comments.
func packageTable(t *testing.T) string {
	t.Helper()
	said := map[string]string{}
	walk(t, ".go", func(path string) {
		const head = parser.PackageClauseOnly | parser.ParseComments
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, head)
		if err != nil || f.Doc == nil || strings.HasSuffix(path, "_test.go") {
			return
		}
		dir, err := filepath.Rel(repository, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(dir, "internal") {
			return // where a command or a package keeps what is its own
		}
		says := new(doc.Package).Synopsis(f.Doc.Text())
		said[dir] = strings.NewReplacer("Package "+f.Name.Name+" ", "", "[", "", "]", "",
			"|", `\|`).Replace(says)
	})
	rows := [][]string{{"package", "what it is"}}
	for _, dir := range slices.Sorted(maps.Keys(said)) {
		rows = append(rows, []string{code(dir), said[dir]})
	}
	return markdown(rows...)
}

func makeHelp(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{"target", "what it does"}}
	targets := regexp.MustCompile(`(?m)^([a-z-]+):.*## (.*)$`)
	for _, m := range targets.FindAllStringSubmatch(string(b), -1) {
		rows = append(rows, []string{code("make " + m[1]), m[2]})
	}
	return markdown(rows...)
}

// walk calls f with the repository's files of an extension.
func walk(t *testing.T, ext string, f func(path string)) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil && errors.Is(err, fs.ErrNotExist): // somebody's temporary file
			return nil
		case err != nil:
			return err
		case d.IsDir() && path != repository && (name[0] == '.' || name == "testdata" || name == "bin"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ext):
			f(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources returns the text of all files of an extension.
func sources(t *testing.T, ext string) string {
	t.Helper()
	var all strings.Builder
	walk(t, ext, func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	})
	return all.String()
}
