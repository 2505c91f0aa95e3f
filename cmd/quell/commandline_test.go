package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"quell/cmd/quell/internal/config"
	"quell/cmd/quell/internal/ops"
)

// wrongConfig has a problem in each of the lines that problems names.
const wrongConfig = `kafka:
  brokers: nowhere
colour: red
dedup:
  window: -5m
rules:
  - name: logins
    match: 'user="root"'
    group_by: [service]
`

// TestRealCheck: all problems with their positions, exit codes for scripts.
func TestRealCheck(t *testing.T) {
	good := write(t, "good.yaml", quell(t, exitOK, "config", "sample"))
	if out := quell(t, exitOK, "check", "--config", good); !strings.Contains(out, "ok") {
		t.Errorf("a good configuration: %q", out)
	}
	bad := write(t, "bad.yaml", wrongConfig)
	lines := strings.Split(strings.TrimSpace(quell(t, exitFailure, "check", "--config", bad)), "\n")
	positions := []string{"2:12", "3:1", "5:11", "8:12"}
	if len(lines) != len(positions) {
		t.Errorf("%d problems, want %d: %q", len(lines), len(positions), lines)
	}
	for i := range min(len(lines), len(positions)) {
		if want := bad + ":" + positions[i] + ": "; !strings.HasPrefix(lines[i], want) {
			t.Errorf("problem %d is %q, want it at %s", i, lines[i], want)
		}
	}
	var out struct {
		OK       bool
		Problems []struct {
			File, Path, Severity, Text string
			Line, Column               int
		}
	}
	text := quell(t, exitFailure, "check", "--config", bad, "--json")
	if err := json.Unmarshal([]byte(text), &out); err != nil || out.OK || len(out.Problems) != len(positions) {
		t.Fatalf("%v in %s", err, text)
	}
	for i, p := range out.Problems {
		if p.File != bad || p.Text == "" || fmt.Sprintf("%d:%d", p.Line, p.Column) != positions[i] {
			t.Errorf("%+v", p)
		}
	}
	quell(t, exitUsage, "check")
	quell(t, exitUsage, "check", "--config", bad+".not-there")
	if _, errs := quellWith(t, nil, exitUsage, "run", "--config", bad); !strings.Contains(errs, bad+":3:1: ") {
		t.Errorf("run says of a bad configuration: %s", errs)
	}
}

// TestRealCommandLine: what every command has in common.
func TestRealCommandLine(t *testing.T) {
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		for _, sub := range c.Commands() {
			walk(sub, append(path[:len(path):len(path)], sub.Name()))
		}
		if c.Hidden || !c.Runnable() {
			return
		}
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			help := quell(t, exitOK, append(path[:len(path):len(path)], "--help")...)
			if !strings.Contains(help, "Examples:") || !strings.Contains(help, strings.TrimRight("  quell "+strings.Join(path, " "), " ")) {
				t.Errorf("no example in the help: %s", help)
			}
			out, errs := quellWith(t, nil, exitUsage, append(path[:len(path):len(path)], "--no-such-flag")...)
			if out != "" || !strings.Contains(errs, "--no-such-flag") {
				t.Errorf("an unknown flag: %q %q", out, errs)
			}
		})
	}
	walk(newRoot(), nil)
	for name, args := range map[string][]string{
		"unknown command":          {"frobnicate"},
		"arguments where none are": {"version", "now"},
		"check of an argument":     {"check", "quell.yaml"},
		"a role that is not ours":  {"run", "--roles", "intake,sorcery"},
		"a broker without a port":  {"topics", "create", "--kafka", "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs := quellWith(t, nil, exitUsage, args...)
			if out != "" || !strings.HasPrefix(errs, "quell: ") && !strings.Contains(errs, "kafka.brokers") {
				t.Errorf("it says %q %q", out, errs)
			}
		})
	}
}

func TestRealVersionAndSample(t *testing.T) {
	var v map[string]string
	out := quell(t, exitOK, "version", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || v["version"] == "" || v["go"] != runtime.Version() ||
		v["platform"] != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("version --json says %s (%v)", out, err)
	}
	if out := quell(t, exitOK, "version"); !strings.HasPrefix(out, "quell "+v["version"]+" ") {
		t.Errorf("version says %q", out)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	pipe := exec.Command("sh", "-c", `"$0" config sample | "$0" check --config /dev/stdin`, path)
	if out, err := pipe.CombinedOutput(); err != nil {
		t.Errorf("the sample does not pass the check: %v\n%s", err, out)
	}
}

// A second process on one machine does not fail for a port that nobody chose.
func TestDefaultMetricsPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", config.DefaultMetrics)
	if err == nil {
		defer func() { _ = l.Close() }()
	}
	log := new(strings.Builder)
	web, err := listen(ops.Options{Listen: config.DefaultMetrics, Gatherer: prometheus.NewRegistry(),
		Ready: func() map[string]error { return nil }, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if web.Addr() == config.DefaultMetrics || !strings.Contains(log.String(), web.Addr()) {
		t.Errorf("listens on %s and says %q", web.Addr(), log)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := web.Run(ctx); err != nil {
		t.Error(err)
	}
	chosen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = chosen.Close() }()
	if _, err := listen(ops.Options{Listen: chosen.Addr().String(), Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a chosen address that cannot be had was replaced")
	}
}
