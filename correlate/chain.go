package correlate

import "crypto/sha256"

// chain is the rolling hash of an engine's history: SHA-256 over the hash before, the record, what
// it brought about and how many pages are held. An owner that replays the log must arrive at the
// hash that its predecessor committed; if it does not, the two would have paged differently.
type chain struct {
	sum     [sha256.Size]byte
	scratch []byte
}

// effectsMark says how much of an Effects was there before a record.
type effectsMark struct{ incidents, pages, disposed, answered, ignored int }

func markEffects(fx *Effects) effectsMark {
	return effectsMark{len(fx.Incidents), len(fx.Pages), len(fx.Disposed), len(fx.Answered),
		fx.Ignored}
}

func (c *chain) add(r *Record, fx *Effects, before effectsMark, held int) {
	b := append(c.scratch[:0], c.sum[:]...)
	b = appendRecord(b, r)
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
		b = appendInt(append(b, 'd', byte(d.Disposition)), d.Offset)
		b = appendDelimited(b, d.Incident)
		b = appendInt(b, d.At)
		b = appendUint(b, d.Added)
	}
	for i := range fx.Answered[before.answered:] {
		a := &fx.Answered[before.answered+i]
		b = appendInt(append(b, 'a', byte(a.Outcome)), a.Offset)
		b = appendInt(b, a.At)
	}
	b = appendInt(b, fx.Ignored-before.ignored)
	b = appendInt(b, held)
	c.sum = sha256.Sum256(b)
	c.scratch = b
}

func appendRecord(b []byte, r *Record) []byte {
	b = appendInt(append(b, byte(r.Kind)), r.Offset)
	b = appendInt(b, r.Time)
	switch r.Kind {
	case KindAlert:
		b = appendAlert(b, r.Alert)
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
		b = appendInt(b, w.Next)
	case KindRuleChange:
		b = append(append(b, r.RuleChange.Previous[:]...), r.RuleChange.Hash[:]...)
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
