package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"quell/sinks/clickhouse/embedded/internal/chdb"
)

// engine is the booted library. Its own session keeps it up while clients come and go.
type engine struct {
	lib  *chdb.Library
	dir  string
	keep *chdb.Conn

	version string // as clients see it: 26.7.2.1
	name    string // the display name

	sessions atomic.Uint64 // opened so far
}

// InUseError says that another Server holds a data directory.
type InUseError struct {
	Dir string
	// By is where it can be reached; only PID may be known.
	By Address
}

func (e *InUseError) Error() string {
	by := fmt.Sprintf("process %d", e.By.PID)
	if e.By.HTTP != "" {
		by = e.By.String()
	}
	return fmt.Sprintf("the ClickHouse data in %s is in use by %s (engine error 76,"+
		" CANNOT_OPEN_FILE): ask that server, stop it, or use another data directory", e.Dir, by)
}

// config is all that the engine is configured with. It is given explicitly because the engine would
// otherwise read a config.xml from the working directory, whatever that is about.
const config = "<clickhouse></clickhouse>\n"

func boot(o Options) (*engine, error) {
	path := o.Library
	if path == "" {
		var err error
		if path, err = FindLibrary(); err != nil {
			return nil, err
		}
	}
	lib, err := chdb.Open(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.DataDir, "clickhouse")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := checkFree(o.DataDir, dir); err != nil {
		return nil, err
	}
	configFile := filepath.Join(dir, "quell-config.xml")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	keep, err := lib.Boot(dir, "--config-file="+configFile)
	if err != nil {
		if held := checkFree(o.DataDir, dir); held != nil {
			return nil, held // somebody came between
		}
		return nil, err
	}
	e := &engine{lib: lib, dir: dir, keep: keep}
	if err := e.introduce(); err != nil {
		keep.Close()
		return nil, err
	}
	return e, nil
}

// checkFree returns an InUseError if a process, this one included, holds the engine's directory.
// The engine locks a file there and would refuse it as well, but only on standard error.
func checkFree(dataDir, dir string) error {
	f, err := os.Open(filepath.Join(dir, "status"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	defer f.Close() // which unlocks
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	held := &InUseError{Dir: dir}
	if held.By, err = ReadAddress(dataDir); err != nil {
		held.By = Address{PID: statusPID(f)}
	}
	return held
}

// statusPID reads the process id that the engine wrote into its status file; 0 if it did not.
func statusPID(f *os.File) (pid int) {
	text := make([]byte, 256)
	n, _ := f.ReadAt(text, 0) // a short file is the normal case
	for line := range strings.Lines(string(text[:n])) {
		if digits, ok := strings.CutPrefix(strings.TrimSpace(line), "PID: "); ok {
			pid, _ = strconv.Atoi(digits)
		}
	}
	return pid
}

func (e *engine) introduce() error {
	r, err := e.keep.Query("SELECT version(), displayName()", "TSVRaw", nil)
	if err != nil {
		return err
	}
	defer r.Free()
	version, name, ok := strings.Cut(strings.TrimSpace(string(r.Data)), "\t")
	if !ok {
		return fmt.Errorf("the ClickHouse engine introduced itself as %q", r.Data)
	}
	e.version, e.name = version, name
	return nil
}

// stop ends the engine. Every session must be closed.
func (e *engine) stop() { e.keep.Close() }

// pair is a setting.
type pair struct{ name, value string }

// session is a session in the engine, for one client's statements one after another.
type session struct {
	*chdb.Conn
	engine   *engine
	database string
	mark     string   // ends the log_comment of the session's statements: a KILL finds them by it
	changed  []string // settings that the last statement came with
}

// open begins a session (0.2 ms).
func (e *engine) open(database string) (*session, error) {
	c, err := e.lib.Connect(e.dir)
	if err != nil {
		return nil, err
	}
	s := &session{Conn: c, engine: e, database: database,
		mark: fmt.Sprintf(" quell-%d.", e.sessions.Add(1))}
	// As a server has them; the library's are those of clickhouse-local.
	setup := "SET implicit_select = 0, allow_introspection_functions = 0, log_comment = " +
		quote(s.mark)
	if database != "" && database != "default" {
		setup += "; USE " + quoteName(database)
	}
	if err := c.Exec(setup); err != nil {
		c.Close()
		return nil, err
	}
	return s, nil
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// set applies a statement's settings, and undoes those of the statement before.
func (s *session) set(settings []pair) error {
	if slices.Contains(s.changed, "readonly") { // which forbids its own undoing
		fresh, err := s.engine.open(s.database)
		if err != nil {
			return err
		}
		s.Close()
		*s = *fresh
	}
	var list, names []string
	for _, p := range settings {
		if !settingName.MatchString(p.name) {
			return exception(codeUnknownSetting, "%q is not a setting", p.name)
		}
		if p.name == "log_comment" {
			p.value += s.mark
		}
		list = append(list, p.name+" = "+quote(p.value))
		names = append(names, p.name)
	}
	for _, name := range s.changed {
		switch {
		case slices.Contains(names, name): // the engine would reset it after setting it
		case name == "log_comment":
			list = append(list, name+" = "+quote(s.mark))
		default:
			list = append(list, name+" = DEFAULT")
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := s.Exec("SET " + strings.Join(list, ", ")); err != nil {
		return err
	}
	s.changed = names
	return nil
}

// guard kills the session's statement when ctx ends. The caller must call stop after the statement.
func (s *session) guard(ctx context.Context) (stop func()) {
	ended, finished := make(chan struct{}), make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(finished)
		// Again and again: a statement that is just about to begin cannot be found yet.
		for {
			s.engine.kill(s.mark)
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return func() {
		if !release() { // it has begun, and must not kill the session's next statement
			close(ended)
			<-finished
		}
	}
}

func (e *engine) kill(mark string) {
	c, err := e.lib.Connect(e.dir)
	if err != nil {
		return // the next try may succeed, and the statement ends by itself at last
	}
	defer c.Close()
	_ = c.Exec("KILL QUERY WHERE endsWith(Settings['log_comment'], " + quote(mark) + ") ASYNC")
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
