package clickhouse

import (
	"context"
	"time"

	"quell/correlate"
)

// Attribution: which incident an event belongs to.
//
// Intake tells the engine of a few events only; the records of one fingerprint in one raw
// partition, in the order of their raw positions, each cover the events that no earlier one covered:
//
//	events        e1   e2 e3 e4   e5      e6
//	records       A(1) ------ B(4)   ---- C(6)
//
// An event that made a record (e1, e4, e6) belongs to the incident which that record joined. A
// duplicate in between (e2, e3 and e5) came while the alert was where the record before it had put
// it: it belongs to that incident, unless that one was over by then, and otherwise to the incident
// of the record that covers it. The record of a trailing count (flush) repeats an event, so no event
// made it. Events that intake dropped by rule told the engine nothing and belong nowhere.

// span is a fingerprint in one raw partition.
type span struct {
	fingerprint correlate.Fingerprint
	raw         correlate.RawPartition
}

// cover is a record about a span: up to where it covers events, and the index of its incident, or
// -1 when it is no membership.
type cover struct {
	upTo     int64
	flush    bool
	incident int
}

// fingerprint scans a FixedString(16) without an allocation.
type fingerprint correlate.Fingerprint

// UnmarshalBinary copies the bytes.
func (f *fingerprint) UnmarshalBinary(b []byte) error {
	copy(f[:], b)
	return nil
}

// covers reads all records about alerts.
func (x *export) covers(ctx context.Context) error {
	rows, err := x.client.root.Query(ctx, "SELECT fingerprint, raw_topic, raw_partition, "+
		"raw_offset, flush, disposition IN ('joined', 'late', 'below_severity', 'transient', "+
		"'over_limit') ? incident : '', disposition = 'late', service, entity, `check`, since, last "+
		"FROM "+x.client.table("dispositions")+" ORDER BY raw_topic, raw_partition, raw_offset, "+
		"topic, partition, offset")
	if err != nil {
		return err
	}
	defer rows.Close()
	x.spans = map[span][]cover{}
	for rows.Next() {
		var s span
		c := cover{incident: -1}
		var id string
		var late uint8
		var m member
		var since, last time.Time
		if err := rows.Scan((*fingerprint)(&s.fingerprint), &s.raw.Topic, &s.raw.Partition, &c.upTo,
			&c.flush, &id, &late, &m.Service, &m.Entity, &m.Check, &since, &last); err != nil {
			return err
		}
		m.Fingerprint, m.Late = s.fingerprint, uint64(late)
		m.since, m.last = correlate.TimeOf(since), correlate.TimeOf(last)
		if i, ok := x.byID[id]; ok && id != "" {
			c.incident = i
			x.all[i].join(m)
		}
		x.spans[s] = append(x.spans[s], c)
	}
	return rows.Err()
}

// join adds what one record says about a member.
func (in *exporting) join(m member) {
	have, ok := in.members[m.Fingerprint]
	if !ok {
		in.members[m.Fingerprint] = &m
		return
	}
	have.Late += m.Late
	have.since, have.last = min(have.since, m.since), max(have.last, m.last)
}

// events reads all events that the engine was told of, and attributes them.
func (x *export) events(ctx context.Context) error {
	rows, err := x.client.root.Query(ctx, "SELECT fingerprint, topic, partition, offset, "+
		"toUnixTimestamp64Milli(time) FROM "+x.client.table("events")+
		" WHERE verdict != 'dropped' ORDER BY fingerprint, topic, partition, offset")
	if err != nil {
		return err
	}
	defer rows.Close()
	var s, current span
	var covers []cover
	var offset, at int64
	before := -1 // the incident of the last record before the event
	for first := true; rows.Next(); first = false {
		if err := rows.Scan((*fingerprint)(&s.fingerprint), &s.raw.Topic, &s.raw.Partition, &offset,
			&at); err != nil {
			return err
		}
		if first || s != current {
			current, covers, before = s, x.spans[s], -1
		}
		for len(covers) > 0 && covers[0].upTo < offset {
			before, covers = covers[0].incident, covers[1:]
		}
		if i := x.belongs(before, covers, offset, correlate.Time(at)); i >= 0 {
			x.all[i].attribute(&s, offset, correlate.Time(at))
		}
	}
	return rows.Err()
}

// belongs returns the index of the incident that an event belongs to, or -1.
func (x *export) belongs(before int, covers []cover, offset int64, at correlate.Time) int {
	if len(covers) > 0 && covers[0].upTo == offset && !covers[0].flush {
		return covers[0].incident
	}
	if before >= 0 && x.all[before].over > at {
		return before
	}
	if len(covers) > 0 {
		return covers[0].incident
	}
	return -1
}

func (in *exporting) attribute(s *span, offset int64, at correlate.Time) {
	in.Positions[s.raw] = append(in.Positions[s.raw], offset)
	m := in.members[s.fingerprint]
	if m.Events == 0 {
		m.First, m.Last = at, at
	}
	m.Events++
	m.First, m.Last = min(m.First, at), max(m.Last, at)
}
