package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clocked returns a bar with a clock that the test moves.
func clocked(terminal bool) (b *Bar, out *bytes.Buffer, pass func(time.Duration)) {
	out = new(bytes.Buffer)
	now := time.Unix(1_700_000_000, 0)
	b = New(out)
	b.terminal = terminal
	b.now = func() time.Time { return now }
	return b, out, func(d time.Duration) { now = now.Add(d) }
}

func TestTerminalRedrawsAtMostTenTimesASecond(t *testing.T) {
	b, out, pass := clocked(true)
	for i := range int64(1000) { // ten seconds in steps of 10 ms
		b.Show(Step{What: "produce", Unit: "lines", Done: i, Total: 1000})
		pass(10 * time.Millisecond)
	}
	if n := strings.Count(out.String(), "\r"); n != 100 {
		t.Errorf("%d redraws in 10 s, want 100", n)
	}
	if strings.Contains(out.String(), "\n") {
		t.Error("the bar left its line")
	}
	frames := strings.Split(out.String(), "\r")
	want := "[======================= ] produce: 990 of 1000 lines, 99%, 100/s\x1b[K"
	if last := frames[len(frames)-1]; last != want {
		t.Errorf("last frame %q, want %q", last, want)
	}
	b.Done()
	b.Done()
	if !strings.HasSuffix(out.String(), want+"\r\x1b[K") {
		t.Errorf("Done did not clear the line once: %q", out.String())
	}
}

func TestPlainLinesAreOccasional(t *testing.T) {
	b, out, pass := clocked(false)
	for i := range int64(12) {
		b.Show(Step{What: "read", Unit: "lines", Done: i * 10, Note: "1 failed"})
		pass(time.Second)
	}
	b.Done()
	want := "read: 50 lines, 10/s, 1 failed\nread: 100 lines, 10/s, 1 failed\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestBarWithoutTotal(t *testing.T) {
	b, out, pass := clocked(true)
	b.Show(Step{What: "produce", Unit: "lines", Done: 5, Part: 0.5})
	pass(time.Second)
	b.Show(Step{What: "produce", Unit: "lines", Done: 7})
	want := "\r[============            ] produce: 5 lines, 50%\x1b[K\rproduce: 7 lines, 2/s\x1b[K"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestNarrowTerminal(t *testing.T) {
	b, out, _ := clocked(true)
	b.width = func() int { return 20 }
	b.Show(Step{What: "produce", Unit: "lines", Done: 5, Total: 10})
	if got := strings.TrimSuffix(strings.TrimPrefix(out.String(), "\r"), "\x1b[K"); len(got) != 19 {
		t.Errorf("%d columns: %q", len(got), got)
	}
}

func TestNilBarSaysNothing(t *testing.T) {
	var b *Bar
	b.Show(Step{What: "x", Done: 1})
	b.Done()
}

// TestWriteTakesTheBarsPlace: a log line does not stand behind a bar, and the bar comes back.
func TestWriteTakesTheBarsPlace(t *testing.T) {
	b, out, pass := clocked(true)
	b.Step("read", 1, 0)
	if _, err := b.Write([]byte("a warning\n")); err != nil {
		t.Fatal(err)
	}
	pass(time.Second)
	b.Step("read", 3, 0)
	want := "\rread: 1 lines\x1b[K\r\x1b[Ka warning\n\rread: 3 lines, 2/s\x1b[K"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
