package embedded

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"quell/sinks/clickhouse/embedded/internal/chdb"
	"quell/sinks/clickhouse/embedded/internal/native"
)

type param = chdb.Param

// revision is the newest revision of the native protocol that is spoken: the first with parameters
// and query times, and what clickhouse-go and ch-go speak.
const revision = 54460

// streamable tells whether a format has neither head nor foot, so that the pieces of a streamed
// answer can be written one behind the other. Other formats are answered whole.
func streamable(format string) bool {
	switch format {
	case "Native", "CSV", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "JSONEachRow",
		"JSONLines", "NDJSON", "JSONCompactEachRow", "JSONStringsEachRow", "RowBinary", "MsgPack":
		return true
	}
	return false
}

func contentType(format string) string {
	switch {
	case format == "Native", strings.HasPrefix(format, "RowBinary"), format == "Parquet":
		return "application/octet-stream"
	case format == "JSONEachRow", format == "JSONLines", format == "NDJSON":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8; header=absent"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	}
	return "text/plain; charset=UTF-8"
}

// format is what the answer will be in: the FORMAT clause, else what the client asks for.
func (x *exchange) format(st *statement) string {
	for _, f := range []string{st.format, x.r.Header.Get("X-ClickHouse-Format"),
		x.params.Get("default_format")} {
		if f != "" {
			return f
		}
	}
	return "TabSeparated"
}

func (x *exchange) query(st *statement, params []param) error {
	if st.several {
		return exception(codeSyntaxError, "Multi-statements are not allowed")
	}
	if strings.TrimSpace(st.text) == "" {
		return exception(codeSyntaxError, "Empty query")
	}
	format := x.format(st)
	x.head("X-ClickHouse-Format", format)
	x.head("Content-Type", contentType(format))
	a := &answer{exchange: x}
	if format == "Native" {
		a.revision, _ = strconv.Atoi(x.params.Get("client_protocol_version")) // 0: a file's
		a.revision = min(a.revision, revision)
	}
	if st.streams && streamable(format) && x.params.Get("wait_end_of_query") != "1" {
		return a.stream(st.text, format, params)
	}
	res, err := x.s.Query(st.text, format, params)
	if err != nil {
		return err
	}
	defer res.Free()
	x.summary(res.Stats())
	if err := a.write(res.Data); err != nil {
		return err
	}
	return a.close()
}

func (x *exchange) summary(s chdb.Stats) {
	x.head("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d",`+
		`"written_bytes":"%d","elapsed_ns":"%d"}`, s.RowsRead, s.RowsWritten, s.BytesWritten,
		s.Elapsed.Nanoseconds()))
}

// answer writes rows to the client, in the revision and the compression that it asked for.
type answer struct {
	*exchange
	revision int
	out      io.WriteCloser // opened by the first write
	blocks   []byte         // re-framed, reused
}

// stream answers piece by piece. An error before the first piece is returned, and has a status of
// its own; a later one ends the answer, in the form by which clients tell it from rows.
func (a *answer) stream(sql, format string, params []param) error {
	pieces, err := a.s.Stream(sql, format, params)
	if err != nil {
		return err
	}
	defer pieces.Close()
	tag := randomHex()[:16]
	a.head("X-ClickHouse-Exception-Tag", tag)
	for {
		piece, err := pieces.Next()
		if err == nil && piece != nil {
			err = a.write(piece.Data)
			piece.Free()
		}
		switch {
		case err != nil && a.out == nil:
			return err
		case err != nil:
			a.breakOff(tag, err)
			return nil
		case piece == nil:
			return a.close()
		}
		if a.r.Context().Err() != nil {
			return nil // nobody reads on
		}
	}
}

// breakOff ends an answer whose status was sent already.
func (a *answer) breakOff(tag string, err error) {
	text := a.text(err) + "\n"
	_, _ = fmt.Fprintf(a.out, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n",
		tag, text, len(text), tag)
	_ = a.out.Close() // the client went away, or will see the exception
}

func (a *answer) write(rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if a.revision > 0 {
		var err error
		if a.blocks, err = reframeAll(a.blocks[:0], rows, a.revision); err != nil {
			return err
		}
		rows = a.blocks
	}
	if a.out == nil {
		a.out = a.openAnswer()
	}
	_, err := a.out.Write(rows)
	return err
}

func (a *answer) close() error {
	if a.out == nil { // no rows: an empty answer
		a.w.Header().Set("Content-Length", "0")
		a.w.WriteHeader(http.StatusOK)
		return nil
	}
	return a.out.Close()
}

// trusted are the limits of blocks that the engine made.
func trusted() native.Limits {
	return native.Limits{Columns: math.MaxInt32, Rows: math.MaxInt32, Bytes: math.MaxInt}
}

// reframeAll appends the blocks in data, which are of revision 0, to dst as blocks of revision to.
func reframeAll(dst, data []byte, to int) ([]byte, error) {
	src := bytes.NewReader(data)
	for {
		out, _, err := native.Reframe(dst, src, 0, to, trusted())
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
		dst = out
	}
}
