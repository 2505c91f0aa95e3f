package chaos

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"quell/cmd/quell/internal/app"
	"quell/cmd/quell/internal/config"
	"quell/pipeline"
)

// What the processes are configured with: in rounds, and to measure recovery.
var (
	//go:embed quell.yaml.tmpl
	ofRounds string
	//go:embed recovery.yaml.tmpl
	ofRecovery string
)

// session is the session timeout of a round's processes: short, so that a round is.
const session = 2 * time.Second

// rawPartitions is how many partitions the configuration gives the raw topic.
const rawPartitions = 4

// world is one round: its own topics, database and processes on the stage's servers.
type world struct {
	*stage
	plan
	dir    string // configurations and logs of this round
	prefix string // of topics, group and transactional ids
	base   string // path of the configuration without an instance, straight to ClickHouse
	config *config.Config
	topics pipeline.Topics

	procs  []*node
	load   *load
	pager  *pager
	book   *journal
	reborn bool // the processes are killed and started once more before the checks
	probes int
}

// node is a process of the round with what stands between it and ClickHouse.
type node struct {
	*process
	member
	gate   *gate
	listen string // of metrics
}

// has reports whether the process has the role.
func (n *node) has(role string) bool { return n.roles == "" || strings.Contains(n.roles, role) }

// settings fill the template of a configuration.
type settings struct {
	Kafka, ClickHouse, Database, Prefix, Name, Instance, Session, Clock, Listen string

	template string
}

func (w *world) settings(name string) settings {
	return settings{Kafka: w.broker.Addr(), ClickHouse: w.store.addr, Database: w.database(),
		Prefix: w.prefix, Name: name, Session: session.String(), Clock: w.Clock.String(),
		Listen: "127.0.0.1:0", template: w.template}
}

func (w *world) database() string { return strings.ReplaceAll(w.prefix, "-", "_") }

// write makes a configuration file.
func (s settings) write(dir string) (string, error) {
	t, err := template.New("quell.yaml").Parse(s.template)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, s); err != nil {
		return "", err
	}
	path := filepath.Join(dir, s.Name+".yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// newWorld makes topics and processes; nothing is started.
func newWorld(ctx context.Context, s *stage, p plan) (*world, error) {
	w := &world{stage: s, plan: p, prefix: fmt.Sprintf("chaos-%d-%d", p.Seed, p.Round)}
	w.dir = filepath.Join(s.o.Dir, fmt.Sprintf("round-%d", p.Round))
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if w.book, err = newJournal(w.dir); err != nil {
		return nil, err
	}
	if w.base, err = w.settings("base").write(w.dir); err != nil {
		return nil, err
	}
	cfg, problems, err := config.Load(w.base, config.Overrides{Getenv: os.LookupEnv})
	if err = errors.Join(err, problems.Err()); err != nil {
		return nil, err
	}
	w.config, w.topics = cfg, app.Topics(cfg)
	if _, err := pipeline.CreateTopics(ctx, w.adm, w.topics.Specs(cfg.Clock), 1); err != nil {
		return nil, err
	}
	for _, m := range p.Layout.members {
		if _, err := w.add(m); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// add makes one more process.
func (w *world) add(m member) (*node, error) {
	n := &node{member: m}
	name := fmt.Sprint("p", len(w.procs)+1)
	set := w.settings(name)
	var err error
	if n.gate, err = newGate(w.store.addr); err != nil {
		return nil, err
	}
	set.ClickHouse = n.gate.addr
	if m.static {
		set.Instance = name
	}
	if set.Listen, err = freeAddr(); err != nil {
		return nil, err
	}
	n.listen = set.Listen
	path, err := set.write(w.dir)
	if err != nil {
		return nil, err
	}
	args := []string{"run", "--config", path}
	if m.roles != "" {
		args = append(args, "--roles", m.roles)
	}
	n.process = w.o.quell(w.dir, name, args...)
	w.procs = append(w.procs, n)
	return n, nil
}

// healthy fails when a process ended that nobody had killed.
func (w *world) healthy() error {
	for _, n := range w.procs {
		if n.cmd != nil && !n.alive() {
			return n.ended()
		}
	}
	return nil
}

// running returns the processes that run and are not paused.
func (w *world) running() []*node {
	var out []*node
	for _, n := range w.procs {
		if n.alive() && !n.paused {
			out = append(out, n)
		}
	}
	return out
}

// explain has every process write the stacks of its goroutines into its log: a round that could not
// be played to its end stands still somewhere.
func (w *world) explain() {
	for _, n := range w.procs {
		if n.alive() {
			n.quit()
		}
	}
}

// close ends everything that the round started. With failed, its files stay.
func (w *world) close(ctx context.Context, failed bool) error {
	if w.load != nil {
		w.load.close()
	}
	if w.pager != nil {
		w.pager.close()
	}
	for _, n := range w.procs {
		n.kill()
		n.gate.Close()
	}
	_ = w.book.file.Close()
	if failed || w.o.Keep {
		return nil
	}
	var names []string
	for _, s := range w.topics.Specs(w.config.Clock) {
		names = append(names, s.Name)
	}
	_, err := w.adm.DeleteTopics(ctx, names...)
	return errors.Join(err, w.store.drop(ctx, w.database()), w.store.drop(ctx, w.database()+"_clean"),
		os.RemoveAll(w.dir))
}
