package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Source is what blocks are read from.
type Source interface {
	io.Reader
	io.ByteReader
}

// Limits bound a block that comes from outside.
type Limits struct {
	Columns, Rows int
	Bytes         int // of the block as the walk writes it
}

// TooBigError says which bound a block broke.
type TooBigError struct {
	What       string
	Has, Bound uint64
}

func (e *TooBigError) Error() string {
	return fmt.Sprintf("a block of %d %s; at most %d are taken", e.Has, e.What, e.Bound)
}

// step is how far memory runs ahead of the bytes that have come.
const step = 1 << 20

// walker copies a block from src to the end of out.
type walker struct {
	src  Source
	out  []byte
	left int // bytes that the block may still add
	max  int
}

// copy takes n bytes. The result is good until the next call.
func (w *walker) copy(n uint64) ([]byte, error) {
	if n > uint64(w.left) {
		return nil, &TooBigError{"bytes", uint64(w.max-w.left) + n, uint64(w.max)}
	}
	w.left -= int(n)
	start := len(w.out)
	for n > 0 {
		from, piece := len(w.out), int(min(n, step))
		if free := cap(w.out) - from; free < piece {
			w.out = append(make([]byte, 0, 2*from+piece), w.out...)
		}
		w.out = w.out[:from+piece]
		if _, err := io.ReadFull(w.src, w.out[from:]); err != nil {
			return nil, truncated(err)
		}
		n -= uint64(piece)
	}
	return w.out[start:], nil
}

func (w *walker) copyUvarint() (uint64, error) {
	v, err := binary.ReadUvarint(w.src)
	if err != nil {
		return 0, truncated(err)
	}
	before := len(w.out)
	w.out = binary.AppendUvarint(w.out, v)
	w.left -= len(w.out) - before
	if w.left < 0 {
		return 0, &TooBigError{"bytes", uint64(w.max) + 1, uint64(w.max)}
	}
	return v, nil
}

func (w *walker) copyString() ([]byte, error) {
	n, err := w.copyUvarint()
	if err != nil {
		return nil, err
	}
	return w.copy(n)
}

func (w *walker) copyUint64() (uint64, error) {
	b, err := w.copy(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// prefix copies what a column says before its values.
func (w *walker) prefix(l *layout) error {
	if l.kind == dictionary {
		_, err := w.copyUint64() // how the keys are serialised
		return err
	}
	for i := range l.sub {
		if err := w.prefix(&l.sub[i]); err != nil {
			return err
		}
	}
	return nil
}

// values copies n values.
func (w *walker) values(l *layout, n uint64) error {
	if n > uint64(w.max) { // before any multiplication: every value takes a byte at least
		return &TooBigError{"values", n, uint64(w.max)}
	}
	switch l.kind {
	case fixedSize:
		_, err := w.copy(n * uint64(l.size))
		return err
	case text:
		for range n {
			if _, err := w.copyString(); err != nil {
				return err
			}
		}
		return nil
	case nullable:
		if _, err := w.copy(n); err != nil {
			return err
		}
		return w.values(&l.sub[0], n)
	case array:
		return w.arrays(l, n)
	case tuple:
		return w.tuples(l, n)
	case dictionary:
		return w.dictionary(l, n)
	}
	return errors.New("a type that cannot be walked")
}

func (w *walker) arrays(l *layout, n uint64) error {
	ends, err := w.copy(n * 8)
	if err != nil {
		return err
	}
	var last uint64
	for ; len(ends) > 0; ends = ends[8:] {
		end := binary.LittleEndian.Uint64(ends)
		if end < last {
			return fmt.Errorf("an array that ends at %d, before its begin %d", end, last)
		}
		last = end
	}
	return w.values(&l.sub[0], last)
}

func (w *walker) tuples(l *layout, n uint64) error {
	if len(l.sub) == 0 { // an empty tuple is a byte
		_, err := w.copy(n)
		return err
	}
	for i := range l.sub {
		if err := w.values(&l.sub[i], n); err != nil {
			return err
		}
	}
	return nil
}

// dictionary copies the keys of a LowCardinality column and its rows' indexes into them.
func (w *walker) dictionary(l *layout, n uint64) error {
	if n == 0 {
		return nil
	}
	const widthMask, globalKeys, ownKeys = 0xff, 1 << 8, 1 << 9
	form, err := w.copyUint64()
	if err != nil {
		return err
	}
	width := form & widthMask
	if width > 3 || form&globalKeys != 0 || form&ownKeys == 0 {
		return fmt.Errorf("a LowCardinality column of form %#x", form)
	}
	keys, err := w.copyUint64()
	if err != nil {
		return err
	}
	if err := w.values(&l.sub[0], keys); err != nil {
		return err
	}
	rows, err := w.copyUint64()
	if err != nil {
		return err
	}
	if rows != n {
		return fmt.Errorf("a LowCardinality column of %d rows where %d were announced", rows, n)
	}
	indexes, err := w.copy(n << width)
	if err != nil {
		return err
	}
	return checkIndexes(indexes, 1<<width, keys)
}

func checkIndexes(indexes []byte, size int, keys uint64) error {
	var wide [8]byte
	for ; len(indexes) > 0; indexes = indexes[size:] {
		copy(wide[:], indexes[:size])
		if i := binary.LittleEndian.Uint64(wide[:]); i >= keys {
			return fmt.Errorf("a LowCardinality index of %d where there are %d keys", i, keys)
		}
	}
	return nil
}

// truncated turns an end of input in the middle of something into io.ErrUnexpectedEOF.
func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
