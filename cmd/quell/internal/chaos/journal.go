package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// journal is what happened in a round and when: in a file at once, in the report as a line.
type journal struct {
	began time.Time
	file  *os.File
	lines []string
	// Recoveries are how long it took from each fault until everything flowed again.
	recoveries []recovery
	struck     []Act
}

type recovery struct {
	Act  Act           `json:"act"`
	Took time.Duration `json:"took"`
}

func newJournal(dir string) (*journal, error) {
	f, err := os.Create(filepath.Join(dir, "journal.txt"))
	return &journal{began: time.Now(), file: f}, err
}

// note tells one thing that was done.
func (j *journal) note(format string, args ...any) {
	line := fmt.Sprintf("%.1fs ", time.Since(j.began).Seconds()) + fmt.Sprintf(format, args...)
	j.lines = append(j.lines, line)
	fmt.Fprintln(j.file, line)
}

// detail goes to the file only.
func (j *journal) detail(format string, args ...any) {
	fmt.Fprintf(j.file, "%.1fs   %s\n", time.Since(j.began).Seconds(), fmt.Sprintf(format, args...))
}

// recovered tells how long it took from a fault until everything flowed again.
func (j *journal) recovered(a Act, took time.Duration) {
	j.recoveries = append(j.recoveries, recovery{a, took})
	j.detail("%s: everything flows again after %v", a, took.Round(time.Millisecond))
}

func (j *journal) String() string { return strings.Join(j.lines, "; ") }
