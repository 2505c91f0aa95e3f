package native

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
)

var wide = Limits{Columns: 1000, Rows: 1 << 20, Bytes: math.MaxInt}

// sample is a block with every kind of layout, as another implementation writes it.
func sample(t testing.TB, revision int) []byte {
	t.Helper()
	var n proto.ColUInt64
	var fixed proto.ColFixedStr
	fixed.SetSize(3)
	text := new(proto.ColStr)
	low := new(proto.ColStr).LowCardinality()
	tags := new(proto.ColStr).Array()
	maybe := proto.NewColNullable(new(proto.ColInt32))
	labels := proto.NewMap(new(proto.ColStr).LowCardinality(), new(proto.ColStr))
	nested := proto.NewArray(proto.NewArray(new(proto.ColStr).LowCardinality()))
	a, b := new(proto.ColStr), new(proto.ColUInt8)
	pair := proto.ColTuple{proto.Named(a, "a"), proto.Named(b, "b")}
	for i := range 5 {
		n.Append(uint64(i))
		fixed.Append([]byte("abc"))
		text.Append(strings.Repeat("x", i*100))
		low.Append([]string{"a", "b"}[i%2])
		tags.Append(make([]string, i))
		maybe.Append(proto.Nullable[int32]{Set: i%2 == 0, Value: int32(i)})
		labels.Append(map[string]string{"k": "v"})
		nested.Append([][]string{{}, {"p", "q"}})
		a.Append("s")
		b.Append(1)
	}
	in := proto.Input{{Name: "n", Data: n}, {Name: "fixed", Data: fixed}, {Name: "text",
		Data: text},
		{Name: "low", Data: low}, {Name: "tags", Data: tags}, {Name: "maybe", Data: maybe},
		{Name: "labels", Data: labels}, {Name: "nested", Data: nested}, {Name: "pair", Data: pair}}
	block := proto.Block{Rows: 5, Columns: len(in), Info: proto.BlockInfo{BucketNum: -1}}
	var buf proto.Buffer
	if err := block.EncodeBlock(&buf, revision, in); err != nil {
		t.Fatal(err)
	}
	return buf.Buf
}

func TestReframe(t *testing.T) {
	const newest = 54460
	old, young := sample(t, 0), sample(t, newest)
	for _, test := range []struct {
		name     string
		data     []byte
		from, to int
		want     []byte
	}{
		{"to the client", old, 0, newest, young},
		{"to the engine", young, newest, 0, old},
		{"to a client as old as block infos", old, 0, 54000, sample(t, 54000)},
		{"unchanged", young, newest, newest, young},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := bytes.NewReader(append(bytes.Clone(test.data), test.data...))
			for range 2 {
				got, block, err := Reframe([]byte("before"), src, test.from, test.to, wide)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, append([]byte("before"), test.want...)) {
					t.Errorf("%d bytes, want %d, or others", len(got)-6, len(test.want))
				}
				if block.Rows != 5 || len(block.Names) != 9 ||
					block.Types[6] != "Map(LowCardinality(String), String)" {
					t.Errorf("block %+v", block)
				}
			}
			if _, _, err := Reframe(nil, src, test.from, test.to, wide); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestTruncatedBlocks(t *testing.T) {
	for _, revision := range []int{0, 54460} {
		whole := sample(t, revision)
		for n := 1; n < len(whole); n++ {
			_, _, err := Reframe(nil, bytes.NewReader(whole[:n]), revision, 0, wide)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	whole := sample(t, 0)
	for name, limits := range map[string]Limits{
		"columns": {Columns: 8, Rows: 5, Bytes: 1 << 20},
		"rows":    {Columns: 9, Rows: 4, Bytes: 1 << 20},
		"bytes":   {Columns: 9, Rows: 5, Bytes: len(whole) - 10},
	} {
		var tooBig *TooBigError
		if _, _, err := Reframe(nil, bytes.NewReader(whole), 0, 0, limits); !errors.As(err,
			&tooBig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Memory comes with the bytes, not with the claim.
func TestClaimsCostNothing(t *testing.T) {
	var p proto.Buffer
	p.PutUVarInt(1)
	p.PutUVarInt(1 << 20)
	p.PutString("c")
	p.PutString("FixedString(1000)")
	p.PutRaw(make([]byte, 3<<20))
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, _, err := Reframe(nil, bytes.NewReader(p.Buf), 0, 0, wide); err == nil {
				b.Fatal("taken")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 32<<20 {
		t.Errorf("%d bytes for a claim of 1 GB of which 3 MB came", allocated)
	}
}

func TestTypes(t *testing.T) {
	for typ, want := range map[string]kind{
		"DateTime64(3, 'UTC')":                      fixedSize,
		"Enum8('a, (b' = 1, 'c\\'' = 2)":            fixedSize,
		"Tuple(`a, b` String, Decimal(76, 3))":      tuple,
		"SimpleAggregateFunction(sum, UInt64)":      fixedSize,
		"LowCardinality(Nullable(FixedString(2)))":  dictionary,
		"Nested(a String, b Array(Nullable(UUID)))": array,
		"IntervalDay":                       fixedSize,
		"JSON":                              unwalkable,
		"Array(Tuple(a Dynamic, b String))": unwalkable,
		"AggregateFunction(uniqCombined(15), UInt64)":  unwalkable,
		"Map(String, AggregateFunction(uniq, String))": unwalkable,
		"FixedString(0)": unwalkable,
		"":               unwalkable,
	} {
		l, err := parseType(typ)
		if err != nil || l.kind != want {
			t.Errorf("%s: kind %d, %v", typ, l.kind, err)
		}
	}
	deep := strings.Repeat("Nullable(", 20) + "UInt8" + strings.Repeat(")", 20)
	if _, err := parseType(deep); err == nil {
		t.Error("20 types deep")
	}
}

// Any bytes end in an error or in a block that re-frames to itself.
func FuzzReframe(f *testing.F) {
	f.Add(sample(f, 54460))
	f.Add([]byte{1, 0, 2, 255, 255, 255, 255, 0, 1, 2, 1, 'c', 5, 'U', 'I', 'n', 't', '8', 0, 1, 2})
	small := Limits{Columns: 20, Rows: 1000, Bytes: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		old, block, err := Reframe(nil, bytes.NewReader(data), 54460, 0, small)
		if err != nil {
			return
		}
		again, same, err := Reframe(nil, bytes.NewReader(old), 0, 0, wide)
		if err != nil || !bytes.Equal(old, again) || same.Rows != block.Rows {
			t.Errorf("again: %d bytes of %d, %v", len(again), len(old), err)
		}
	})
}
