package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Revisions of the native protocol at which the framing of a block changed.
const (
	RevisionBlockInfo           = 1
	RevisionCustomSerialization = 54454
)

// Block is what Reframe saw of a block.
type Block struct {
	Names, Types []string
	Rows         int
}

// UnsupportedError is a column whose type cannot be re-framed.
type UnsupportedError struct{ Column, Type string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("column %s of type %s cannot go through the native protocol here: convert"+
		" it in the query (finalizeAggregation, -Merge, toString) or ask for another FORMAT",
		e.Column, e.Type)
}

// Reframe reads one block of revision from and appends it to dst as one of revision to. It returns
// io.EOF, as it is, if src ended before the block began. After another error src is lost.
func Reframe(dst []byte, src Source, from, to int, max Limits) ([]byte, Block, error) {
	var b Block
	w := &walker{src: src, out: dst, left: max.Bytes, max: max.Bytes}
	if from >= RevisionBlockInfo {
		if err := skipBlockInfo(src); err != nil {
			return dst, b, err
		}
	}
	if to >= RevisionBlockInfo {
		w.out = appendBlockInfo(w.out)
	}
	columns, rows, err := w.dimensions(from, max)
	if err != nil {
		return dst, b, err
	}
	b.Rows = int(rows)
	for range columns {
		if err := w.column(&b, from, to); err != nil {
			return dst, b, err
		}
	}
	return w.out, b, nil
}

func (w *walker) dimensions(from int, max Limits) (columns, rows uint64, err error) {
	if columns, err = binary.ReadUvarint(w.src); err != nil {
		if errors.Is(err, io.EOF) && from < RevisionBlockInfo {
			return 0, 0, io.EOF // nothing was read yet
		}
		return 0, 0, truncated(err)
	}
	w.out = binary.AppendUvarint(w.out, columns)
	if rows, err = w.copyUvarint(); err != nil {
		return 0, 0, err
	}
	if columns > uint64(max.Columns) {
		return 0, 0, &TooBigError{"columns", columns, uint64(max.Columns)}
	}
	if rows > uint64(max.Rows) {
		return 0, 0, &TooBigError{"rows", rows, uint64(max.Rows)}
	}
	return columns, rows, nil
}

func (w *walker) column(b *Block, from, to int) error {
	name, err := w.copyString()
	if err != nil {
		return err
	}
	b.Names = append(b.Names, string(name))
	typeName, err := w.copyString()
	if err != nil {
		return err
	}
	b.Types = append(b.Types, string(typeName))
	column, typ := b.Names[len(b.Names)-1], b.Types[len(b.Types)-1]
	if from >= RevisionCustomSerialization {
		custom, err := w.src.ReadByte()
		if err != nil {
			return truncated(err)
		}
		if custom != 0 {
			return fmt.Errorf("column %s is serialised in a special way", column)
		}
	}
	if to >= RevisionCustomSerialization {
		w.out = append(w.out, 0)
	}
	if b.Rows == 0 {
		return nil
	}
	l, err := parseType(typ)
	if err != nil {
		return fmt.Errorf("column %s: %w", column, err)
	}
	if l.kind == unwalkable {
		return &UnsupportedError{column, typ}
	}
	if err := w.prefix(&l); err != nil {
		return fmt.Errorf("column %s: %w", column, err)
	}
	if err := w.values(&l, uint64(b.Rows)); err != nil {
		return fmt.Errorf("column %s: %w", column, err)
	}
	return nil
}

// AppendHeader appends a block without rows, which tells a client the columns.
func AppendHeader(dst []byte, to int, names, types []string) []byte {
	if to >= RevisionBlockInfo {
		dst = appendBlockInfo(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	dst = binary.AppendUvarint(dst, 0)
	for i := range names {
		dst = appendString(dst, names[i])
		dst = appendString(dst, types[i])
		if to >= RevisionCustomSerialization {
			dst = append(dst, 0)
		}
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendBlockInfo appends "no overflow, no bucket": numbered fields, ended by a zero.
func appendBlockInfo(dst []byte) []byte {
	return append(dst, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0)
}

func skipBlockInfo(src Source) error {
	for begun := false; ; begun = true {
		field, err := binary.ReadUvarint(src)
		if err != nil {
			if errors.Is(err, io.EOF) && !begun {
				return io.EOF
			}
			return truncated(err)
		}
		var skip [4]byte
		switch field {
		case 0:
			return nil
		case 1:
			_, err = io.ReadFull(src, skip[:1])
		case 2:
			_, err = io.ReadFull(src, skip[:4])
		default:
			return fmt.Errorf("a block info with field %d", field)
		}
		if err != nil {
			return truncated(err)
		}
	}
}
