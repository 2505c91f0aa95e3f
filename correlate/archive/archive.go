package archive

import (
	"context"
	"errors"
	"strconv"
)

// Batch is one insert: rows of one table and one archive_day, of each source partition the positions
// in ascending order.
type Batch struct {
	Table string
	// Token names the rows: by the offsets of the archive topic that they come from. An archive takes a
	// token once a table and answers a repeat as if it had inserted; so the same token must always
	// come with the same sections.
	Token    string
	Sections []Section
	// Repeated says that the batch was sent before, or may have been, and its fate is not known.
	// Then the archive makes sure that it has the rows: a token can outlive a crash of the archive
	// in which its rows were lost.
	Repeated bool
}

// TokenAfter returns the token that takes the place of the n-th of a batch: 0 is its own.
func (b *Batch) TokenAfter(n int) string {
	if n == 0 {
		return b.Token
	}
	return b.Token + "#" + strconv.Itoa(n+1)
}

// Tokens is how many tokens in a row may turn out to be taken without rows before an archive gives
// up on a batch: each costs it a crash between two steps of one insert.
const Tokens = 100

// Rows returns how many rows the batch has.
func (b *Batch) Rows() int {
	n := 0
	for i := range b.Sections {
		n += b.Sections[i].Rows
	}
	return n
}

// Check returns why the batch is not one insert, or nil: it has no token, or mixes tables, layouts
// or days, or has more than MaxRows rows or MaxBytes bytes.
func (b *Batch) Check() error {
	if b.Token == "" {
		return errors.New("archive: a batch without a token could be inserted twice")
	}
	if len(b.Sections) > 0 && b.Sections[0].Table != b.Table {
		return errors.New("archive: a batch for " + b.Table + " with sections of " +
			b.Sections[0].Table)
	}
	_, err := check(b.Sections)
	return err
}

// Archive is where batches go. Package archivetest has the tests that every one passes.
type Archive interface {
	// Insert adds the rows, all or none, durably, once a (table, token). A batch without rows does
	// nothing. Errors have a [Fault]; after one that is FaultRetry, whether the rows are in is not
	// known, and the same batch is to be inserted again, as Repeated. Of such a batch nil means that
	// the rows were seen; if the token was taken without them, they go in under the next one
	// ([Batch.TokenAfter]), which every owner would choose.
	Insert(ctx context.Context, b Batch) error

	// HighWater returns the highest archived position of a partition in one table, or -1.
	HighWater(ctx context.Context, table, topic string, partition int32) (int64, error)

	// Ping returns nil if the archive answers.
	Ping(ctx context.Context) error
}

// Fault says what to do about an error.
type Fault uint8

// The faults.
const (
	FaultRetry  Fault = 1 // may pass by itself: try the same again, without end
	FaultReject Fault = 2 // these rows will never go in; others may
	FaultStop   Fault = 3 // nothing will go in until a person changes something
)

// String returns the fault's name.
func (f Fault) String() string {
	switch f {
	case FaultRetry:
		return "retry"
	case FaultReject:
		return "reject"
	case FaultStop:
		return "stop"
	}
	return "none"
}

// Error is an error of an archive with what to do about it.
type Error struct {
	Fault Fault
	Err   error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FaultOf returns what to do about err: its Fault, FaultRetry if it has none (an unknown failure
// must lose nothing), and 0 for nil.
func FaultOf(err error) Fault {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return FaultRetry
}
