package embedded

import (
	"errors"
	"io"
	"net/http"
)

// insertPiece is how many bytes of rows go to the engine at a time. It keeps up to 16 of them.
const insertPiece = 1 << 20

// insert streams rows into the engine as they are, and answers when they are stored.
func (x *exchange) insert(in *insert, params []param, rows io.Reader) error {
	format := in.format
	if format == "" {
		format = "Values"
	}
	stream, err := x.s.Insert(in.head, format, params)
	if err != nil {
		return err
	}
	defer stream.Close()
	piece, some := make([]byte, insertPiece), false
	for {
		n, end, err := fill(rows, piece)
		if err != nil {
			return err
		}
		some = some || n > 0
		if err := stream.Append(piece[:n]); err != nil {
			return err
		}
		if end {
			break
		}
	}
	if !some { // no rows at all are no error
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	res, err := stream.Done()
	if err != nil {
		return err
	}
	defer res.Free()
	x.summary(res.Stats())
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// fill reads until p is full or the rows end. io.ReadFull would not do: it calls a body that was
// cut off (io.ErrUnexpectedEOF) and one that ended the same.
func fill(rows io.Reader, p []byte) (n int, end bool, err error) {
	for n < len(p) {
		m, err := rows.Read(p[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}
