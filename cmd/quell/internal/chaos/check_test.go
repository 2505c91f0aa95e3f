package chaos

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCompare: what the checks are for, planted.
func TestCompare(t *testing.T) {
	rec := func(id string, revision int, more string) *kgo.Record {
		return &kgo.Record{Key: []byte(id),
			Value: fmt.Appendf(nil, `{"id":%q,"revision":%d,"more":%q}`, id, revision, more)}
	}
	want := []*kgo.Record{rec("0-a", 1, ""), rec("0-b", 1, ""), rec("0-a", 2, "")}
	for _, c := range []struct {
		name                     string
		have                     []*kgo.Record
		lost, doubled, different int
	}{
		{"equal", []*kgo.Record{want[0], want[1], want[2]}, 0, 0, 0},
		{"one is missing", []*kgo.Record{want[0], want[2]}, 1, 0, 0},
		{"one is there twice", []*kgo.Record{want[0], want[1], want[2], want[1]}, 0, 1, 0},
		{"one that should not be", []*kgo.Record{want[0], want[1], want[2], rec("0-a", 3, "")}, 0, 0, 1},
		{"one of another incident", []*kgo.Record{want[0], want[1], rec("0-c", 2, "")}, 1, 0, 1},
		{"other bytes", []*kgo.Record{want[0], want[1], rec("0-a", 2, "x")}, 0, 0, 1},
		{"another key", []*kgo.Record{want[0], want[1], {Key: []byte("0-b"), Value: want[2].Value}}, 0, 0, 1},
		{"another order", []*kgo.Record{want[0], want[2], want[1]}, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v verdict
			compare("page", c.have, want, &v)
			if v.Lost.n != c.lost || v.Doubled.n != c.doubled || v.Different.n != c.different {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestCompareLines(t *testing.T) {
	for _, c := range []struct {
		name          string
		have, want    []string
		lost, doubled int
	}{
		{"equal in another order", []string{"a", "b", "a"}, []string{"a", "a", "b"}, 0, 0},
		{"one too few", []string{"a", "b"}, []string{"a", "a", "b"}, 1, 0},
		{"one too many", []string{"a", "b", "b"}, []string{"a", "b"}, 0, 1},
		{"another one", []string{"a", "c"}, []string{"a", "b"}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v verdict
			compareLines("disposition", c.have, c.want, &v)
			if v.Lost.n != c.lost || v.Doubled.n != c.doubled {
				t.Errorf("%+v", v)
			}
		})
	}
}
