package produce

import (
	"context"
	"encoding/hex"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/cmd/quell/internal/load"
	"quell/cmd/quell/internal/progress"
)

// inFileOrder streams the files one after the other; no more than the client's buffer is in memory.
func (r *run) inFileOrder() error {
	sizes, total := sizes(r.o.Files)
	var before int64
	for i, name := range r.o.Files {
		part := func(taken int64) float64 {
			if total <= 0 {
				return 0
			}
			return float64(before+taken) / float64(total)
		}
		if err := r.file(name, part); err != nil {
			return err
		}
		before += sizes[i]
	}
	return nil
}

// sizes returns the sizes of the files and their sum, 0 if one of them has none (standard input, a
// pipe).
func sizes(names []string) (each []int64, total int64) {
	each = make([]int64, len(names))
	for i, name := range names {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.Mode().IsRegular() {
			return each, 0
		}
		each[i] = info.Size()
		total += info.Size()
	}
	return each, total
}

func (r *run) file(name string, part func(taken int64) float64) (err error) {
	in, err := load.Open(name, cancellable(r.ctx, r.o.Stdin))
	if err != nil {
		return r.orEnd(err)
	}
	defer func() {
		if failed := in.Close(); err == nil {
			err = failed
		}
	}()
	var it load.Item
	for !r.stop.Load() {
		line, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return r.orEnd(err)
		}
		it.Value = line.Value
		r.stamper.Stamp(&it)
		if err := r.hand(&it, r.arena.copy(line.Value)); err != nil {
			return err
		}
		if n := r.handed.Load(); n%tellEvery == 0 {
			r.tell(progress.Step{Done: n, Part: part(in.Taken())})
		}
	}
	return nil
}

// cancellable returns a reader that fails when ctx ends, also in the middle of a Read: nothing wakes
// a read of a terminal or a pipe. The goroutine that such a Read holds ends with it, or with the
// process.
func cancellable(ctx context.Context, in io.Reader) io.Reader {
	if in == nil {
		return nil
	}
	out, into := io.Pipe()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.CopyBuffer(into, in, make([]byte, 256<<10))
		_ = into.CloseWithError(err) // nil is io.EOF
	}()
	return out
}

// arena hands out memory that the client keeps until a record is acknowledged. It is given out in
// large pieces that the garbage collector takes back whole.
type arena struct {
	bytes   []byte
	records []kgo.Record
}

const arenaBytes = 1 << 20

func (a *arena) take(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		if n > arenaBytes/4 {
			return make([]byte, n)
		}
		a.bytes = make([]byte, 0, arenaBytes)
	}
	from := len(a.bytes)
	a.bytes = a.bytes[:from+n]
	return a.bytes[from : from+n : from+n]
}

func (a *arena) copy(b []byte) []byte {
	out := a.take(len(b))
	copy(out, b)
	return out
}

func (a *arena) hex(b []byte) []byte {
	out := a.take(hex.EncodedLen(len(b)))
	hex.Encode(out, b)
	return out
}

func (a *arena) record() *kgo.Record {
	if len(a.records) == 0 {
		a.records = make([]kgo.Record, 512)
	}
	rec := &a.records[0]
	a.records = a.records[1:]
	return rec
}

// pace spreads lines evenly over time.
type pace struct {
	rate  int
	begun time.Time
}

func newPace(rate int) pace { return pace{rate: rate, begun: time.Now()} }

// wait returns when line n is due. Being less than two milliseconds early does not matter.
func (p *pace) wait(ctx context.Context, n int64) error {
	if p.rate <= 0 {
		return nil
	}
	early := time.Until(p.due(n))
	if early < 2*time.Millisecond {
		return nil
	}
	t := time.NewTimer(early)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// due is begun + n/rate, without overflow.
func (p *pace) due(n int64) time.Time {
	whole, rest := n/int64(p.rate), n%int64(p.rate)
	return p.begun.Add(time.Duration(whole)*time.Second +
		time.Duration(rest)*time.Second/time.Duration(p.rate))
}
