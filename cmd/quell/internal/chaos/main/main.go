// Command chaos kills what it can of a running quell, round after round, and checks that nobody could
// have noticed but by a delay. See package chaos; `make chaos` builds and runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"quell/cmd/quell/internal/chaos"
)

func main() { os.Exit(run()) }

func run() (code int) {
	testing.Init() // kafkatest asks for -short
	o := chaos.Options{Out: os.Stdout}
	flag.StringVar(&o.Binary.Quell, "quell", "bin/quell", "the program to put to the test")
	flag.StringVar(&o.Binary.Library, "engine", ".cache/chdb/libchdb.so", "the ClickHouse engine")
	flag.StringVar(&o.Dir, "dir", "", "directory for logs; default: a temporary one")
	flag.Uint64Var(&o.Seed, "seed", 1, "what all dice are drawn from")
	flag.IntVar(&o.Rounds, "rounds", 5, "how many rounds to play")
	flag.IntVar(&o.Only, "only", 0, "play only this round of the seed")
	flag.BoolVar(&o.Keep, "keep", false, "keep the files of rounds that passed")
	recovery := flag.Bool("recovery", false, "measure recovery instead of playing rounds")
	var m chaos.MeasureOptions
	flag.IntVar(&m.Fingerprints, "fingerprints", 1_000_000, "with -recovery: live fingerprints")
	flag.IntVar(&m.Alerts, "alerts", 100_000, "with -recovery: of them, open alerts")
	flag.IntVar(&m.Repeat, "repeat", 3, "with -recovery: how often each is measured")
	flag.BoolVar(&m.JSON, "json", false, "with -recovery: print JSON")
	flag.Parse()
	if err := prepare(&o); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tb := &outside{dir: o.Dir}
	defer tb.cleanUp()
	defer func() {
		if e, ok := recover().(fatal); ok {
			fmt.Fprintln(os.Stderr, "chaos:", string(e))
			code = 1
		}
	}()
	var err error
	if *recovery {
		m.Binary, m.Dir, m.Out = o.Binary, o.Dir, o.Out
		_, err = chaos.Measure(ctx, tb, m)
	} else {
		_, err = chaos.Run(ctx, tb, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	return 0
}

func prepare(o *chaos.Options) (err error) {
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "quell-chaos-"); err != nil {
			return err
		}
	}
	for _, path := range []*string{&o.Binary.Quell, &o.Binary.Library, &o.Dir} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	for _, path := range []string{o.Binary.Quell, o.Binary.Library} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: run make setup build", err)
		}
	}
	return nil
}
