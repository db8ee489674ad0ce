package wsman

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseTime reads a Datetime: "2017-01-31T15:40:09.000Z", also without a zone (UTC), a time of day or fractions, and CIM's
// own form "20170131154009.000000+000". Empty is the zero time.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil && writableYear(t.UTC()) {
			return t.UTC(), nil
		}
	}
	// yyyymmddhhmmss.mmmmmm+uuu, with minutes from UTC.
	if len(s) == 25 && s[14] == '.' && (s[21] == '+' || s[21] == '-') {
		t, err := time.Parse("20060102150405.000000", s[:21])
		minutes, err2 := strconv.ParseUint(s[22:], 10, 16)
		if err == nil && err2 == nil {
			offset := time.Duration(minutes) * time.Minute
			if s[21] == '+' {
				offset = -offset
			}
			if t = t.Add(offset); writableYear(t) {
				return t, nil
			}
		}
	}
	return time.Time{}, errors.New("no date and time: " + quoted(s))
}

// writableYear says whether the year has four digits in UTC too, where a zone may have moved it.
func writableYear(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

var errInterval = errors.New("no interval of days, hours, minutes and seconds")

// parseInterval reads an Interval: "P1DT2H30M", and CIM's own form "00000001023000.000000:000". Empty is 0.
func parseInterval(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	if len(s) == 25 && s[14] == '.' && s[21:] == ":000" {
		var d time.Duration
		for _, p := range []struct {
			digits string
			unit   time.Duration
		}{{s[:8], 24 * time.Hour}, {s[8:10], time.Hour}, {s[10:12], time.Minute}, {s[12:14], time.Second}, {s[15:21], time.Microsecond}} {
			n, err := strconv.ParseUint(p.digits, 10, 32)
			if err != nil || !addUnits(&d, n, p.unit) {
				return 0, errInterval
			}
		}
		return d, nil
	}
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" || rest == "T" {
		return 0, errInterval
	}
	var d time.Duration
	clock := false
	for rest != "" {
		if rest[0] == 'T' && !clock && len(rest) > 1 {
			clock, rest = true, rest[1:]
			continue
		}
		i := strings.IndexAny(rest, "WDHMS")
		if i < 1 {
			return 0, errInterval
		}
		unit, ok := intervalUnit(rest[i], clock)
		if !ok {
			return 0, errInterval
		}
		whole, fraction, fractional := strings.Cut(rest[:i], ".")
		n, err := strconv.ParseUint(whole, 10, 64)
		if err != nil || fractional && rest[i] != 'S' || !addUnits(&d, n, unit) {
			return 0, errInterval
		}
		if fractional {
			f, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
			if err != nil || !addUnits(&d, f, time.Nanosecond) {
				return 0, errInterval
			}
		}
		rest = rest[i+1:]
	}
	return d, nil
}

func intervalUnit(c byte, clock bool) (time.Duration, bool) {
	switch {
	case c == 'W' && !clock:
		return 7 * 24 * time.Hour, true
	case c == 'D' && !clock:
		return 24 * time.Hour, true
	case c == 'H' && clock:
		return time.Hour, true
	case c == 'M' && clock:
		return time.Minute, true
	case c == 'S' && clock:
		return time.Second, true
	}
	return 0, false // months and years have no length
}

func addUnits(d *time.Duration, n uint64, unit time.Duration) bool {
	if n > uint64(math.MaxInt64-*d)/uint64(unit) {
		return false
	}
	*d += time.Duration(n) * unit //nolint:gosec // checked above
	return true
}

// appendInterval writes days, hours, minutes and seconds, and what is below seconds only if it is there.
func appendInterval(b []byte, d time.Duration) []byte {
	b = append(b, 'P')
	days := d / (24 * time.Hour)
	if days > 0 {
		b = strconv.AppendInt(b, int64(days), 10)
		b = append(b, 'D')
	}
	d %= 24 * time.Hour
	if d == 0 && days > 0 {
		return b
	}
	b = append(b, 'T')
	for _, p := range []struct {
		unit   time.Duration
		letter byte
	}{{time.Hour, 'H'}, {time.Minute, 'M'}} {
		if n := d / p.unit; n > 0 {
			b = strconv.AppendInt(b, int64(n), 10)
			b = append(b, p.letter)
		}
		d %= p.unit
	}
	if d > 0 || b[len(b)-1] == 'T' {
		b = strconv.AppendInt(b, int64(d/time.Second), 10)
		if d %= time.Second; d > 0 {
			digits := strconv.AppendInt(nil, int64(time.Second+d), 10)
			digits[0] = '.' // what was added for the zeros
			b = append(b, bytes.TrimRight(digits, "0")...)
		}
		b = append(b, 'S')
	}
	return b
}
