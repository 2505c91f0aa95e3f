package tap

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
)

// reader says what a record is and what it says. An error is of the record, not of the tap.
type reader func(r *kgo.Record) (kind string, says any, err error)

// keptBytes is how much of a value that cannot be read is shown.
const keptBytes = 4096

// undecodable is what is shown of a value that cannot be read.
type undecodable struct {
	Reason string `json:"reason"`
	payload
}

// payload shows bytes that may be anything.
type payload struct {
	Bytes int    `json:"bytes"`
	Text  string `json:"text,omitempty"` // if it is text; cut
	Hex   string `json:"hex,omitempty"`  // otherwise; cut
}

func payloadOf(b []byte) payload {
	p := payload{Bytes: len(b)}
	kept := b[:min(len(b), keptBytes)]
	for len(kept) < len(b) && len(kept) > 0 && !utf8.RuneStart(b[len(kept)]) {
		kept = kept[:len(kept)-1] // not in the middle of a character
	}
	if utf8.Valid(kept) {
		p.Text = string(kept)
	} else {
		p.Hex = hex.EncodeToString(kept)
	}
	return p
}

// appendLine appends the record's line. The error can only be a value of ours that has no JSON form.
func appendLine(dst []byte, r *kgo.Record, read reader) ([]byte, error) {
	kind, says, err := "tombstone", any(true), error(nil)
	if r.Value != nil {
		kind, says, err = read(r)
	}
	if err != nil {
		kind, says = "undecodable", undecodable{err.Error(), payloadOf(r.Value)}
	}
	dst = append(dst, `{"topic":`...)
	dst = strconv.AppendQuote(dst, r.Topic) // letters, digits, dots, _ and -
	dst = fmt.Appendf(dst, `,"partition":%d,"offset":%d,"time":"%s","key":`, r.Partition, r.Offset,
		correlate.TimeOf(r.Timestamp).Std().Format("2006-01-02T15:04:05.000Z"))
	if dst, err = appendJSON(dst, keyOf(r.Key)); err != nil {
		return nil, err
	}
	dst = fmt.Appendf(dst, `,"%s":`, kind)
	if dst, err = appendJSON(dst, says); err != nil {
		return nil, fmt.Errorf("%s/%d, offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return append(dst, '}', '\n'), nil
}

// appendJSON appends v without escaping what only HTML minds.
func appendJSON(dst []byte, v any) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// keyOf returns the key as text, in hexadecimal if it is none, or nil.
func keyOf(key []byte) any {
	switch {
	case key == nil:
		return nil
	case utf8.Valid(key):
		return string(key)
	}
	return hex.EncodeToString(key)
}

// jsonReader reads values that are JSON already.
func jsonReader(kind string) reader {
	return func(r *kgo.Record) (string, any, error) {
		if !json.Valid(r.Value) {
			return "", nil, fmt.Errorf("not JSON")
		}
		return kind, json.RawMessage(r.Value), nil
	}
}
