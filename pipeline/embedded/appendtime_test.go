package embedded

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchOf wraps records into a batch whose header is right, whatever the records are.
func batchOf(attributes int16, n int32, records []byte) []byte {
	b := kmsg.RecordBatch{
		Length: int32(batchHeader - batchLength - 4 + len(records)), Magic: 2, Attributes: attributes,
		LastOffsetDelta: n - 1, FirstTimestamp: 1000, MaxTimestamp: 2000,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: n, Records: records,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[batchCRC:], crcOf(raw))
	return raw
}

// Whatever a client sends: no panic, and what is not well formed goes on with a checksum that is
// wrong, so that it is refused.
func FuzzStampBatch(f *testing.F) {
	record := kmsg.Record{Length: 9, TimestampDelta64: 300, Key: []byte("k"), Value: []byte("v")}
	f.Add(int16(0), int32(1), record.AppendTo(nil))
	f.Add(int16(0), int32(2), record.AppendTo(nil)) // one too few
	f.Add(int16(0), int32(1), append(record.AppendTo(nil), 0))
	f.Add(int16(0), int32(1), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(int16(0), int32(-1), []byte{})
	f.Add(int16(3), int32(1), []byte("not lz4"))
	f.Add(int16(7), int32(1), record.AppendTo(nil)) // no such codec
	s, err := newStamper(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, attributes int16, n int32, records []byte) {
		const now = 1_700_000_000_000
		in := batchOf(attributes, n, records)
		out := s.stampBatch(in, now)
		if crcOf(out) != binary.BigEndian.Uint32(out[batchCRC:]) {
			return // refused
		}
		var b kmsg.RecordBatch
		if err := b.ReadFrom(out); err != nil {
			t.Fatalf("the batch can no longer be read: %v", err)
		}
		if b.FirstTimestamp != now || b.MaxTimestamp != now || int(b.Length) != len(out)-12 {
			t.Fatalf("stamped %d to %d, length %d of %d", b.FirstTimestamp, b.MaxTimestamp,
				b.Length, len(out))
		}
		body := b.Records
		if codec := attributes & codecMask; codec != 0 {
			return // what is inside was checked before it was compressed again
		}
		if changed, ok := clearDeltas(body, out); !ok || changed {
			t.Fatalf("the records are not all at the base timestamp (well formed: %v)", ok)
		}
	})
}

func TestStampBatchRefusesWhatIsDamaged(t *testing.T) {
	s, err := newStamper(nil)
	if err != nil {
		t.Fatal(err)
	}
	record := kmsg.Record{Length: 8, Key: []byte("k"), Value: []byte("v")}
	whole := record.AppendTo(nil)
	for _, tt := range []struct {
		name    string
		batch   []byte
		refused bool
	}{
		{"whole", batchOf(0, 1, whole), false},
		{"one record too few", batchOf(0, 2, whole), true},
		{"bytes after the last", batchOf(0, 1, append(whole, 0)), true},
		{"cut in a record", batchOf(0, 1, whole[:len(whole)-1]), true},
		{"not what the codec wrote", batchOf(3, 1, whole), true},
		{"unknown codec", batchOf(6, 1, whole), true},
		{"checksum was wrong already", append(batchOf(0, 1, whole), 1), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := s.stampBatch(tt.batch, 1)
			if wrong := crcOf(out) != binary.BigEndian.Uint32(out[batchCRC:]); wrong != tt.refused {
				t.Errorf("refused: %v, want %v", wrong, tt.refused)
			}
		})
	}
}
