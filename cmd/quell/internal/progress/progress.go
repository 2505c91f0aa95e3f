// Package progress tells a person how far a command is: a bar that redraws itself on a terminal,
// and a plain line every few seconds where there is none, so that a log file stays readable.
//
// A [Bar] is told as often as the caller likes, and writes at most ten times a second. What it writes
// is for people and goes to standard error; a nil Bar says nothing. Whatever else is written there
// meanwhile goes through the bar's Write, so that a log line takes the bar's place and the bar comes
// back below it. A Bar may be used by several goroutines.
//
//	bar := progress.New(os.Stderr)
//	log := slog.New(slog.NewTextHandler(bar, nil))
//	for ... {
//		bar.Step("reading", n, all)
//	}
//	bar.Done()
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery = 100 * time.Millisecond // on a terminal
	plainEvery  = 5 * time.Second        // elsewhere
	barCells    = 24
)

// Step says how far a piece of work is.
type Step struct {
	What  string // the piece of work, such as "produce"; another one begins a new rate
	Unit  string // what is counted, such as "lines"
	Done  int64
	Total int64 // <= 0 if it is not known
	// Part, if Total is not known, is how much of the work is done, 0 to 1: the position in a file
	// of which nobody knows how many lines it has. 0 is unknown.
	Part float64
	Note string // what else there is to say, such as "12 failed"
}

// Bar writes steps. Its zero value is not usable; a nil Bar says nothing.
type Bar struct {
	w        io.Writer
	terminal bool
	width    func() int
	now      func() time.Time

	mu      sync.Mutex
	what    string
	begun   time.Time // of the piece of work
	first   int64     // Done at its begin
	written time.Time
	drawn   bool // a bar stands in the terminal's last line
}

// New returns a bar that writes to w, in place if w is a terminal.
func New(w io.Writer) *Bar {
	b := &Bar{w: w, now: time.Now, width: func() int { return 80 }}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.terminal = true
		b.width = func() int {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return b
}

// Step is Show for what has a number and maybe a total, 0 if it is not known.
func (b *Bar) Step(what string, done, total int64) {
	b.Show(Step{What: what, Unit: "lines", Done: done, Total: total})
}

// Show writes the step if it is time to.
func (b *Bar) Show(s Step) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if s.What != b.what {
		b.what, b.begun, b.first = s.What, now, s.Done
		if !b.terminal {
			b.written = now // a short piece of work needs no line
		}
	}
	every := plainEvery
	if b.terminal {
		every = redrawEvery
	}
	if now.Sub(b.written) < every {
		return
	}
	b.written = now
	if !b.terminal {
		fmt.Fprintln(b.w, b.text(s, now))
		return
	}
	b.drawn = true
	fmt.Fprint(b.w, "\r", clip(gauge(s)+b.text(s, now), b.width()-1), "\x1b[K")
}

// Write writes other text for people, whole lines, in the bar's place.
func (b *Bar) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	return b.w.Write(text)
}

// Done removes the bar, so that the next line stands where it was. The bar can be used again.
func (b *Bar) Done() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
}

func (b *Bar) clear() {
	if b.drawn {
		b.drawn = false
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// text returns the step in words: what, how much, how fast.
func (b *Bar) text(s Step, now time.Time) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s: %d", s.What, s.Done)
	if s.Total > 0 {
		fmt.Fprintf(&t, " of %d", s.Total)
	}
	fmt.Fprintf(&t, " %s", s.Unit)
	if part, ok := s.part(); ok {
		fmt.Fprintf(&t, ", %d%%", int(part*100))
	}
	if passed := now.Sub(b.begun).Seconds(); passed >= 0.5 {
		fmt.Fprintf(&t, ", %.0f/s", float64(s.Done-b.first)/passed)
	}
	if s.Note != "" {
		t.WriteString(", " + s.Note)
	}
	return t.String()
}

// part returns how much of the work is done, if that is known.
func (s Step) part() (float64, bool) {
	switch {
	case s.Total > 0:
		return min(max(float64(s.Done)/float64(s.Total), 0), 1), true
	case s.Part > 0:
		return min(s.Part, 1), true
	}
	return 0, false
}

// gauge returns the bar itself, or nothing if nobody knows how long it is.
func gauge(s Step) string {
	part, ok := s.part()
	if !ok {
		return ""
	}
	full := int(part * barCells)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barCells-full) + "] "
}

// clip cuts the text to a number of columns; it is all ASCII but for the caller's words.
func clip(text string, columns int) string {
	if runes := []rune(text); len(runes) > columns {
		return string(runes[:max(columns, 0)])
	}
	return text
}
