package load

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, name, content string) []Line {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var out []Line
	for {
		l, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Line{l.Number, bytes.Clone(l.Value)})
	}
}

func zipped(s string) string {
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func TestReader(t *testing.T) {
	type want struct {
		number int
		value  string
	}
	tests := []struct {
		name, file, content string
		want                []want
	}{
		{"json lines keep blank ones", "a.jsonl", "{\"a\":1}\n\n{\"b\":2}",
			[]want{{1, `{"a":1}`}, {2, ""}, {3, `{"b":2}`}}},
		{"windows line ends", "a.json", "{}\r\n{}\r\n", []want{{1, "{}"}, {2, "{}"}}},
		{"csv becomes objects of strings", "a.csv", "time,name\n1,x\n2,\"y, \"\"z\"\"\"\n",
			[]want{{2, `{"time":"1","name":"x"}`}, {3, `{"time":"2","name":"y, \"z\""}`}}},
		{"a quoted line break counts as two lines", "a.csv", "a,b\n\"1\n2\",3\n4,5\n",
			[]want{{2, `{"a":"1\u000a2","b":"3"}`}, {4, `{"a":"4","b":"5"}`}}},
		{"missing and extra columns", "a.csv", "a,b\n1\n1,2,3\n",
			[]want{{2, `{"a":"1"}`}, {3, `{"a":"1","b":"2","column_3":"3"}`}}},
		{"what is no csv goes on as it is", "a.csv", "a,b\n1,2\nx\"y,3\n4,5\n",
			[]want{{2, `{"a":"1","b":"2"}`}, {3, `x"y,3`}, {4, `{"a":"4","b":"5"}`}}},
		{"invalid UTF-8 is left for the decoder", "a.csv", "a\n\xff\n", []want{{2, "{\"a\":\"\xff\"}"}}},
		{"a byte order mark is no part of the name", "a.csv", "\ufeffa\n1\n", []want{{2, `{"a":"1"}`}}},
		{"gzip is told by content", "a.csv.gz", zipped("a\n1\n"), []want{{2, `{"a":"1"}`}}},
		{"an unknown name is told by its first byte", "events", "{\"a\":1}\n", []want{{1, `{"a":1}`}}},
		{"an empty file of lines", "a.jsonl", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read(t, tt.file, tt.content)
			if len(got) != len(tt.want) {
				t.Fatalf("%d lines, want %d: %v", len(got), len(tt.want), got)
			}
			for i, w := range tt.want {
				if got[i].Number != w.number || string(got[i].Value) != w.value {
					t.Errorf("line %d: %d %s, want %d %s", i, got[i].Number, got[i].Value, w.number, w.value)
				}
			}
		})
	}
}

func TestLongLines(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 3<<20) + `"}`
	got := read(t, "a.jsonl", long+"\n{}\n")
	if len(got) != 2 || string(got[0].Value) != long || string(got[1].Value) != "{}" {
		t.Fatalf("%d lines", len(got))
	}
}
