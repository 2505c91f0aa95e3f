package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"quell/correlate"
)

// Screen shows a run to somebody. Its methods may be called from several goroutines. What the
// program has to say meanwhile (log lines) is written to it, so that nothing disturbs a picture.
type Screen interface {
	io.Writer
	Show(*Figures)
	Page(*Page)
	Close() // restores what was there before; then nothing more is shown
}

// NewScreen returns a live picture if f is a terminal, and plain lines otherwise. Colours are left
// out if the environment has NO_COLOR (https://no-color.org) or the terminal is dumb.
func NewScreen(f *os.File, getenv func(string) string) Screen {
	if !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" {
		return &lines{w: f, every: 3 * time.Second}
	}
	return newTerminal(f, getenv("NO_COLOR") == "")
}

// blank shows nothing.
type blank struct{}

func (blank) Write(p []byte) (int, error) { return len(p), nil }
func (blank) Show(*Figures)               {}
func (blank) Page(*Page)                  {}
func (blank) Close()                      {}

// lines is the screen where there is no terminal: a line of figures every few seconds, and each
// page as a line.
type lines struct {
	mu    sync.Mutex
	w     io.Writer
	every time.Duration
	shown time.Duration // Since of the figures last shown
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lines) Show(f *Figures) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.Since-l.shown < l.every {
		return
	}
	l.shown = f.Since
	fmt.Fprintf(l.w, "%4.0fs  events %s (%s/s)  duplicates %s  alerts %s  incidents %s (%d open, "+
		"%d acknowledged)  pages %s  archived %s\n", f.Since.Seconds(), grouped(f.Events),
		rate(f.Rates.Events), grouped(f.Duplicates), grouped(f.Alerts), grouped(f.Incidents), f.Open,
		f.Owned, grouped(f.Pages), grouped(f.Archived))
}

func (l *lines) Page(p *Page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, "page  "+pageLine(p, false))
}

func (l *lines) Close() {}

// pageLine is a page in one line: time, severity, reason, where, what, and how much is behind it.
func pageLine(p *Page, colour bool) string {
	severity := fmt.Sprintf("%-8s", p.Severity)
	if colour {
		severity = paint[p.Severity] + severity + plain
	}
	return fmt.Sprintf("%s  %s  %-13s  %-28s  %s (%s events)", p.At.Std().Format(time.TimeOnly),
		severity, p.Reason, where(p), what(p), grouped(int64(p.Events)))
}

// where names the service and its failure domain.
func where(p *Page) string {
	for _, l := range p.Group {
		if l.Name == "cluster" && l.Value != "" {
			return printable(p.Service + "/" + l.Value)
		}
	}
	return printable(p.Service + "/" + p.Scope)
}

// what is the page's title without what the line says anyway.
func what(p *Page) string {
	if p.Summary == "" {
		return printable(p.Title)
	}
	return printable(p.Summary)
}

// Colours of severities.
var paint = [...]string{correlate.Info: "\x1b[36m", correlate.Warning: "\x1b[33m",
	correlate.Error: "\x1b[31m", correlate.Critical: "\x1b[1;37;41m"}

const plain = "\x1b[0m"

// printable keeps what came from outside from steering the terminal.
func printable(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			out[i] = '?'
		}
	}
	return string(out)
}

// grouped writes n with a comma every three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate writes a rate: one digit behind the point below ten.
func rate(r float64) string {
	if r > 0 && r < 9.95 {
		return fmt.Sprintf("%.1f", r)
	}
	return grouped(int64(r + 0.5))
}
