package workload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestPermutation(t *testing.T) {
	p := newPermutation(42)
	for _, sequence := range []uint64{0, 1, 2, 1 << 20, 1<<48 - 1} {
		for _, fault := range []int32{0, 1, 77, maxFaults} {
			s, f := p.open(p.seal(sequence, fault))
			if s != sequence || f != fault {
				t.Errorf("(%d, %d) came back as (%d, %d)", sequence, fault, s, f)
			}
		}
	}
	other := newPermutation(43)
	if p.seal(1, 1) == other.seal(1, 1) {
		t.Error("the seed does not matter")
	}
}

// TestTruthFile: the file read back labels every event as the storm did, and so do its own lines.
func TestTruthFile(t *testing.T) {
	s, items := all(Options{Seed: 11, Events: 4000})
	truth := s.Truth()
	var file bytes.Buffer
	if err := truth.Write(&file); err != nil {
		t.Fatal(err)
	}
	back, err := ReadTruth(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(truth, back) {
		t.Errorf("wrote %+v\nread %+v", truth, back)
	}
	lines := map[string]int32{}
	for scan := bufio.NewScanner(&file); scan.Scan(); {
		var line struct {
			ID    string
			Fault int32
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.ID != "" {
			lines[line.ID] = line.Fault
		}
	}
	events := make([]int64, len(truth.Faults)+1)
	ids := map[string]bool{}
	for _, item := range items {
		var e native
		if err := json.Unmarshal(item.Value, &e); err != nil {
			t.Fatal(err)
		}
		label, ok := lines[e.ID]
		if fault, known := back.FaultOf(e.ID); !ok || !known || label != item.Fault || fault != item.Fault {
			t.Fatalf("id %s of fault %d: its line says %d %v, FaultOf %d %v", e.ID, item.Fault, label, ok,
				fault, known)
		}
		events[item.Fault]++
		ids[e.ID] = true
	}
	if len(ids) != len(lines) {
		t.Errorf("%d lines for %d ids", len(lines), len(ids))
	}
	for _, f := range truth.Faults {
		if f.Events != events[f.ID] || f.Start >= f.End || len(f.Clusters) == 0 {
			t.Errorf("fault %+v, but it had %d events", f, events[f.ID])
		}
	}
}

func TestFaultOfForeignIDs(t *testing.T) {
	truth := NewStorm(Options{Seed: 1, Events: 1000}).Truth()
	for _, id := range []string{"", "zz", "000000000000000g", "0123456789ABCDEF", "0123456789abcdef0",
		"0123456789abcdef"} {
		if fault, ok := truth.FaultOf(id); ok {
			t.Errorf("id %q is not of this storm, but has fault %d", id, fault)
		}
	}
}

func TestReadTruthSaysWhatIsWrong(t *testing.T) {
	for name, file := range map[string]string{
		"empty":       "",
		"no options":  `{"fault":1}`,
		"not JSON":    `{"storm":{"seed":1}}` + "\nfault",
		"a gap":       `{"storm":{"seed":1}}` + "\n" + `{"fault":2}`,
		"wrong types": `{"storm":{"seed":"one"}}`,
	} {
		if _, err := ReadTruth(strings.NewReader(file)); err == nil ||
			!strings.Contains(err.Error(), "truth file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
