package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// The slow twin of the scanner: the same strictness, put together from encoding/json (which is lax
// about names that occur twice, invalid UTF-8 and surrogates) and three checks. A test that runs
// under GOEXPERIMENT=jsonv2 holds it against encoding/json/v2.

// tree is a JSON value with its members in order.
type tree struct {
	kind    kind
	text    string // of scalars: a string's text, else as written
	names   []string
	members []tree // of an object by names, or of an array
}

// get returns the member with this name, or an absent value.
func (t tree) get(name string) tree {
	for i, n := range t.names {
		if n == name && t.kind == kindObject {
			return t.members[i]
		}
	}
	return tree{}
}

// at returns the element with this index, or an absent value.
func (t tree) at(index int) tree {
	if t.kind == kindArray && index < len(t.members) {
		return t.members[index]
	}
	return tree{}
}

// scalar returns the text of a scalar, "" for all else.
func (t tree) scalar() string { return t.text }

// readStrictly returns the tree of a payload, or why it is not strictly JSON.
func readStrictly(p []byte) (tree, error) {
	if !json.Valid(p) {
		return tree{}, errors.New("invalid JSON")
	}
	if !utf8.Valid(p) {
		return tree{}, errors.New("invalid UTF-8")
	}
	if err := checkSurrogates(p); err != nil {
		return tree{}, err
	}
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	t, err := readTree(d)
	if err != nil {
		return tree{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return tree{}, errors.New("trailing bytes")
	}
	return t, nil
}

// checkSurrogates looks at the escapes of valid JSON, where backslashes are in strings only.
func checkSurrogates(p []byte) error {
	for i := 0; i < len(p); i++ {
		if p[i] != '\\' {
			continue
		}
		i++
		if p[i] != 'u' {
			continue
		}
		r := unicodeEscape(p[i+1:])
		i += 4
		if !utf16.IsSurrogate(r) {
			continue
		}
		if !bytes.HasPrefix(p[i+1:], []byte(`\u`)) ||
			utf16.DecodeRune(r, unicodeEscape(p[i+3:])) == utf8.RuneError {
			return fmt.Errorf("lone surrogate %x", r)
		}
		i += 6
	}
	return nil
}

func unicodeEscape(p []byte) rune {
	v, err := strconv.ParseUint(string(p[:4]), 16, 16)
	if err != nil {
		panic(err)
	}
	return rune(v)
}

func readTree(d *json.Decoder) (tree, error) {
	token, err := d.Token()
	if err != nil {
		return tree{}, err
	}
	switch v := token.(type) {
	case nil:
		return tree{kind: kindNull}, nil
	case bool:
		if v {
			return tree{kind: kindTrue, text: "true"}, nil
		}
		return tree{kind: kindFalse, text: "false"}, nil
	case json.Number:
		return tree{kind: kindNumber, text: string(v)}, nil
	case string:
		return tree{kind: kindString, text: v}, nil
	}
	t, seen := tree{kind: kindArray}, map[string]bool{}
	if token == json.Delim('{') {
		t.kind = kindObject
	}
	for d.More() {
		if t.kind == kindObject {
			name, err := d.Token()
			if err != nil {
				return tree{}, err
			}
			if seen[name.(string)] {
				return tree{}, fmt.Errorf("name %q twice", name)
			}
			seen[name.(string)] = true
			t.names = append(t.names, name.(string))
		}
		member, err := readTree(d)
		if err != nil {
			return tree{}, err
		}
		t.members = append(t.members, member)
	}
	_, err = d.Token()
	return t, err
}

// sharedData returns the folder of real data beside the repository, or skips the test.
func sharedData(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the shared data %s is missing beside the repository", strings.Join(elem, "/"))
	}
	return path
}

func readFile(t testing.TB, elem ...string) []byte {
	t.Helper()
	p, err := os.ReadFile(sharedData(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
