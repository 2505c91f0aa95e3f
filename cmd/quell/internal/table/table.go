// Package table prints rows as aligned columns for people.
//
// The widths come from the first rows (at most [Sample] of them, which wait in memory); later rows
// are printed as they come, and one that is wider than its column pushes the rest of its line to the
// right. Cells are one line each: control characters are written as escapes. Only a Writer that
// was told a largest width (on a terminal) cuts cells, with an ellipsis; a file gets everything.
package table

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sample is how many rows decide the widths.
const Sample = 1000

// Writer prints one table.
type Writer struct {
	w     *bufio.Writer
	most  int // columns of a cell; 0 is any
	right []bool
	width []int
	held  [][]string // rows that wait for the widths; the header is the first
	begun bool
}

// New returns a writer of a table with the given header. Right says which columns are aligned to
// the right (nil: none); most is how many columns a cell may take, 0 for any number.
func New(w io.Writer, header []string, right []bool, most int) *Writer {
	t := &Writer{w: bufio.NewWriter(w), most: most, right: right, width: make([]int, len(header))}
	t.hold(header)
	return t
}

// Row adds a row. The slice is not kept.
func (t *Writer) Row(cells []string) error {
	if !t.begun {
		t.hold(cells)
		if len(t.held) <= Sample {
			return nil
		}
		return t.begin()
	}
	clean := make([]string, len(cells))
	for i, c := range cells {
		clean[i] = t.clean(c)
	}
	return t.line(clean)
}

// Close prints what still waits.
func (t *Writer) Close() error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.w.Flush()
}

func (t *Writer) hold(cells []string) {
	row := make([]string, len(t.width))
	for i := range row {
		if i < len(cells) {
			row[i] = t.clean(cells[i])
			t.width[i] = max(t.width[i], utf8.RuneCountInString(row[i]))
		}
	}
	t.held = append(t.held, row)
}

// begin prints the rows that waited, under a rule the header.
func (t *Writer) begin() error {
	if t.begun {
		return nil
	}
	t.begun = true
	for i, row := range t.held {
		if err := t.line(row); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		rule := make([]string, len(t.width))
		for k, n := range t.width {
			rule[k] = strings.Repeat("-", n)
		}
		if err := t.line(rule); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

func (t *Writer) line(cells []string) error {
	for i, c := range cells {
		if i > 0 {
			_, _ = t.w.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(t.width[i]-utf8.RuneCountInString(c), 0))
		switch {
		case t.right != nil && t.right[i]:
			_, _ = t.w.WriteString(pad + c)
		case i == len(cells)-1:
			_, _ = t.w.WriteString(c)
		default:
			_, _ = t.w.WriteString(c + pad)
		}
	}
	return t.w.WriteByte('\n') // a failed bufio.Writer fails here too
}

// clean makes the cell one line of printable characters, cut if it has to be.
func (t *Writer) clean(cell string) string {
	if strings.IndexFunc(cell, notPrintable) >= 0 {
		var b strings.Builder
		for i, r := range cell {
			switch {
			case r == '\n':
				b.WriteString(`\n`)
			case r == '\t':
				b.WriteString(`\t`)
			case strings.HasPrefix(cell[i:], "\ufffd"):
				b.WriteRune(r)
			case r == utf8.RuneError: // a byte that is no UTF-8
				fmt.Fprintf(&b, `\x%02x`, cell[i])
			case notPrintable(r):
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				b.WriteRune(r)
			}
		}
		cell = b.String()
	}
	if t.most > 0 && utf8.RuneCountInString(cell) > t.most {
		cell = string([]rune(cell)[:t.most-1]) + "…"
	}
	return cell
}

func notPrintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
