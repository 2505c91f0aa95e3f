package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Options say what to play.
type Options struct {
	Binary Binary
	Dir    string // of logs, configurations and ClickHouse's data
	Seed   uint64
	Rounds int
	Only   int  // if set, only this round of the seed
	Keep   bool // keep the files of rounds that passed
	Out    io.Writer
}

// Summary is what all rounds came to.
type Summary struct {
	Rounds, Failed           int
	Records, Pages           int
	Lost, Doubled, Different int
	Faults                   map[Act]int
	Slowest                  time.Duration // recovery
}

// Run plays the rounds, prints a line for each and the summary as the last, and returns an error if
// one failed. tb ends the servers, and the program if one does not start.
func Run(ctx context.Context, tb testing.TB, o Options) (sum Summary, err error) {
	sum.Faults = map[Act]int{}
	s, err := newStage(ctx, tb, o)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for n := 1; n <= max(o.Rounds, o.Only) && ctx.Err() == nil; n++ {
		if o.Only > 0 && n != o.Only {
			continue
		}
		r := s.play(ctx, newPlan(o.Seed, n))
		fmt.Fprintln(o.Out, r.line())
		sum.add(r)
	}
	fmt.Fprintln(o.Out, sum.String())
	if err := ctx.Err(); err != nil {
		return sum, err
	}
	if sum.Failed > 0 {
		return sum, fmt.Errorf("%d of %d rounds failed; repeat one with SEED=%d and its number as ONLY",
			sum.Failed, sum.Rounds, o.Seed)
	}
	return sum, nil
}

func (s *Summary) add(r *round) {
	s.Rounds++
	if !r.ok() {
		s.Failed++
	}
	v := &r.verdict
	s.Records, s.Pages = s.Records+v.Records, s.Pages+v.Pages
	s.Lost, s.Doubled, s.Different = s.Lost+v.Lost.n, s.Doubled+v.Doubled.n, s.Different+v.Different.n
	for _, a := range r.book.struck {
		s.Faults[a]++
	}
	for _, rec := range r.book.recoveries {
		s.Slowest = max(s.Slowest, rec.Took)
	}
}

// String is the summary in one line.
func (s *Summary) String() string {
	var faults []string
	for _, a := range slices.Sorted(maps.Keys(s.Faults)) {
		faults = append(faults, fmt.Sprintf("%s %d", a, s.Faults[a]))
	}
	return fmt.Sprintf("chaos: %d rounds, %d failed; faults: %s; %d records, %d pages; slowest recovery "+
		"%.1fs; %d lost, %d doubled, %d different", s.Rounds, s.Failed, strings.Join(faults, ", "), s.Records,
		s.Pages, s.Slowest.Seconds(), s.Lost, s.Doubled, s.Different)
}
