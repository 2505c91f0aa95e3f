package decode

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"quell/correlate"
)

func TestRFC3339(t *testing.T) {
	for _, c := range []struct {
		name, text, want string // want "" for no time
	}{
		{"UTC", "2022-01-26T00:25:30Z", "2022-01-26T00:25:30.000Z"},
		{"fraction is cut", "2022-01-26T00:25:30.1239999Z", "2022-01-26T00:25:30.123Z"},
		{"one digit", "2022-01-26T00:25:30.1Z", "2022-01-26T00:25:30.100Z"},
		{"forty digits", "2022-01-26T00:25:30.1234567890123456789012345678901234567890Z",
			"2022-01-26T00:25:30.123Z"},
		{"offset", "1990-12-31T15:59:50.123-08:00", "1990-12-31T23:59:50.123Z"},
		{"unknown offset", "2022-01-26T00:25:30-00:00", "2022-01-26T00:25:30.000Z"},
		{"lower case", "1983-06-19t08:30:06.283185z", "1983-06-19T08:30:06.283Z"},
		{"leap second", "1998-12-31T23:59:60Z", "1998-12-31T23:59:59.999Z"},
		{"leap second with offset", "1990-12-31T15:59:60.5-08:00", "1990-12-31T23:59:59.999Z"},
		{"leap second in the wrong hour", "1998-12-31T22:59:60Z", ""},
		{"leap second in the wrong minute", "1998-12-31T23:58:60Z", ""},
		{"second 61", "1998-12-31T23:59:61Z", ""},
		{"leap day", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
		{"no leap day", "2023-02-29T00:00:00Z", ""},
		{"century without leap day", "2100-02-29T00:00:00Z", ""},
		{"month 13", "2023-13-01T00:00:00Z", ""},
		{"day 0", "2023-01-00T00:00:00Z", ""},
		{"hour 24", "2023-01-01T24:00:00Z", ""},
		{"no offset", "2023-01-01T00:00:00", ""},
		{"no seconds", "2023-01-01T00:00Z", ""},
		{"point without digits", "2023-01-01T00:00:00.Z", ""},
		{"comma", "2023-01-01T00:00:00,5Z", ""},
		{"space", "2023-01-01 00:00:00Z", ""},
		{"short offset", "2023-01-01T00:00:00+01", ""},
		{"offset of 24 hours", "2023-01-01T00:00:00+24:00", ""},
		{"offset of 60 minutes", "2023-01-01T00:00:00+01:60", ""},
		{"something behind", "2023-01-01T00:00:00Z ", ""},
		{"other digits", "2023-06-11T0\u09ea:00:00Z", ""},
		{"first moment", "1970-01-01T00:00:01Z", "1970-01-01T00:00:01.000Z"},
		{"the epoch itself", "1970-01-01T00:00:00.999Z", ""},
		{"last moment", "2199-12-31T23:59:59.999Z", "2199-12-31T23:59:59.999Z"},
		{"year 2200", "2200-01-01T00:00:00Z", ""},
		{"year 2200 by its offset", "2199-12-31T23:59:59-00:01", ""},
		{"year 0", "0000-01-01T00:00:00Z", ""},
		{"year 1", "0001-01-01T00:00:00Z", ""},
		{"year 9999", "9999-12-31T23:59:59Z", ""},
		{"five digits", "+11963-06-19T08:30:06Z", ""},
		{"empty", "", ""},
		{"zero bytes for a minute", strings.Repeat("\x00", 16) + ":05.123Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := rfc3339(c.text)
			if again, ok2 := new(minute).rfc3339(c.text); again != got || ok2 != ok {
				t.Errorf("%q: got %v, %v, by its minute %v, %v", c.text, got, ok, again, ok2)
			}
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("%q: got %v, %v, want %v", c.text, got, ok, c.want)
			}
		})
	}
}

func TestISO8601(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Skipf("the time zone database is missing: %v", err)
	}
	for _, c := range []struct {
		name, text, want string
		loc              *time.Location
	}{
		{"Wazuh", "2020-03-04T18:02:04.347123+0000", "2020-03-04T18:02:04.347Z", time.UTC},
		{"space and no offset", "2025-03-04 11:01:41", "2025-03-04T11:01:41.000Z", time.UTC},
		{"comma", "2025-03-04 11:01:41,5", "2025-03-04T11:01:41.500Z", time.UTC},
		{"offset of hours", "2025-03-04T11:01:41-05", "2025-03-04T16:01:41.000Z", time.UTC},
		{"winter in Vienna", "2025-01-04T11:01:41", "2025-01-04T10:01:41.000Z", vienna},
		{"summer in Vienna", "2025-07-04T11:01:41", "2025-07-04T09:01:41.000Z", vienna},
		{"an offset beats the location", "2025-07-04T11:01:41Z", "2025-07-04T11:01:41.000Z", vienna},
		{"a date alone", "2025-07-04", "", time.UTC},
		{"two spaces", "2025-03-04  11:01:41", "", time.UTC},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := iso8601(c.text, c.loc)
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("%q: got %v, %v, want %v", c.text, got, ok, c.want)
			}
		})
	}
}

func TestEpoch(t *testing.T) {
	for _, c := range []struct {
		name, text string
		unit       unit
		want       correlate.Time // 0 for no time
	}{
		{"seconds", "1643156730", unitAuto, 1643156730000},
		{"fraction of seconds, cut", "1643156730.1239", unitAuto, 1643156730123},
		{"milliseconds", "1643156730123", unitAuto, 1643156730123},
		{"microseconds", "1643156730123456", unitAuto, 1643156730123},
		{"nanoseconds", "1643156730123456789", unitAuto, 1643156730123},
		{"fraction of milliseconds", "1643156730123.999", unitAuto, 1643156730123},
		{"exponent", "1.643156730123e9", unitAuto, 1643156730123},
		{"negative exponent", "1643156730123456789000e-12", unitAuto, 1643156730123},
		{"capital and sign", "1.6E+9", unitAuto, 1600000000000},
		{"zeroes in front", "0.0001643156730e13", unitAuto, 1643156730000},
		{"many zeroes behind", "1643156730.00000000000000000000000", unitAuto, 1643156730000},
		{"small with unit", "5", unitSecond, 5000},
		{"small milliseconds", "5000", unitMilli, 5000},
		{"small microseconds", "5000000", unitMicro, 5000},
		{"small nanoseconds", "5000000000", unitNano, 5000},
		{"first moment", "1", unitAuto, 1000},
		{"before it", "0.999", unitAuto, 0},
		{"last second", "7258118399.999", unitAuto, 7258118399999},
		{"year 2200", "7258118400", unitAuto, 0},
		{"year 5138", "99999999999", unitAuto, 0},
		{"zero", "0", unitAuto, 0},
		{"negative", "-1643156730", unitAuto, 0},
		{"negative zero", "-0", unitAuto, 0},
		{"huge", "1e999", unitAuto, 0},
		{"huge exponent of zero", "0e999999999999999999999", unitAuto, 0},
		{"tiny", "1e-999999", unitAuto, 0},
		{"twenty digits", "99999999999999999999", unitAuto, 0},
		{"hexadecimal", "0x61F0A3BA", unitAuto, 0},
		{"leading zero", "01643156730", unitAuto, 0},
		{"plus", "+1643156730", unitAuto, 0},
		{"space", " 1643156730", unitAuto, 0},
		{"text", "now", unitAuto, 0},
		{"empty", "", unitAuto, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := epoch(c.text, c.unit)
			if ok != (c.want != 0) || ok && got != c.want {
				t.Errorf("%q: got %d, %v, want %d", c.text, got, ok, c.want)
			}
		})
	}
}

func TestRFC3339Vectors(t *testing.T) {
	var groups []struct {
		Tests []struct {
			Description string
			Data        any
			Valid       bool
		}
	}
	if err := json.Unmarshal(readFile(t, "vectors", "rfc3339", "date-time.json"), &groups); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups {
		for _, c := range g.Tests {
			text, ok := c.Data.(string)
			if !ok {
				continue // the schema's "format" ignores what is no string
			}
			n++
			_, got := rfc3339(text)
			// Times before 1970 are valid RFC 3339 but none of ours: asked again a century later.
			if !got && c.Valid {
				_, got = rfc3339("20" + text[2:])
			}
			if got != c.Valid {
				t.Errorf("%s: %q is %v, want %v", c.Description, text, got, c.Valid)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d vectors", n)
	}
}

func TestLayouts(t *testing.T) {
	for _, c := range []struct{ name, layout, text, want string }{
		{"web server", "02/Jan/2006:15:04:05 -0700", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36.000Z"},
		{"Snort", "01/02/2006-15:04:05.000000", "03/04/2020-18:02:04.347123", "2020-03-04T18:02:04.347Z"},
		{"Axiom", "2006-01-02 15:04:05 -0700 MST", "2025-02-15 14:59:03 +0000 UTC", "2025-02-15T14:59:03.000Z"},
		{"zone in words", "Mon Jan _2 15:04:05 UTC 2006", "Tue Mar  4 11:01:41 UTC 2025", "2025-03-04T11:01:41.000Z"},
		{"does not fit", "2006-01-02 15:04", "2025-03-04T11:01", ""},
		{"year 1", "2006-01-02 15:04", "0001-01-01 00:00", ""},
		{"named epoch_ms", "epoch_ms", "1643156730123", "2022-01-26T00:25:30.123Z"},
		{"named epoch_s", "epoch_s", "1643156730", "2022-01-26T00:25:30.000Z"},
		{"named epoch_us", "epoch_us", "1643156730123456", "2022-01-26T00:25:30.123Z"},
		{"named epoch_ns", "epoch_ns", "1643156730123456789", "2022-01-26T00:25:30.123Z"},
		{"named epoch", "epoch", "1643156730", "2022-01-26T00:25:30.000Z"},
		{"named rfc3339", "rfc3339", "2022-01-26T00:25:30Z", "2022-01-26T00:25:30.000Z"},
		{"named iso8601", "iso8601", "2022-01-26 00:25:30", "2022-01-26T00:25:30.000Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := compileLayout(c.layout)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := l.read(c.text, time.UTC)
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("got %v, %v, want %v", got, ok, c.want)
			}
		})
	}
}

// FuzzTime holds both readers of times against package time and rational numbers.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2022-01-26T00:25:30.123Z", "1998-12-31T23:59:60Z", "1990-12-31t15:59:60.5-08:00",
		"2024-02-29T23:59:59+23:59", "1643156730", "1643156730.5", "1.6e9", "1643156730123456789", "0e9", "1e-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := rfc3339(s)
		if want, err := twinRFC3339(s); ok != (err == nil) || ok && got != want {
			t.Errorf("rfc3339 %q: got %v, %v, want %v, %v", s, got, ok, want, err)
		}
		var m minute
		if len(s) > 19 { // another second of the same minute before
			m.rfc3339(s[:17] + "07" + s[19:])
		}
		for range 2 {
			if again, ok2 := m.rfc3339(s); ok2 != ok || ok && again != got {
				t.Errorf("rfc3339 %q: got %v, %v, behind its minute %v, %v", s, got, ok, again, ok2)
			}
		}
		got, ok = epoch(s, unitAuto)
		if want, err := twinEpoch(s); ok != (err == nil) || ok && got != want {
			t.Errorf("epoch %q: got %v, %v, want %v, %v", s, got, ok, want, err)
		}
		iso8601(s, time.UTC) // must not crash
	})
}
