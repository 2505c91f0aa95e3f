package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README says about the program is made by the program. A block
//
//	<!-- begin: NAME -->
//	...
//	<!-- end: NAME -->
//
// is compared with what NAME gives now; -update writes that instead. The names are:
//
//	file PATH      the file of the repository
//	run NAME       the commands behind "$ ", run in this order in a directory that holds the file
//	               blocks, with what they print
//	incident, page quell, page pagerduty
//	               what the run wrote, and what the service pages about the same events
//	others         see generators
//
// The runs need the engine: TestRealReadme.
const (
	readmePath = "../../README.md"
	repository = "../.."
	howUpdate  = "go test ./cmd/quell -run Readme -update"
)

var (
	update = flag.Bool("update", false, "rewrite the generated blocks of README.md")
	// blocks are matched by their names; RE2 has no back references, so the end is checked later.
	blocks = regexp.MustCompile(`(?s)<!-- begin: ([^\n]+) -->\n(.*?)<!-- end: ([^\n]+) -->\n`)
)

// readme is the README and what became of its blocks.
type readme struct {
	t    *testing.T
	text string
}

func openReadme(t *testing.T) *readme {
	t.Helper()
	b, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	return &readme{t, string(b)}
}

// each offers every block to make, which returns what it should be, and whether it knows the block.
func (r *readme) each(make func(name, have string) (string, bool)) {
	r.t.Helper()
	r.text = blocks.ReplaceAllStringFunc(r.text, func(all string) string {
		m := blocks.FindStringSubmatch(all)
		if m[1] != m[3] {
			r.t.Errorf("block %q ends as %q", m[1], m[3])
			return all
		}
		want, ok := make(m[1], m[2])
		if !ok || want == m[2] {
			return all
		}
		if !*update {
			r.t.Errorf("block %q is not what it says now; run %s\nhave\n%s\nwant\n%s", m[1], howUpdate,
				m[2], want)
		}
		return "<!-- begin: " + m[1] + " -->\n" + want + "<!-- end: " + m[1] + " -->\n"
	})
}

func (r *readme) close() {
	r.t.Helper()
	if !*update || r.t.Failed() {
		return
	}
	if err := os.WriteFile(readmePath, []byte(r.text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// TestReadme compares the blocks that need no server.
func TestReadme(t *testing.T) {
	r := openReadme(t)
	defer r.close()
	makers := generators(t)
	r.each(func(name, _ string) (string, bool) {
		if path, ok := strings.CutPrefix(name, "file "); ok {
			return fileBlock(t, path), true
		}
		if f, ok := makers[name]; ok {
			delete(makers, name)
			return f(), true
		}
		if name != "incident" && !strings.HasPrefix(name, "run ") && !strings.HasPrefix(name, "page ") {
			t.Errorf("nothing makes block %q", name)
		}
		return "", false
	})
	for name := range makers {
		t.Errorf("README.md has no block %q", name)
	}
}

// TestReadmeNames follows what the README names: files, headings, tests, tables and views.
func TestReadmeNames(t *testing.T) {
	r := openReadme(t)
	text := blocks.ReplaceAllString(r.text, "") // what is generated needs no checking
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(r.text, -1) {
		slug := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		headings[strings.ReplaceAll(slug, " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]+))?\)`)
	for _, m := range links.FindAllStringSubmatch(text, -1) {
		switch path, heading := m[1], m[2]; {
		case strings.Contains(path, "://"):
		case path == "" && !headings[heading]:
			t.Errorf("a link to #%s, and no such heading", heading)
		case path != "":
			if _, err := os.Stat(filepath.Join(repository, path)); err != nil {
				t.Errorf("a link to nothing: %v", err)
			}
		}
	}
	tests := sources(t, "_test.go")
	for _, name := range regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(tests, "\nfunc "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
	sql := sources(t, ".sql")
	relations := regexp.MustCompile(`(?:TABLE IF NOT EXISTS|REPLACE VIEW) \$db\.(\w+)`)
	for _, m := range relations.FindAllStringSubmatch(sql, -1) {
		if !strings.Contains(text, "`"+m[1]+"`") && m[1] != "schema_version" {
			t.Errorf("README.md does not name the table or view %s", m[1])
		}
	}
}

// TestRealReadme runs the README's examples from the README's own text.
func TestRealReadme(t *testing.T) {
	r := openReadme(t)
	defer r.close()
	dir := sandbox(t, r)
	var ran []string
	r.each(func(name, have string) (string, bool) {
		switch {
		case strings.HasPrefix(name, "run "):
			ran = append(ran, name)
			return runBlock(t, dir, have), true
		case name == "incident":
			b, err := os.ReadFile(filepath.Join(dir, "incidents.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			return fenced("json", unfolded(t, b)), true
		case name == "page quell":
			return fenced("json", unfolded(t, examplePage(t, dir, ""))), true
		case name == "page pagerduty":
			return fenced("json", unfolded(t, examplePage(t, dir, pagerDutyRoute))), true
		}
		return "", false
	})
	if len(ran) < 3 {
		t.Errorf("only %q were run", ran)
	}
}

const pagerDutyRoute = "routes: [{name: default, format: pagerduty, routing_key: R0UT1NGKEY}]\n"

// sandbox makes a directory with the files that the README shows, as it shows them.
func sandbox(t *testing.T, r *readme) string {
	t.Helper()
	dir := t.TempDir()
	for _, m := range blocks.FindAllStringSubmatch(r.text, -1) {
		path, ok := strings.CutPrefix(m[1], "file ")
		if !ok {
			continue
		}
		file := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(file, []byte(unfenced(m[2])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// timings are what differs from run to run: the README keeps the figures of the run that it shows.
var timings = regexp.MustCompile(`[\d,]+ events/s, [\dms.]+ in all`)

// runBlock runs the commands of a block and returns the block with what they print.
func runBlock(t *testing.T, dir, have string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(unfenced(have)) {
		what, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", what)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "QUELL_CHDB_LIB="+library(t),
			"PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		printed, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s%v\n%s%s", line, err, printed, &stderr)
		}
		out.WriteString(line + string(printed))
	}
	want := fenced("console", out.String())
	if timings.ReplaceAllString(want, "") == timings.ReplaceAllString(have, "") {
		return have
	}
	return want
}

// examplePage returns the first page that the running service sends about the example's events.
func examplePage(t *testing.T, dir, more string) []byte {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(dir, "quell.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	addr, data := freeAddr(t), t.TempDir()
	cfg := write(t, "service.yaml", string(rules)+"clock: event\nmetrics: {listen: "+addr+"}\n"+more)
	start(t, "run", "--config", cfg, "--data", data).waitReady(addr)
	quell(t, exitOK, "produce", "--config", cfg, "--data", data, filepath.Join(dir, "events.jsonl"))
	line := quell(t, exitOK, "tap", "quell.pages", "--config", cfg, "--data", data, "--from", "start",
		"--count", "1")
	var tapped struct{ Page json.RawMessage }
	if err := json.Unmarshal([]byte(line), &tapped); err != nil || tapped.Page == nil {
		t.Fatalf("%v in %s", err, line)
	}
	return tapped.Page
}

// unfolded breaks an object at its members, and lists of objects at their elements.
func unfolded(t *testing.T, object []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	var out bytes.Buffer
	next := func() any {
		tok, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, object)
		}
		return tok
	}
	next() // the brace
	for sep := "{\n"; d.More(); sep = ",\n" {
		var value json.RawMessage
		fmt.Fprintf(&out, "%s  %q: ", sep, next())
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%v in %s", err, object)
		}
		var elements []json.RawMessage
		if json.Unmarshal(value, &elements) != nil || len(elements) == 0 || elements[0][0] != '{' {
			out.Write(value)
			continue
		}
		for i, e := range elements {
			fmt.Fprintf(&out, "%s\n    %s", map[bool]string{true: "[", false: ","}[i == 0], e)
		}
		out.WriteString("\n  ]")
	}
	return out.String() + "\n}\n"
}

func fenced(language, text string) string {
	return "\n```" + language + "\n" + strings.TrimRight(text, "\n") + "\n```\n\n"
}

func unfenced(block string) string {
	_, rest, _ := strings.Cut(block, "```")
	_, rest, _ = strings.Cut(rest, "\n")
	text, _, _ := strings.Cut(rest, "```")
	return text
}
