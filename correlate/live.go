package correlate

import (
	"slices"
	"strings"
)

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
// What an update costs is the memory that it has to wait for, and what the garbage collector costs
// are pointers. So it is three lines of the processor's cache: nearly every alert has one source and
// is a member of one incident, and room for these is inside; what a few have more lies elsewhere.
type liveAlert struct {
	fingerprint Fingerprint
	member      *member       // of the incident that it belongs to now; nil: of none
	latest      Time          // event time of the record that severity and status come from,
	latestRaw   *rawPartition // and its raw position
	latestAt    int64
	severity    Severity
	status      Status
	tracked     bool   // the engine knows it beyond this record
	one         source // its raw partition is nil: none yet
	texts       texts
	own         member // of an incident; free if its alert is nil
	more        *beyond
	forget      *timer // runs while it is a member of nothing; nil: it never has
}

// beyond is what an alert has beyond the room inside of it.
type beyond struct {
	sources []source
	members []*member
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

// newMember makes l a member of the incident too.
func (l *liveAlert) newMember(in *incident) *member {
	m := &l.own
	if m.alert != nil {
		m = new(member)
		more := l.beyond()
		more.members = append(more.members, m)
	}
	m.alert, m.incident = l, in
	return m
}

// dropMember ends a membership. Its room in the alert can be used again.
func (l *liveAlert) dropMember(m *member) {
	if l.member == m {
		l.member = nil
	}
	if m != &l.own {
		at := slices.Index(l.more.members, m)
		l.more.members = slices.Delete(l.more.members, at, at+1)
	}
	*m = member{}
}

// belongs tells whether l is a member of any incident.
func (l *liveAlert) belongs() bool {
	return l.own.alert != nil || l.more != nil && len(l.more.members) > 0
}

func (l *liveAlert) beyond() *beyond {
	if l.more == nil {
		l.more = new(beyond)
	}
	return l.more
}

// forgetting returns the timer that ends the engine's knowledge of an alert of no incident.
func (l *liveAlert) forgetting() *timer {
	if l.forget == nil {
		l.forget = &timer{kind: timerForget, alert: l}
	}
	return l.forget
}

// named returns a flush, which has no strings, with those of the alert that it is about: analysts
// count by them. What it returns lives as long as fx.
func (l *liveAlert) named(flush *Alert, scope string, fx *Effects) *Alert {
	a := fx.room()
	*a = *flush
	names := l.texts.strings(nameParts)
	a.Scope, a.Service, a.Entity, a.Check = scope, names[0], names[1], names[2]
	return a
}

func (l *liveAlert) source(raw *rawPartition) *source {
	if l.one.raw == raw {
		return &l.one
	}
	if l.more != nil {
		for i := range l.more.sources {
			if s := &l.more.sources[i]; s.raw == raw {
				return s
			}
		}
	}
	return nil
}

func (l *liveAlert) addSource(s source) {
	if l.one.raw == nil {
		l.one = s
		return
	}
	more := l.beyond()
	more.sources = append(more.sources, s)
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
		l.addSource(source{raw: raw, episode: a.Episode, count: a.Count})
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
	l.texts.adopt(a)
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
	if l.own.incident == in {
		return &l.own
	}
	if l.more != nil {
		for _, m := range l.more.members {
			if m.incident == in {
				return m
			}
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
