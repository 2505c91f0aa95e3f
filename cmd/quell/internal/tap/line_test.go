package tap

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate/archive"
	"quell/correlate/archive/archivetest"
)

// TestOddValuesOfBlocks: whatever an archive block can hold has a line of JSON with all its rows.
func TestOddValuesOfBlocks(t *testing.T) {
	origin := archivetest.Origin("events", 3)
	env := archive.Envelope{Origin: origin, From: 0, To: 1000, Sections: archivetest.Extremes(origin, 0)}
	line, err := appendLine(nil, &kgo.Record{Topic: "a", Value: env.Append(nil)}, readBlock)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Block struct {
			Tables []struct {
				Table string
				Rows  []json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Block.Tables) != len(env.Sections) {
		t.Fatalf("%d tables of %d", len(got.Block.Tables), len(env.Sections))
	}
	for i, table := range got.Block.Tables {
		s := &env.Sections[i]
		if table.Table != s.Table || len(table.Rows) != s.Rows {
			t.Errorf("%s: %d rows, want %s: %d", table.Table, len(table.Rows), s.Table, s.Rows)
		}
	}
}

// TestLinesOfOddRecords: keys and values that are no text, and long ones.
func TestLinesOfOddRecords(t *testing.T) {
	tests := []struct {
		name string
		rec  kgo.Record
		want string
	}{
		{"a binary key", kgo.Record{Topic: "t", Key: []byte{0xff}, Value: []byte("{}")},
			`{"topic":"t","partition":0,"offset":0,"time":"1970-01-01T00:00:00.000Z","key":"ff","page":{}}`},
		{"an empty value is no tombstone", kgo.Record{Topic: "t", Value: []byte{}},
			`{"topic":"t","partition":0,"offset":0,"time":"1970-01-01T00:00:00.000Z","key":null,` +
				`"undecodable":{"reason":"not JSON","bytes":0}}`},
		{"a long value is cut between characters",
			kgo.Record{Topic: "t", Value: []byte("x" + strings.Repeat("ü", 3000))},
			`{"topic":"t","partition":0,"offset":0,"time":"1970-01-01T00:00:00.000Z","key":null,` +
				`"undecodable":{"reason":"not JSON","bytes":6001,"text":"x` + strings.Repeat("ü", 2047) + `"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rec.Timestamp = time.UnixMilli(0)
			line, err := appendLine(nil, &tt.rec, jsonReader("page"))
			if err != nil || string(line) != tt.want+"\n" {
				t.Errorf("%v\n%s\nwant\n%s", err, line, tt.want)
			}
		})
	}
}
