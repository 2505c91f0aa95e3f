package decode

import (
	"encoding/binary"
	"math/bits"
	"time"

	"quell/correlate"
)

// The range of times that an event may have: from one second after the epoch (a zero is a missing
// time more often than 1970) up to the year 2200.
const (
	earliest = 1000          // ms, 1970-01-01T00:00:01Z
	latest   = 7258118400000 // ms, 2200-01-01T00:00:00Z, not included
)

func sane(ms int64) bool { return ms >= earliest && ms < latest }

// rfc3339 reads an RFC 3339 time: T and Z in either case, any number of fraction digits (cut to
// milliseconds), a leap second only where UTC can have one (it counts as the last millisecond of
// its minute). False for anything else, and for times outside the sane range.
func rfc3339(s string) (correlate.Time, bool) { return civil(s, false, nil) }

// minute is the last minute that was read, since the next event is mostly of the same one.
type minute struct {
	text [2]uint64 // 2006-01-02T15:04
	at   int64     // ms; 0 for none
}

// rfc3339 is the function of that name, for most times without reading the date.
func (m *minute) rfc3339(s string) (correlate.Time, bool) {
	if len(s) != len("2006-01-02T15:04:05.000Z") || s[16] != ':' || s[19] != '.' || s[23] != 'Z' {
		return rfc3339(s)
	}
	text := [2]uint64{binary.LittleEndian.Uint64([]byte(s[:8])), binary.LittleEndian.Uint64([]byte(s[8:16]))}
	second, ok1 := decimal(s, 17, 2)
	milli, ok2 := decimal(s, 20, 3)
	if text == m.text && m.at != 0 && ok1 && ok2 && second < 60 {
		ms := m.at + second*1000 + milli
		return correlate.Time(ms), sane(ms)
	}
	t, ok := rfc3339(s)
	if ok {
		m.text, m.at = text, int64(t)-int64(t)%60_000
	}
	return t, ok
}

// iso8601 reads what RFC 3339 allows, and the relaxed forms that monitoring systems write: a space
// for T, a comma in the fraction, offsets as +0000 or +00, and no offset at all: local time in
// loc.
func iso8601(s string, loc *time.Location) (correlate.Time, bool) { return civil(s, true, loc) }

func civil(s string, relaxed bool, loc *time.Location) (correlate.Time, bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' ||
		s[10]|0x20 != 't' && !(relaxed && s[10] == ' ') {
		return 0, false
	}
	year, ok1 := decimal(s, 0, 4)
	month, ok2 := decimal(s, 5, 2)
	day, ok3 := decimal(s, 8, 2)
	hour, ok4 := decimal(s, 11, 2)
	minute, ok5 := decimal(s, 14, 2)
	second, ok6 := decimal(s, 17, 2)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 ||
		day > daysIn(month, year) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	milli, i := fraction(s, 19, relaxed)
	if i < 0 {
		return 0, false
	}
	leap := second == 60
	if leap {
		second, milli = 59, 999
	}
	seconds := daysBefore(year, month, day)*86400 + hour*3600 + minute*60 + second
	switch {
	case i < len(s):
		offset, ok := zone(s[i:], relaxed)
		if !ok {
			return 0, false
		}
		seconds -= offset
	case !relaxed:
		return 0, false
	case loc != nil && loc != time.UTC:
		local := time.Date(int(year), time.Month(month), int(day), int(hour), int(minute),
			int(second), 0, loc)
		seconds = local.Unix()
	}
	if leap && seconds%86400 != 86399 {
		return 0, false
	}
	ms := seconds*1000 + milli
	return correlate.Time(ms), sane(ms)
}

// decimal reads n digits at i.
func decimal(s string, i, n int) (int64, bool) {
	v := int64(0)
	for _, c := range []byte(s[i : i+n]) {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// fraction reads an optional fraction of a second at i and returns it in milliseconds, cut, and
// the position behind, or -1 when a point has no digit.
func fraction(s string, i int, relaxed bool) (int64, int) {
	if i == len(s) || s[i] != '.' && !(relaxed && s[i] == ',') {
		return 0, i
	}
	i++
	start, milli := i, int64(0)
	for scale := int64(100); i < len(s) && s[i]-'0' < 10; i++ {
		milli += int64(s[i]-'0') * scale
		scale /= 10
	}
	if i == start {
		return 0, -1
	}
	return milli, i
}

// zone reads an offset from UTC, in seconds, that is all of s.
func zone(s string, relaxed bool) (int64, bool) {
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hour, ok := decimal(s, 1, 2)
	minute, ok2 := int64(0), true
	switch {
	case len(s) == 6 && s[3] == ':':
		minute, ok2 = decimal(s, 4, 2)
	case relaxed && len(s) == 5:
		minute, ok2 = decimal(s, 3, 2)
	case relaxed && len(s) == 3:
	default:
		return 0, false
	}
	if !ok || !ok2 || hour > 23 || minute > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -(hour*3600 + minute*60), true
	}
	return hour*3600 + minute*60, true
}

func daysIn(month, year int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysBefore returns the days from 1970-01-01 to a date of the Gregorian calendar, by counting
// years from March, so that the leap day is a year's last (Hinnant, "chrono-compatible low-level
// date algorithms").
func daysBefore(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	ofYear := (153*(month-3)+2)/5 + day - 1
	return year*365 + year/4 - year/100 + year/400 + ofYear - 719468
}

// unit is what a Unix time counts.
type unit int8

const (
	unitAuto   unit = iota // told by magnitude
	unitSecond             // the rest: decimal digits after the unit's point are cut to ms
	unitMilli
	unitMicro
	unitNano
)

// epoch reads a Unix time: a decimal number as JSON writes it, with fraction and exponent. With
// unitAuto the magnitude tells the unit: below 10^11 seconds (until the year 5138), below 10^14
// milliseconds (from 1973), below 10^17 microseconds, else nanoseconds. False for anything that is
// not such a number, and for times outside the sane range. It never rounds up and uses no floating
// point.
func epoch(s string, u unit) (correlate.Time, bool) {
	m, exponent, ok := scientific(s)
	if !ok {
		return 0, false
	}
	if u == unitAuto {
		u = magnitude(m, exponent)
	}
	for exponent += 3 - 3*int(u-unitSecond); exponent > 0; exponent-- {
		high, low := bits.Mul64(m, 10)
		if high != 0 {
			return 0, false
		}
		m = low
	}
	for ; exponent < 0 && m > 0; exponent++ {
		m /= 10
	}
	if m >= latest {
		return 0, false
	}
	return correlate.Time(m), sane(int64(m))
}

// magnitude tells the unit of m * 10^exponent.
func magnitude(m uint64, exponent int) unit {
	places := exponent // of decimal digits before the point
	for v := m; v > 0; v /= 10 {
		places++
	}
	switch {
	case places <= 11:
		return unitSecond
	case places <= 14:
		return unitMilli
	case places <= 17:
		return unitMicro
	}
	return unitNano
}

// scientific reads a JSON number that is not negative as m * 10^exponent, m of at most 19 digits;
// more digits are cut.
func scientific(s string) (m uint64, exponent int, ok bool) {
	if len(s) == 0 || len(s) > 64 || s[0] == '-' || number([]byte(s), 0) != len(s) {
		return 0, 0, false
	}
	i, kept, point := 0, 0, false
	for ; i < len(s) && s[i]|0x20 != 'e'; i++ {
		if s[i] == '.' {
			point = true
			continue
		}
		if kept < 19 {
			if m = m*10 + uint64(s[i]-'0'); m > 0 {
				kept++
			}
			if point {
				exponent--
			}
		} else if !point {
			exponent++
		}
	}
	if i < len(s) {
		e, negative := 0, false
		for i++; i < len(s); i++ {
			switch {
			case s[i] == '-':
				negative = true
			case s[i] != '+' && e < 1000:
				e = e*10 + int(s[i]-'0')
			}
		}
		if negative {
			e = -e
		}
		exponent += e
	}
	return m, exponent, true
}
