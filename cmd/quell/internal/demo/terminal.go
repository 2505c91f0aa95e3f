package demo

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Codes of the terminal: its second screen, so that what was there comes back, and its cursor.
const (
	enter = "\x1b[?1049h\x1b[?25l"
	leave = "\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	below = "\x1b[J" // clears from the cursor to the end of the screen
)

// kept is how many pages and log lines a terminal remembers.
const kept = 100

// terminal is the live picture. It lives on the terminal's second screen; Close goes back to the
// first and prints there the log lines that came meanwhile.
type terminal struct {
	f      *os.File
	colour bool

	mu     sync.Mutex
	pages  []*Page
	notes  []string
	closed bool
}

func newTerminal(f *os.File, colour bool) *terminal {
	t := &terminal{f: f, colour: colour}
	fmt.Fprint(f, enter)
	return t
}

// Write takes log lines.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return t.f.Write(p)
	}
	for _, line := range strings.Split(string(bytes.TrimRight(p, "\n")), "\n") {
		t.notes = newest(t.notes, line)
	}
	return len(p), nil
}

func (t *terminal) Page(p *Page) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pages = newest(t.pages, p)
}

// newest appends and keeps the last ones.
func newest[T any](list []T, x T) []T {
	if len(list) == kept {
		copy(list, list[1:])
		list = list[:kept-1]
	}
	return append(list, x)
}

func (t *terminal) Show(f *Figures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	width, height, err := term.GetSize(int(t.f.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	fr := frame{f: f, pages: t.pages, width: width, height: height, colour: t.colour}
	if n := len(t.notes); n > 0 {
		fr.note = t.notes[n-1]
	}
	fmt.Fprint(t.f, home, fr.text(), below)
}

func (t *terminal) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	fmt.Fprint(t.f, leave)
	for _, line := range t.notes {
		fmt.Fprintln(t.f, line)
	}
}
