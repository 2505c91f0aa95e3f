package workload

import (
	"strconv"
	"strings"

	"quell/correlate"
)

const (
	loadScope    = "production"
	loadServices = 200
	loadClusters = 5
	colliders    = 1000 // dedup keys with one xxHash64
)

var loadChecks = [...]string{"http_5xx_rate", "latency_p99", "healthcheck", "replication_lag",
	"slow_queries", "disk_io_wait", "consumer_lag", "packet_loss"}

var loadSummaries = [...]string{"share of 5xx answers is above its threshold", "p99 latency is above the objective",
	"the health check has failed three times", "the replica is far behind its primary",
	"queries are slower than a second", "processes wait long for the disk",
	"the consumers have fallen behind", "packets are lost on the way"}

// render appends the event of an alert and its record's key. Eight alerts share an entity.
func (l *Load) render(b, key []byte, alert int, at correlate.Time, r uint32) (value, _ []byte) {
	entity := alert / len(loadChecks)
	service, check := entity%loadServices, alert%len(loadChecks)
	trait := mix(l.o.Seed ^ uint64(alert))
	b = append(b, `{"id":"`...)
	b = appendID(b, mix(l.o.Seed+uint64(l.emitted)<<20))
	b = append(b, `","time":"`...)
	b = l.stamp.append(b, at)
	b = append(b, `","source":"prometheus-eu-`...)
	b = append(b, digits[1+r%2])
	b = append(b, `","scope":"`+loadScope+`","service":"service-`...)
	b = appendPadded(b, service, 3)
	b = append(b, `","check":"`...)
	b = append(b, loadChecks[check]...)
	b = append(b, `","severity":"`...)
	b = append(b, severityOf(trait).String()...)
	b = append(b, `","status":"`...)
	b = append(b, l.status(alert)...)
	b = append(b, `","value":"`...)
	b = appendPadded(b, int(r>>8%1000), 3)
	b = append(b, '.', digits[r>>4%10])
	key = appendPadded(append(key, "service-"...), service, 3)
	if l.kind.hostile {
		b, key = l.harm(b, key, alert)
	} else {
		b = append(b, `","entity":"`...)
		b = appendEntity(b, service, entity)
		key = appendEntity(append(key, '/'), service, entity)
		b = append(b, `","summary":"`...)
		b = append(b, loadSummaries[check]...)
		b = append(b, `"`...)
	}
	key = append(append(key, '/'), loadChecks[check]...)
	return l.tail(b, alert, service, entity), key
}

// tail appends labels and link.
func (l *Load) tail(b []byte, alert, service, entity int) []byte {
	b = append(b, `,"labels":{"cluster":"prod-eu-`...)
	b = append(b, digits[entity/loadServices%loadClusters])
	b = append(b, `","region":"eu-central-1","team":"team-`...)
	b = appendPadded(b, service%40, 2)
	b = append(b, '"')
	if l.labels != nil {
		b = append(b, l.labels[alert%len(l.labels)]...)
	}
	b = append(b, `},"url":"https://mon.example/d/service-`...)
	b = appendPadded(b, service, 3)
	return append(b, `"}`...)
}

func (l *Load) status(alert int) string {
	if l.turned == nil {
		return "firing"
	}
	l.turned[alert] = !l.turned[alert]
	if l.turned[alert] {
		return "firing"
	}
	return "resolved"
}

// severityOf: one alert in a hundred is critical, half are warnings.
func severityOf(trait uint64) correlate.Severity {
	switch n := trait % 100; {
	case n < 1:
		return correlate.Critical
	case n < 40:
		return correlate.Error
	case n < 90:
		return correlate.Warning
	}
	return correlate.Info
}

func appendEntity(b []byte, service, entity int) []byte {
	b = appendPadded(append(b, "service-"...), service, 3)
	b = append(b, "-7d9f8b6c5-"...)
	return appendPadded(b, entity, 6)
}

func appendPadded(b []byte, n, width int) []byte {
	var room [20]byte
	s := strconv.AppendInt(room[:0], int64(n), 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

// manyLabels is 56 labels of some 160 bytes, in the form that follows other labels.
func manyLabels(d *dice) string {
	var s strings.Builder
	for i := range 56 {
		s.WriteString(`,"annotation_` + strconv.Itoa(i) + `":"`)
		for range 20 {
			s.Write(appendID(nil, d.Uint64())[:7])
			s.WriteByte(' ')
		}
		s.WriteString(`"`)
	}
	return s.String()
}

// What is hostile about an event, by its alert's number.
const (
	deepest   = 60 // objects and arrays inside each other that quell accepts by default, about
	tooDeep   = 200
	dreadSize = 900 // bytes of an entity
)

// harm ends an event's text in one of four ways: a dedup key that collides, an entity that makes a
// regular expression go over it again and again, JSON that is deep, and JSON that is too deep.
func (l *Load) harm(b, key []byte, alert int) (value, _ []byte) {
	key = appendPadded(append(key, '/'), alert, 6)
	switch which := alert % 8; {
	case which < 4:
		collier := l.colliers[alert/8*4%len(l.colliers)+which]
		b = append(append(b, `","dedup_key":"`...), collier...)
	case which < 6:
		b = append(b, `","entity":"`...)
		for range dreadSize - 10 {
			b = append(b, 'a')
		}
		b = appendPadded(b, alert, 6)
	default:
		depth := deepest
		if which == 7 {
			depth = tooDeep
		}
		b = appendPadded(append(b, `","entity":"deep-`...), alert, 6)
		b = append(b, `","extra":`...)
		b = append(b, strings.Repeat(`{"a":[`, depth/2)...)
		b = append(b, '1')
		return append(b, strings.Repeat(`]}`, depth/2)...), key
	}
	return append(b, `","summary":"made to hurt"`...), key
}
