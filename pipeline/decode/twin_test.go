package decode

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"quell/correlate"
)

// The slow twins of the two formats: they read the oracle's tree, build everything, share no code
// with the scanner and are as plain as can be. They know no bounds but those of the labels; inputs
// that reach another bound are not compared.

// twinNative reads an event from the tree of a native payload.
func twinNative(t tree, r RecordMeta) (ev correlate.Event, err error) {
	if t.kind != kindObject {
		return ev, fmt.Errorf("not an object")
	}
	texts := map[string]*string{"id": &ev.ID, "dedup_key": &ev.DedupKey, "scope": &ev.Scope,
		"source": &ev.Source, "service": &ev.Service, "entity": &ev.Entity, "check": &ev.Check,
		"summary": &ev.Summary, "url": &ev.URL, "value": &ev.Value}
	named, along := map[string]string{}, &twinLabels{values: map[string]string{}}
	for i, name := range t.names {
		m := t.members[i]
		if m.kind == kindNull {
			continue
		}
		place, isText := texts[name]
		switch {
		case isText:
			if m.kind != kindString && (name != "value" || m.kind != kindNumber) {
				return ev, fmt.Errorf("%s has a bad type", name)
			}
			*place = m.text
		case name == "time":
			if m.kind != kindString && m.kind != kindNumber {
				return ev, fmt.Errorf("time has a bad type")
			}
			if ev.Time, err = twinTime(m.text); err != nil {
				return ev, err
			}
		case name == "severity":
			if ev.Severity, err = twinWord[correlate.Severity](m); err != nil {
				return ev, err
			}
		case name == "status":
			if ev.Status, err = twinWord[correlate.Status](m); err != nil {
				return ev, err
			}
		case name == "labels":
			if err := twinNamed(m, named); err != nil {
				return ev, err
			}
		default:
			along.flatten(name, m)
		}
	}
	return twinComplete(ev, r, named, along)
}

func twinWord[T correlate.Severity | correlate.Status](m tree) (v T, err error) {
	if m.kind != kindString {
		return 0, fmt.Errorf("bad type")
	}
	if m.text == "" {
		return 0, nil
	}
	for _, v := range []T{1, 2, 3, 4} {
		if s, ok := any(v).(fmt.Stringer); ok && s.String() == m.text {
			return v, nil
		}
	}
	return 0, fmt.Errorf("bad word")
}

func twinNamed(m tree, named map[string]string) error {
	if m.kind != kindObject {
		return fmt.Errorf("labels are no object")
	}
	for i, name := range m.names {
		switch v := m.members[i]; v.kind {
		case kindNull:
		case kindObject, kindArray:
			return fmt.Errorf("nested label")
		default:
			named[name] = v.text
		}
	}
	return nil
}

// twinLabels are labels that come along, in the order of the payload.
type twinLabels struct {
	names  []string
	values map[string]string
	skip   map[string]bool // paths that the format wants
	clash  bool
}

func (l *twinLabels) flatten(path string, t tree) {
	switch t.kind {
	case kindNull:
	case kindObject:
		for i, name := range t.names {
			l.flatten(path+"."+name, t.members[i])
		}
	case kindArray:
		for i, m := range t.members {
			l.flatten(fmt.Sprintf("%s[%d]", path, i), m)
		}
	default:
		if _, ok := l.values[path]; ok {
			l.clash = true
		} else if !l.skip[path] {
			l.names, l.values[path] = append(l.names, path), t.text
		}
	}
}

func twinComplete(ev correlate.Event, r RecordMeta, named map[string]string,
	along *twinLabels) (correlate.Event, error) {
	if ev.Time == 0 {
		ev.Time = r.Time
	}
	if ev.Scope == "" {
		ev.Scope = "default"
	}
	if ev.Source == "" {
		ev.Source = r.Topic
	}
	if ev.Severity == 0 {
		ev.Severity = correlate.Warning
	}
	if ev.Status == 0 {
		ev.Status = correlate.Firing
	}
	for _, name := range along.names {
		if _, ok := named[name]; !ok {
			named[name] = along.values[name]
		}
	}
	for name, v := range named {
		ev.Labels = append(ev.Labels, correlate.Label{Name: name, Value: v})
	}
	slices.SortFunc(ev.Labels, func(a, b correlate.Label) int { return strings.Compare(a.Name, b.Name) })
	return ev, nil
}

// twinTime reads RFC 3339 by package time (with leap seconds put right), else a Unix time by
// rational numbers.
func twinTime(s string) (correlate.Time, error) {
	if t, err := twinRFC3339(s); err == nil {
		return t, nil
	}
	return twinEpoch(s)
}

func twinRFC3339(s string) (correlate.Time, error) {
	// time.Parse is lax: it reads 8:00:00, and a comma.
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$`).
		MatchString(s) {
		return 0, fmt.Errorf("no RFC 3339")
	}
	s = strings.ToUpper(s)
	leap := s[17:19] == "60"
	if leap {
		s = s[:17] + "59" + s[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	t = t.UTC()
	ms := t.UnixMilli()
	if leap {
		if t.Hour() != 23 || t.Minute() != 59 {
			return 0, fmt.Errorf("no leap second")
		}
		ms = t.Truncate(time.Second).UnixMilli() + 999
	}
	return twinSane(ms)
}

func twinEpoch(s string) (correlate.Time, error) {
	if !utf8.ValidString(s) || len(s) > 64 || strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("no number")
	}
	if t, err := readStrictly([]byte(s)); err != nil || t.kind != kindNumber || t.text != s {
		return 0, fmt.Errorf("no number")
	}
	if e := strings.IndexAny(s, "eE"); e >= 0 && len(strings.TrimLeft(s[e+1:], "+-0")) > 3 {
		return 0, fmt.Errorf("out of range, whatever at most 62 digits stand before")
	}
	v, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, fmt.Errorf("no number")
	}
	scale := big.NewRat(1000, 1)
	for limit := big.NewRat(1e11, 1); v.Cmp(limit) >= 0 && scale.Cmp(big.NewRat(1, 1e6)) > 0; {
		scale.Quo(scale, big.NewRat(1000, 1))
		limit.Mul(limit, big.NewRat(1000, 1))
	}
	v.Mul(v, scale)
	ms := new(big.Int).Quo(v.Num(), v.Denom())
	if !ms.IsInt64() {
		return 0, fmt.Errorf("too big")
	}
	return twinSane(ms.Int64())
}

func twinSane(ms int64) (correlate.Time, error) {
	t := time.UnixMilli(ms).UTC()
	if t.Before(time.Unix(1, 0)) || t.Year() >= 2200 {
		return 0, fmt.Errorf("%v is outside the range", t)
	}
	return correlate.Time(ms), nil
}
