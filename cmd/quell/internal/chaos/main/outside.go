package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// outside is a testing.TB outside of a test, for package kafkatest: what it asks of one and no more.
// The embedded interface is nil; a method that is not here would panic, and say which.
type outside struct {
	testing.TB
	dir      string
	failed   bool
	cleanups []func()
}

// fatal is what Fatal panics with.
type fatal string

func (o *outside) Helper()                         {}
func (o *outside) Failed() bool                    { return o.failed }
func (o *outside) Cleanup(f func())                { o.cleanups = append(o.cleanups, f) }
func (o *outside) ArtifactDir() string             { return o.dir }
func (o *outside) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (o *outside) TempDir() string {
	dir, err := os.MkdirTemp(o.dir, "kafka-")
	if err != nil {
		panic(fatal(err.Error()))
	}
	o.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (o *outside) Errorf(format string, args ...any) {
	o.failed = true
	o.Logf(format, args...)
}

func (o *outside) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }
func (o *outside) Fatal(args ...any)                 { panic(fatal(fmt.Sprint(args...))) }

func (o *outside) cleanUp() {
	for _, f := range slices.Backward(o.cleanups) {
		f()
	}
}
