package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"quell/cmd/quell/internal/brokertest"
	"quell/cmd/quell/internal/dev"
)

// announced waits for the line of JSON that a server prints when it answers.
func announced(t *testing.T, p *process) (a dev.Address) {
	t.Helper()
	p.waitFor("the server says where it is", func() bool { return strings.HasSuffix(p.stdout.String(), "}\n") })
	if err := json.Unmarshal([]byte(p.stdout.String()), &a); err != nil {
		t.Fatalf("%q: %v", p.stdout, err)
	}
	if a.PID != p.cmd.Process.Pid {
		t.Errorf("process %d says that it is %d", p.cmd.Process.Pid, a.PID)
	}
	return a
}

// objects reads JSON lines.
func objects(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}

// TestRealDevKafka: topics, produce and tap against a broker of its own process, which keeps what it
// got over a restart, and which a second one is refused beside.
func TestRealDevKafka(t *testing.T) {
	data, addr := t.TempDir(), freeAddr(t)
	broker := start(t, "dev", "kafka", "--data", data, "--listen", addr)
	broker.waitFor("the broker says where it is", func() bool { return broker.stdout.String() == "kafka "+addr+"\n" })

	var made []map[string]any
	if err := json.Unmarshal([]byte(quell(t, 0, "topics", "create", "--kafka", addr, "--json")), &made); err != nil {
		t.Fatal(err)
	}
	if len(made) != 11 || made[0]["action"] != "created" || made[0]["topic"] != "quell.events" {
		t.Errorf("%v", made)
	}
	if text := quell(t, 0, "topics", "create", "--kafka", addr); strings.Count(text, "  kept  ") != 11 {
		t.Errorf("the second time:\n%s", text)
	}

	events := write(t, "events.csv", "time,service,check,severity\n2026-01-01T00:00:00Z,pay,up,error\n"+
		"2026-01-01T00:00:01Z,pay,up,dreadful\n")
	var res map[string]any
	if err := json.Unmarshal([]byte(quell(t, 0, "produce", "--kafka", addr, "--json", events)), &res); err != nil {
		t.Fatal(err)
	}
	if res["topic"] != "quell.events" || res["lines"] != 2.0 || res["events"] != 1.0 || res["rejected"] != 1.0 {
		t.Errorf("%v", res)
	}
	seen := objects(t, quell(t, 0, "tap", "quell.events", "--kafka", addr, "--from", "start", "--count", "2"))
	event, _ := seen[0]["event"].(map[string]any)
	rejection, _ := seen[1]["rejection"].(map[string]any)
	if event["service"] != "pay" || rejection["reason"] != "bad_severity" || seen[0]["key"] != seen[1]["key"] ||
		seen[0]["partition"] != seen[1]["partition"] {
		t.Errorf("%v", seen)
	}

	if _, said := quellWith(t, nil, 1, "dev", "kafka", "--data", data); !strings.Contains(said, addr) {
		t.Errorf("a second broker on the directory: %s", said)
	}
	broker.terminate(5 * time.Second)
	again := start(t, "dev", "kafka", "--data", data, "--json")
	if a := announced(t, again); a.Server != "kafka" || a.TLS {
		t.Errorf("%+v", a)
	}
	// By its data directory, a running broker is found without an address.
	if n := len(objects(t, quell(t, 0, "tap", "quell.events", "--data", data, "--from", "start", "--count", "2"))); n != 2 {
		t.Errorf("%d records after the restart", n)
	}
	again.terminate(5 * time.Second)
}

// TestRealProduce: on an embedded broker nobody has to create a topic, and a producer that waits for
// its standard input stops when it is told to, and says what was acknowledged.
func TestRealProduce(t *testing.T) {
	data := t.TempDir()
	events := write(t, "events.jsonl", strings.Repeat("{\"service\":\"pay\"}\n", 3))
	if text := quell(t, 0, "produce", "--data", data, events); !strings.HasPrefix(text, "quell.events: 3 lines (3 events, 0 ") {
		t.Errorf("%q", text)
	}
	out, told := quellWith(t, nil, 0, "tap", "quell.events", "--data", data, "--from", "start", "--count", "3")
	if n := len(objects(t, out)); n != 3 || !strings.Contains(told, "no broker runs on "+data) {
		t.Errorf("%d records, %s", n, told)
	}

	broker := start(t, "dev", "kafka", "--data", data, "--json")
	addr := announced(t, broker).Addr
	quell(t, 0, "topics", "create", "--kafka", addr)
	cmd := command(t, "produce", "--kafka", addr, "--json", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte("{\"service\":\"cart\"}\n{\"service\":\"cart\"}\n")); err != nil {
		t.Fatal(err)
	}
	quell(t, 0, "tap", "quell.events", "--kafka", addr, "--from", "start", "--count", "5") // they are there
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "stopped: 2 lines were acknowledged") ||
		!strings.Contains(stdout.String(), "\"lines\": 2") {
		t.Errorf("exit %d\n%s%s", code, stdout.String(), stderr.String())
	}
	broker.terminate(5 * time.Second)
}

// TestRealDevClickHouse: both protocols, with credentials and TLS; SQL in every form.
func TestRealDevClickHouse(t *testing.T) {
	data := t.TempDir()
	cert, key := brokertest.Certificate(t)
	server := startWith(t, []string{"QUELL_TEST_PASSWORD=sesame"}, "dev", "clickhouse", "--data", data, "--json",
		"--user", "ada", "--password-env", "QUELL_TEST_PASSWORD", "--tls-cert", cert, "--tls-key", key)
	a := announced(t, server)
	if a.Server != "clickhouse" || !a.TLS {
		t.Errorf("%+v", a)
	}
	config := func(address, password string) string {
		return write(t, "quell.yaml", "clickhouse: {address: "+address+", database: default, user: ada, password: "+
			password+", tls: {enabled: true, ca: "+cert+"}}\n")
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a table over HTTP", []string{"--config", config("https://"+a.HTTP, "sesame"),
			"SELECT number AS n, NULL AS nothing FROM numbers(2);"}, "n  nothing\n-  -------\n0  NULL\n1  NULL\n"},
		{"JSON lines over the native protocol", []string{"--config", config("clickhouse://"+a.TCP, "sesame"), "--json",
			"SELECT toUInt64(18446744073709551615) AS n, map('a', 'b') AS m, toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC') AS t"},
			`{"n":18446744073709551615,"m":{"a":"b"},"t":"2026-01-02T03:04:05.678Z"}` + "\n"},
		{"CSV", []string{"--config", config("https://"+a.HTTP, "sesame"), "--csv", "SELECT 'a\"b' AS x, [1, 2] AS y"},
			"x,y\n\"a\"\"b\",\"[1,2]\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := quell(t, 0, append([]string{"sql"}, tt.args...)...); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	_, said := quellWith(t, nil, 1, "sql", "--config", config("https://"+a.HTTP, "wrong"), "SELECT 1")
	if !strings.Contains(said, "Authentication failed") || strings.Contains(said, "wrong\"") {
		t.Errorf("a wrong password: %s", said)
	}
	server.terminate(5 * time.Second)
}

// TestRealSQL: the archive of a data directory, through the process that runs it and without one,
// and what is said when there is none.
func TestRealSQL(t *testing.T) {
	data := t.TempDir()
	if _, said := quellWith(t, nil, 1, "sql", "--data", data, "SELECT 1"); !strings.Contains(said, "there is no archive in "+data) {
		t.Errorf("an empty directory: %s", said)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		t.Errorf("asking made %v, %v", entries, err)
	}
	server := start(t, "dev", "clickhouse", "--data", data, "--json")
	a := announced(t, server)
	// The address is found in the directory: nobody gives one.
	_, said := quellWith(t, nil, 1, "sql", "--data", data, "SELECT count() FROM events")
	if !strings.Contains(said, "database quell is not there") || !strings.Contains(said, "quell run") {
		t.Errorf("no schema: %s", said)
	}
	address := []string{"--clickhouse", "http://" + a.HTTP + "/default"}
	if out := quell(t, 0, append([]string{"sql", "CREATE DATABASE quell"}, address...)...); out != "" {
		t.Errorf("a statement without an answer printed %q", out)
	}
	quell(t, 0, "sql", "--data", data, "CREATE TABLE t (n UInt8, s FixedString(16)) ENGINE = MergeTree ORDER BY n")
	quell(t, 0, "sql", "--data", data, "INSERT INTO t VALUES (7, 'abc')")
	const want = `{"n":7,"s":"61626300000000000000000000000000"}` + "\n"
	if got := quell(t, 0, "sql", "--data", data, "--json", "SELECT * FROM t"); got != want {
		t.Errorf("through the running engine: %q", got)
	}
	server.terminate(5 * time.Second)
	if got := quell(t, 0, "sql", "--data", data, "--json", "SELECT * FROM t"); got != want {
		t.Errorf("without a running engine: %q", got)
	}
	if _, said := quellWith(t, nil, 1, "sql", "--data", data, "SELECT nonsense"); !strings.Contains(said, "nonsense") ||
		!strings.Contains(said, "code: 47") {
		t.Errorf("an error of ClickHouse: %s", said)
	}
}

// TestRealUsage: calls that are wrong exit with 2 and say what is right.
func TestRealUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"produce without files", []string{"produce"}, "at least one file"},
		{"produce to no raw topic", []string{"produce", "--topic", "quell.pages", "x"}, "raw topics: quell.events"},
		{"produce in no order", []string{"produce", "--order", "size", "x"}, "write time or file"},
		{"tap of nothing", []string{"tap"}, "one topic"},
		{"tap of a foreign topic", []string{"tap", "orders"}, "quell.dispositions"},
		{"tap from nowhere", []string{"tap", "quell.pages", "--from", "middle"}, "start, end or an offset"},
		{"sql without a statement", []string{"sql"}, "one statement"},
		{"sql in two forms", []string{"sql", "--json", "--csv", "SELECT 1"}, "choose one"},
		{"dev of nothing that exists", []string{"dev", "postgres"}, "kafka or clickhouse"},
		{"dev with half of a login", []string{"dev", "kafka", "--user", "ada"}, "--password-env"},
		{"dev with half of a certificate", []string{"dev", "clickhouse", "--tls-key", "k"}, "--tls-cert"},
		{"a flag that does not exist", []string{"tap", "--nothing"}, "--nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, said := quellWith(t, nil, 2, tt.args...); !strings.Contains(said, tt.want) {
				t.Errorf("%s has no %q", said, tt.want)
			}
		})
	}
}

// TestExamples: each of these commands shows an example, and its help does not fail.
func TestExamples(t *testing.T) {
	for _, path := range [][]string{{"topics", "create"}, {"produce"}, {"tap"}, {"sql"}, {"dev", "kafka"},
		{"dev", "clickhouse"}} {
		cmd, _, err := newRoot().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(cmd.Example, "quell "+strings.Join(path, " ")) {
			t.Errorf("%s has the example %q", cmd.CommandPath(), cmd.Example)
		}
	}
}
