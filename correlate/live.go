package correlate

import "strings"

// source is what one raw partition says about an alert: the cumulative count of its episode.
type source struct {
	raw     *rawPartition
	episode int64
	count   uint64
}

// liveAlert is an alert that the engine knows: an ongoing condition, or one whose incident is not
// forgotten yet. What several raw partitions say is merged: counts are added up, everything else
// comes from the record whose last event is the latest.
//
// Nearly every alert has one source and is a member of one incident. Room for these is inside, next
// to what every record reads, because what an update costs is the memory that it has to wait for.
type liveAlert struct {
	fingerprint Fingerprint
	latest      Time          // event time of the record that severity and status come from,
	latestRaw   *rawPartition // and its raw position
	latestAt    int64
	severity    Severity
	status      Status
	tracked     bool    // the engine knows it beyond this record
	member      *member // of the incident that it belongs to now; nil: of none
	sources     []source
	oneSource   [1]source
	own         member // the room for one; free if its alert is nil
	details     details
	members     []*member // of all incidents that are not forgotten
	oneMember   [1]*member
	forget      timer  // runs while it is a member of nothing
	place       uint64 // in the snapshot that is being written
}

// member is an alert's part in one incident.
type member struct {
	alert    *liveAlert
	incident *incident
	firing   bool
	severity Severity
	first    Time // event time of the first event in this incident
	last     Time // event time of the last
	events   uint64
}

func newLiveAlert(fp Fingerprint) *liveAlert {
	l := &liveAlert{fingerprint: fp}
	l.sources, l.members = l.oneSource[:0], l.oneMember[:0]
	l.forget = timer{kind: timerForget, alert: l}
	return l
}

// newMember returns a part of l in the incident.
func (l *liveAlert) newMember(in *incident) *member {
	m := &l.own
	if m.alert != nil {
		m = new(member)
	}
	m.alert, m.incident = l, in
	return m
}

// named returns a flush, which has no strings, with those of the alert that it is about: analysts
// count by them.
func (l *liveAlert) named(flush *Alert, scope string) *Alert {
	a, d := *flush, &l.details
	a.Scope, a.Service, a.Entity, a.Check = scope, d.service, d.entity, d.check
	return &a
}

func (l *liveAlert) source(raw *rawPartition) *source {
	for i := range l.sources {
		if l.sources[i].raw == raw {
			return &l.sources[i]
		}
	}
	return nil
}

// repeats tells whether the update or flush a says nothing that was not known. One about a known
// episode must count more than was known. One about an episode that this raw partition has not
// spoken of, or an alert forgotten since, is news only when its raw offset is (fresh).
func (l *liveAlert) repeats(a *Alert, raw *rawPartition, fresh bool) bool {
	if a.Flush && !fresh {
		return true
	}
	if l != nil {
		if s := l.source(raw); s != nil && a.Episode <= s.episode {
			return a.Episode < s.episode || a.Count <= s.count
		}
	}
	return !fresh
}

// knows tells whether the raw partition has spoken about the episode of a before.
func (l *liveAlert) knows(a *Alert, raw *rawPartition) bool {
	s := l.source(raw)
	return s != nil && s.episode == a.Episode
}

// count takes the record's count over and returns how many events it adds.
func (l *liveAlert) count(a *Alert, raw *rawPartition) uint64 {
	s := l.source(raw)
	switch {
	case s == nil:
		l.sources = append(l.sources, source{raw: raw, episode: a.Episode, count: a.Count})
		return a.counted()
	case a.Episode > s.episode:
		s.episode, s.count = a.Episode, a.Count
		return a.counted()
	case a.Episode < s.episode || a.Count <= s.count:
		return 0
	}
	added := a.Count - s.count
	s.count = a.Count
	return added
}

// begins tells whether the record covers its episode from the beginning.
func (a *Alert) begins() bool { return a.FirstOffset == a.Episode }

// counted returns how many events a adds when nothing is known of its episode: what it counts if
// it begins the episode, and else only the one event that it is certainly about, because the rest
// may have been counted before the alert was forgotten.
func (a *Alert) counted() uint64 {
	if a.begins() {
		return a.Count
	}
	return min(a.Count, 1)
}

// merge takes status, severity and fields from a, if its last event is the latest known (equal
// times: the larger raw position).
func (l *liveAlert) merge(a *Alert, raw *rawPartition) {
	if l.latestRaw != nil &&
		(a.Last < l.latest || a.Last == l.latest && l.follows(raw, a.Raw.Offset)) {
		return
	}
	l.status, l.severity, l.latest = a.Status, a.Severity, a.Last
	l.latestRaw, l.latestAt = raw, a.Raw.Offset
	l.details.adopt(a)
}

// follows tells whether the record that l's status comes from has a larger raw position.
func (l *liveAlert) follows(raw *rawPartition, offset int64) bool {
	if l.latestRaw == raw {
		return l.latestAt > offset
	}
	return comparePartition(l.latestRaw.RawPartition, raw.RawPartition) > 0
}

// in returns l's part in the incident, or nil.
func (l *liveAlert) in(in *incident) *member {
	if l.member != nil && l.member.incident == in {
		return l.member
	}
	for _, m := range l.members {
		if m.incident == in {
			return m
		}
	}
	return nil
}

func (l *liveAlert) firing() bool { return l.status == Firing }

func comparePartition(a, b RawPartition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return compare(a.Partition, b.Partition)
}

func compare[T int32 | int64 | uint64 | Time](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// details are what a page tells about an alert.
type details struct {
	service, entity, check, summary, url, value string
}

func (d *details) all() [6]*string {
	return [6]*string{&d.service, &d.entity, &d.check, &d.summary, &d.url, &d.value}
}

// adopt takes the strings of a over. The batch that a lives in may be reused after Step, so what
// differs is copied; what is equal, nearly always everything, costs a comparison.
func (d *details) adopt(a *Alert) {
	from := details{service: a.Service, entity: a.Entity, check: a.Check, summary: a.Summary,
		url: a.URL, value: a.Value}
	if *d == (details{}) {
		*d = from.clone()
		return
	}
	to := d.all()
	for i, s := range from.all() {
		if *to[i] != *s {
			*to[i] = strings.Clone(*s)
		}
	}
}

// clone copies all strings in one allocation.
func (d *details) clone() details {
	from := d.all()
	n := 0
	for _, s := range from {
		n += len(*s)
	}
	var together strings.Builder
	together.Grow(n)
	for _, s := range from {
		together.WriteString(*s)
	}
	var c details
	rest, to := together.String(), c.all()
	for i, s := range from {
		*to[i], rest = rest[:len(*s)], rest[len(*s):]
	}
	return c
}
