package correlate

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// chain is the rolling hash of an engine's history: of every record, what it brought about and how
// many pages are held. An owner that replays the log must arrive at the hash that its predecessor
// committed; if it does not, the two would have paged differently.
//
// It guards against accidents: a defect, a damaged log, another rule set under the same name. Nobody
// gains anything by making two histories collide, and every record pays for it, so it is no
// cryptographic hash but the inner loop of xxHash64 over four lanes of 64 bits, each of which
// depends on all that its words ever were. One word that differs makes a lane differ for good.
type chain struct {
	lanes   [4]uint64
	scratch []byte
}

const (
	prime1 = 0x9e3779b185ebca87
	prime2 = 0xc2b2ae3d27d4eb4f
)

// sum returns the hash as it stands.
func (c *chain) sum() [sha256.Size]byte {
	b := make([]byte, 0, 32)
	for _, lane := range c.lanes {
		b = binary.LittleEndian.AppendUint64(b, lane)
	}
	return sha256.Sum256(b)
}

// absorb takes the words of b, filled up with zeros and its length, and returns b with what was
// appended.
func (c *chain) absorb(b []byte) []byte {
	var zeros [31]byte
	n := len(b)
	b = append(b, zeros[:-(n+8)&31]...)
	b = appendWord(b, uint64(n))
	c.mix(b)
	return b
}

// mix takes the words of s, whose length is a multiple of 32.
func (c *chain) mix(s []byte) {
	v0, v1, v2, v3 := c.lanes[0], c.lanes[1], c.lanes[2], c.lanes[3]
	for ; len(s) >= 32; s = s[32:] {
		v0 = mixed(v0, binary.LittleEndian.Uint64(s))
		v1 = mixed(v1, binary.LittleEndian.Uint64(s[8:]))
		v2 = mixed(v2, binary.LittleEndian.Uint64(s[16:]))
		v3 = mixed(v3, binary.LittleEndian.Uint64(s[24:]))
	}
	c.lanes = [4]uint64{v0, v1, v2, v3}
}

// checksum returns the hash of b alone. A snapshot is checked for accidents, too.
func checksum(b []byte) [sha256.Size]byte {
	var c chain
	whole := b[:len(b)&^31]
	c.mix(whole)
	var rest [64]byte
	n := copy(rest[:], b[len(whole):])
	n += -(n + 8) & 31
	binary.LittleEndian.PutUint64(rest[n:], uint64(len(b)))
	c.mix(rest[:n+8])
	return c.sum()
}

func mixed(lane, word uint64) uint64 { return bits.RotateLeft64(lane+word*prime2, 31) * prime1 }

// effectsMark says how much of an Effects was there before a record.
type effectsMark struct{ incidents, pages, disposed, answered, changed, ignored int }

func markEffects(fx *Effects) effectsMark {
	return effectsMark{len(fx.Incidents), len(fx.Pages), len(fx.Disposed), len(fx.Answered),
		len(fx.Changed), fx.Ignored}
}

func (c *chain) add(r *Record, fx *Effects, before effectsMark, held int) {
	b := appendRecord(c.scratch[:0], r)
	for i := range fx.Incidents[before.incidents:] {
		b = appendIncident(append(b, 'i'), &fx.Incidents[before.incidents+i])
	}
	for i := range fx.Pages[before.pages:] {
		p := &fx.Pages[before.pages+i]
		b = appendDelimited(append(b, 'p', byte(p.Reason)), p.ID)
		b = appendUint(b, p.Revision)
		for j := range p.Top {
			b = appendPageAlert(append(b, 't'), &p.Top[j])
		}
	}
	for i := range fx.Disposed[before.disposed:] {
		d := &fx.Disposed[before.disposed+i]
		b = appendText(append(b, 'd', byte(d.Disposition)), d.Incident)
		b = appendWord(appendWord(appendWord(b, uint64(d.Offset)), uint64(d.At)), d.Added)
	}
	for i := range fx.Answered[before.answered:] {
		a := &fx.Answered[before.answered+i]
		b = appendInt(append(b, 'a', byte(a.Outcome)), a.Offset)
		b = appendInt(b, a.At)
	}
	for i := range fx.Changed[before.changed:] {
		b = append(b, 'c', byte(fx.Changed[before.changed+i].Outcome))
	}
	b = appendInt(b, fx.Ignored-before.ignored)
	b = appendInt(b, held)
	c.scratch = c.absorb(b)
}

func appendRecord(b []byte, r *Record) []byte {
	b = appendInt(append(b, byte(r.Kind)), r.Offset)
	b = appendInt(b, r.Time)
	switch r.Kind {
	case KindAlert:
		b = appendWords(b, r.Alert)
	case KindTick:
		b = appendInt(b, r.Tick.At)
	case KindResponse:
		b = appendResponse(b, r.Response)
	case KindWatermark:
		w := r.Watermark
		b = appendPosition(b, RawPosition{RawPartition: w.Raw, Offset: int64(w.At)})
		b = appendBool(appendBool(b, w.Finished), w.Idle)
		for _, p := range w.Of {
			b = appendPosition(b, RawPosition{RawPartition: p})
		}
		b = appendInt(appendInt(b, w.Next), w.Said)
	case KindRuleChange:
		b = append(append(b, r.RuleChange.Previous[:]...), r.RuleChange.Hash[:]...)
		b = appendBool(b, r.RuleChange.Explicit)
	}
	return b
}

func appendPageAlert(b []byte, a *PageAlert) []byte {
	b = append(b, a.Fingerprint[:]...)
	b = append(b, byte(a.Severity), byte(a.Status))
	for _, s := range [...]string{a.Service, a.Entity, a.Check, a.Summary, a.URL, a.Value} {
		b = appendDelimited(b, s)
	}
	b = appendInt(b, a.First)
	b = appendInt(b, a.Last)
	return appendUint(b, a.Events)
}

// appendWords appends all of an alert, in words of fixed size: there are a million of them for each
// record of another kind, and varints cost more than the bytes that they save.
func appendWords(b []byte, a *Alert) []byte {
	b = append(b, a.Fingerprint[:]...)
	b = append(b, byte(a.Verdict), byte(a.Severity), byte(a.Status))
	b = appendBool(b, a.Flush)
	for _, w := range [...]uint64{uint64(a.Raw.Partition), uint64(a.Raw.Offset),
		uint64(a.FirstOffset), uint64(a.Episode), a.Epoch, uint64(a.First), uint64(a.Since),
		uint64(a.Last), uint64(a.Received), a.Count, uint64(a.Behind), uint64(len(a.Labels))} {
		b = appendWord(b, w)
	}
	for _, s := range [...]string{a.Raw.Topic, a.Scope, a.Source, a.Service, a.Entity, a.Check,
		a.Summary, a.URL, a.Value} {
		b = appendText(b, s)
	}
	for i := range a.Labels {
		b = appendText(appendText(b, a.Labels[i].Name), a.Labels[i].Value)
	}
	return b
}

func appendWord(b []byte, w uint64) []byte { return binary.LittleEndian.AppendUint64(b, w) }

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}
