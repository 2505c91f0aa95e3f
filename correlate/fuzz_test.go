package correlate

import (
	"bytes"
	"runtime"
	"testing"
)

// anyRule is the least rule set.
type anyRule struct{ rule Rule }

func (r *anyRule) Hash() RuleHash { return RuleHash{1} }

func (r *anyRule) Resolve(*Alert) Resolution {
	return Resolution{Rule: &r.rule, PageAt: Warning}
}

func fuzzOptions(clock ClockMode) Options {
	return Options{Clock: clock, RuleSet: &anyRule{rule: Rule{Name: "any", GroupBy: []string{"entity"},
		Window:    Window{Kind: WindowSession, Gap: Minute, MaxLife: Hour},
		GroupWait: Second, GroupInterval: Minute, ResolveAfter: Hour, ReopenWindow: Minute}}}
}

// fuzzRecords makes records out of bytes: few fingerprints, so that they meet.
func fuzzRecords(src []byte) []Record {
	var out []Record
	for i := 0; i+6 <= len(src) && len(out) < 200; i += 6 {
		b := src[i : i+6]
		r := Record{Offset: int64(len(out)), Time: Time(1000 * (i + int(b[0]))), Kind: KindAlert}
		a := &Alert{Fingerprint: Fingerprint{b[1] % 8}, Entity: string(rune('a' + b[1]%4)),
			Severity: Severity(b[2] % 6), Status: Status(b[3] % 3), Verdict: Verdict(b[4] % 5),
			Flush: b[4] > 200, Last: r.Time - Time(b[5])*500, Count: uint64(b[5]), Episode: int64(b[3])}
		a.Raw = RawPosition{RawPartition: RawPartition{Topic: "t", Partition: int32(b[4] % 2)},
			Offset: int64(i)}
		r.Alert = a
		if b[0]%16 == 1 {
			r.Kind, r.Alert = KindWatermark, nil
			r.Watermark = &Watermark{Raw: a.Raw.RawPartition, At: r.Time, Idle: b[1]%2 == 0,
				Finished: b[2] == 7, Next: int64(i) - int64(b[3]%12), Said: Time(b[4] % 3), Of: []RawPartition{a.Raw.RawPartition}}
		}
		switch b[0] % 16 {
		case 2:
			r.Kind, r.Alert, r.Tick = KindTick, nil, Tick{At: r.Time - Time(b[2])*20}
		case 3, 4:
			a.Behind = int64(b[3]) - 9
		}
		out = append(out, r)
	}
	return out
}

// FuzzRestore takes a snapshot's body apart. A body that Restore accepts must give an engine that
// goes on, and whose snapshot restores to the same bytes.
func FuzzRestore(f *testing.F) {
	for _, clock := range []ClockMode{ClockAppend, ClockEvent} {
		e, err := New(fuzzOptions(clock))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.appendBody(nil))
		seed := bytes.Repeat([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9}, 40)
		if err := e.Step(fuzzRecords(seed), new(Effects)); err != nil {
			f.Fatal(err)
		}
		f.Add(e.appendBody(nil))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		src := append([]byte(snapshotMagic), body...)
		sum := checksum(src)
		src = append(src, sum[:]...)
		clock := ClockAppend
		if len(body) > 0 && body[0] == byte(ClockEvent) {
			clock = ClockEvent
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := Restore(fuzzOptions(clock), src)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+1000*uint64(len(body)) {
			t.Fatalf("%d bytes of snapshot made Restore allocate %d", len(body), got)
		}
		if err != nil {
			return
		}
		canonical := e.Snapshot(nil)
		again, err := Restore(fuzzOptions(clock), canonical)
		if err != nil {
			t.Fatalf("its own snapshot is refused: %v", err)
		}
		if !bytes.Equal(canonical, again.Snapshot(nil)) {
			t.Fatal("the snapshot of the restored engine differs")
		}
		records := fuzzRecords(body)
		for i := range records {
			records[i].Offset = e.Position() + int64(i)
		}
		if err := e.Step(records, new(Effects)); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzStep feeds records that intake would never write. Nothing may panic, every alert record has
// one disposition or is ignored, and batches change nothing.
func FuzzStep(f *testing.F) {
	f.Add(bytes.Repeat([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}, 60), true)
	f.Add(bytes.Repeat([]byte{200, 1, 3, 1, 2, 255, 17, 0, 7, 0, 0, 0}, 30), false)
	f.Fuzz(func(t *testing.T, src []byte, event bool) {
		clock := ClockAppend
		if event {
			clock = ClockEvent
		}
		records := fuzzRecords(src)
		alerts := 0
		for _, r := range records {
			if r.Kind == KindAlert {
				alerts++
			}
		}
		one, err := New(fuzzOptions(clock))
		if err != nil {
			t.Fatal(err)
		}
		var fx Effects
		if err := one.Step(records, &fx); err != nil {
			t.Fatal(err)
		}
		if got := len(fx.Disposed) + fx.Ignored + one.Stats().Buffered; got != alerts {
			t.Fatalf("%d alert records, %d accounted for", alerts, got)
		}
		checkRevisions(t, &fx)
		two, err := New(fuzzOptions(clock))
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			if err := two.Step(records[i:i+1], new(Effects)); err != nil {
				t.Fatal(err)
			}
		}
		if one.Hash() != two.Hash() || !bytes.Equal(one.Snapshot(nil), two.Snapshot(nil)) {
			t.Fatal("batches changed something")
		}
	})
}

// checkRevisions fails unless the revisions of each incident are 1, 2, 3 ... and each page is one
// of them, with the same content.
func checkRevisions(t testing.TB, fx *Effects) {
	type name struct {
		id       string
		revision uint32
	}
	last, content := map[string]uint32{}, map[name]*Incident{}
	for i := range fx.Incidents {
		in := &fx.Incidents[i]
		if in.Revision != last[in.ID]+1 {
			t.Fatalf("revision %d of %s follows %d", in.Revision, in.ID, last[in.ID])
		}
		last[in.ID] = in.Revision
		content[name{in.ID, in.Revision}] = in
	}
	for i := range fx.Pages {
		p := &fx.Pages[i]
		in := content[name{p.ID, p.Revision}]
		if in == nil {
			t.Fatalf("page %s.%d is no revision, or was sent twice", p.ID, p.Revision)
		}
		delete(content, name{p.ID, p.Revision})
		if p.Events != in.Events || p.State != in.State || p.Cause != in.Cause || p.Pages != in.Pages {
			t.Fatalf("page %s.%d differs from its revision", p.ID, p.Revision)
		}
	}
}

// A snapshot whose every byte in turn is another one, or its last, is refused or gives an engine that
// goes on: what a checksum lets through ends no process.
func TestRestoreOfDamagedBodies(t *testing.T) {
	o := fuzzOptions(ClockAppend)
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	seed := bytes.Repeat([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9}, 40)
	if err := e.Step(fuzzRecords(seed), new(Effects)); err != nil {
		t.Fatal(err)
	}
	body := e.appendBody(nil)
	refused := 0
	try := func(body []byte) {
		src := append([]byte(snapshotMagic), body...)
		sum := checksum(src)
		e, err := Restore(o, append(src, sum[:]...))
		if err != nil {
			refused++
			return
		}
		records := fuzzRecords(seed)
		for i := range records {
			records[i].Offset = e.Position() + int64(i)
		}
		if err := e.Step(records, new(Effects)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range body {
		try(body[:i])
		for _, flip := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(body)
			damaged[i] ^= flip
			try(damaged)
		}
	}
	if refused < len(body) {
		t.Errorf("%d were refused, want all of the %d that were cut off at least", refused, len(body))
	}
}

// An alert that is a member of an incident and yet to be forgotten would leave its place to another
// alert, and the incident would refer to that.
func TestRestoreRefusesAMemberThatIsToBeForgotten(t *testing.T) {
	o := fuzzOptions(ClockAppend)
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a := &Alert{Severity: Critical, Status: Firing, Verdict: VerdictNew, Count: 1}
	if err := e.Step([]Record{{Time: 1000, Kind: KindAlert, Alert: a}}, new(Effects)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(o, e.Snapshot(nil)); err != nil {
		t.Fatal(err)
	}
	e.timers.set(e.alerts.get(&a.Fingerprint).forgetting(), Time(Hour))
	if _, err := Restore(o, e.Snapshot(nil)); err == nil {
		t.Error("it is restored")
	}
}
