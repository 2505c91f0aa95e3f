package audit

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"quell/correlate"
)

// made returns the bytes of a batch [first, last] of which only the offsets in kept have records.
func made(first, last int64, attributes int16, producer int64, kept ...int64) []byte {
	var records []byte
	for _, at := range kept {
		body := []byte{0, 0} // attributes, timestamp delta
		body = binary.AppendVarint(body, at-first)
		body = binary.AppendVarint(body, -1) // no key
		body = binary.AppendVarint(body, 1)
		body = append(body, 'v', 0) // value, no headers
		records = append(binary.AppendVarint(records, int64(len(body))), body...)
	}
	b := kmsg.RecordBatch{FirstOffset: first, Length: int32(batchHeader - 12 + len(records)), Magic: 2,
		Attributes: attributes, LastOffsetDelta: int32(last - first), FirstTimestamp: 1000,
		MaxTimestamp: 2000, ProducerID: producer, ProducerEpoch: 0, FirstSequence: 0,
		NumRecords: int32(len(kept)), Records: records}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

const (
	transactional = 0x10
	marker        = 0x30
)

func TestTake(t *testing.T) {
	type abort = kmsg.FetchResponseTopicPartitionAbortedTransaction
	for _, c := range []struct {
		name    string
		batches [][]byte
		aborted []abort
		want    string
	}{
		{"plain batches", [][]byte{made(5, 6, 0, -1, 5, 6), made(7, 7, 0, -1, 7)}, nil, "[5 7) [7 8) to 8"},
		{"compaction took records out of a batch and left a hole",
			[][]byte{made(5, 9, 0, -1, 6, 9), made(20, 20, 0, -1, 20)}, nil, "[6 7) [9 10) [20 21) to 21"},
		{"compaction left an empty batch", [][]byte{made(5, 9, 0, 4)}, nil, " to 10"},
		{"a committed transaction and its marker",
			[][]byte{made(0, 1, transactional, 4, 0, 1), made(2, 2, marker, 4, 2)}, nil, "[0 2) to 3"},
		{"an aborted transaction between two committed ones of its producer",
			[][]byte{made(0, 0, transactional, 4, 0), made(1, 1, marker, 4, 1),
				made(2, 3, transactional, 4, 2, 3), made(4, 4, marker, 4, 4),
				made(5, 5, transactional, 4, 5), made(6, 6, marker, 4, 6)},
			[]abort{{ProducerID: 4, FirstOffset: 2}}, "[0 1) [5 6) to 7"},
		{"two aborted ones, told in the wrong order",
			[][]byte{made(2, 3, transactional, 4, 2, 3), made(4, 4, marker, 4, 4),
				made(5, 5, transactional, 4, 5), made(6, 6, marker, 4, 6), made(7, 7, transactional, 4, 7)},
			[]abort{{ProducerID: 4, FirstOffset: 5}, {ProducerID: 4, FirstOffset: 2}}, "[7 8) to 8"},
		{"another producer's records among aborted ones",
			[][]byte{made(2, 2, transactional, 4, 2), made(3, 3, transactional, 5, 3),
				made(4, 4, 0, -1, 4), made(5, 5, marker, 4, 5)},
			[]abort{{ProducerID: 4, FirstOffset: 2}}, "[3 4) [4 5) to 6"},
		{"the fetch begins inside of an aborted transaction",
			[][]byte{made(8, 8, transactional, 4, 8), made(9, 9, marker, 4, 9)},
			[]abort{{ProducerID: 4, FirstOffset: 2}}, " to 10"},
		{"the last batch is cut off", [][]byte{made(0, 0, 0, -1, 0), made(1, 1, 0, -1, 1)[:65]}, nil,
			"[0 1) to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := &kmsg.FetchResponseTopicPartition{AbortedTransactions: c.aborted}
			for _, b := range c.batches {
				got.RecordBatches = append(got.RecordBatches, b...)
			}
			l := &logReader{of: correlate.RawPartition{Topic: "t"}}
			if err := l.take(got); err != nil {
				t.Fatal(err)
			}
			text := ""
			for _, s := range l.found {
				text += fmt.Sprintf("[%d %d) ", s.from, s.to)
			}
			if text == "" {
				text = " "
			}
			if text += fmt.Sprint("to ", l.to); text != c.want {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
	old := made(0, 0, 0, -1, 0)
	old[16] = 1
	if err := (&logReader{}).take(&kmsg.FetchResponseTopicPartition{RecordBatches: old}); err == nil {
		t.Error("a batch of an old format was taken")
	}
}

// FuzzNextBatch: a header never tells of more bytes than there are, and always of some.
func FuzzNextBatch(f *testing.F) {
	f.Add(append(made(5, 9, 0, -1, 6, 9), made(10, 10, marker, 3, 10)...))
	f.Add(made(1, 1, 0, -1, 1)[:60])
	f.Fuzz(func(t *testing.T, src []byte) {
		for rest := src; ; {
			_, raw := nextBatch(rest)
			if raw == nil {
				return
			}
			if len(raw) < batchHeader || len(raw) > len(rest) {
				t.Fatalf("%d bytes of %d", len(raw), len(rest))
			}
			rest = rest[len(raw):]
		}
	})
}

// Findings: everything is counted, runs are one entry, lists are bounded per kind.
func TestFindings(t *testing.T) {
	f := newFindings(2)
	p := int32(3)
	for _, at := range []int64{1, 2, 3, 7, 9, 10} {
		f.add(Wrong{Kind: MissingRow, Topic: "t", Partition: &p, First: &at, Last: &at}, 1)
	}
	f.add(Wrong{Kind: DoubledPage, Incident: "0-a", Revision: 1}, 2)
	all := newFindings(2)
	all.merge(f)
	r := &Report{}
	r.finish(all, Options{}, time.Now())
	if want := "missing_row t/3 at 1 to 3\nmissing_row t/3 at 7\ndoubled_page incident 0-a revision 1"; told(r) != want {
		t.Errorf("it says\n%s\nwant\n%s", told(r), want)
	}
	if r.WrongTotal != 8 || r.WrongKinds[MissingRow] != 6 || r.OK {
		t.Errorf("%d wrong, %v", r.WrongTotal, r.WrongKinds)
	}
}
