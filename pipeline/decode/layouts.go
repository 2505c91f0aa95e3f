package decode

import (
	"fmt"
	"strings"
	"time"

	"quell/correlate"
)

// layout is one way to read a time.
type layout struct {
	form layoutForm
	unit unit   // of formEpoch
	text string // of formGo
}

type layoutForm uint8

const (
	formRFC3339 layoutForm = iota
	formISO8601
	formEpoch
	formGo
)

// read reads a time by the layout; loc is for times without an offset.
func (l layout) read(s string, loc *time.Location) (correlate.Time, bool) {
	switch l.form {
	case formRFC3339:
		return rfc3339(s)
	case formISO8601:
		return iso8601(s, loc)
	case formEpoch:
		return epoch(s, l.unit)
	}
	t, err := time.ParseInLocation(l.text, s, loc)
	if err != nil {
		return 0, false
	}
	ms := t.UnixMilli()
	return correlate.Time(ms), sane(ms)
}

// compileLayout reads the name of a layout, or checks one in Go's notation: a layout that reads
// times wrongly is worse than one that reads none.
func compileLayout(text string) (layout, error) {
	switch text {
	case "rfc3339":
		return layout{form: formRFC3339}, nil
	case "iso8601":
		return layout{form: formISO8601}, nil
	case "epoch":
		return layout{form: formEpoch}, nil
	case "epoch_s":
		return layout{form: formEpoch, unit: unitSecond}, nil
	case "epoch_ms":
		return layout{form: formEpoch, unit: unitMilli}, nil
	case "epoch_us":
		return layout{form: formEpoch, unit: unitMicro}, nil
	case "epoch_ns":
		return layout{form: formEpoch, unit: unitNano}, nil
	}
	const advice = `write rfc3339, iso8601, epoch, epoch_s, epoch_ms, epoch_us, epoch_ns, or how ` +
		`2 January 2006 15:04:05 is written in it, such as "2006-01-02 15:04:05"`
	if strings.Contains(text, "MST") && !strings.Contains(text, "-07") &&
		!strings.Contains(text, "Z07") {
		return layout{}, fmt.Errorf("%s reads abbreviations of time zones, which are ambiguous: "+
			"write the zone as it stands there (UTC), and location for what it means", quote(text))
	}
	// Two times that differ in every part of the date must be written differently, part by part.
	at := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, part := range []struct {
		name  string
		other time.Time
	}{
		{"year", at.AddDate(1, 0, 0)}, {"month", at.AddDate(0, 1, 0)}, {"day", at.AddDate(0, 0, 1)},
		{"hour", at.Add(time.Hour)},
	} {
		if at.Format(text) == part.other.Format(text) {
			return layout{}, fmt.Errorf("%s has no %s: %s", quote(text), part.name, advice)
		}
	}
	if back, err := time.ParseInLocation(text, at.Format(text), time.UTC); err != nil ||
		back.Truncate(time.Hour) != at.Truncate(time.Hour) {
		return layout{}, fmt.Errorf("%s does not read what it writes: %s", quote(text), advice)
	}
	return layout{form: formGo, text: text}, nil
}

// compileLocation reads an offset or the name of a time zone.
func compileLocation(text string) (*time.Location, error) {
	if text == "" {
		return time.UTC, nil
	}
	if seconds, ok := zone(text, false); ok {
		return time.FixedZone("", int(seconds)), nil
	}
	loc, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		return nil, fmt.Errorf("%s is no location: write UTC, an offset such as +02:00, or a name "+
			"such as Europe/Vienna", quote(text))
	}
	return loc, nil
}
