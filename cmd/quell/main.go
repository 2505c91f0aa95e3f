// Command quell is an event-correlation pipeline: raw monitoring events from Kafka in, few pages
// out, every event in ClickHouse.
//
// One file a command: flags, wiring and exit codes. Nothing here decides anything about an event.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1 // it ran, and what it found or tried is bad
	exitUsage    = 2 // it could not run: flags, configuration
	exitDiverged = 3 // run: a partition stood still because its replay diverged
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var coded *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		if coded.err != nil {
			fmt.Fprintln(os.Stderr, "quell:", coded.err)
		}
		return coded.code
	}
	fmt.Fprintln(os.Stderr, "quell:", err)
	return exitFailure
}

// exitError carries an exit code. Without an error the command has said what there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as one of the call or the configuration.
func usage(err error) error { return &exitError{exitUsage, err} }
