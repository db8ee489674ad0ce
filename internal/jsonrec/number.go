package jsonrec

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"time"
)

// maxJSTime is the range of JavaScript's Date, in milliseconds.
const maxJSTime = 8.64e15

// bool reads a boolean.
func (d *decoder) bool() (b, ok bool) {
	start := d.pos
	end := scalarEnd(d.data, start)
	if end < 0 {
		return false, d.notScalar(start)
	}
	d.pos = end
	switch string(d.data[start:end]) {
	case "true", "1", `"true"`:
		return true, true
	case "false", "0", `"false"`:
		return false, true
	}
	return false, false
}

// notScalar tells objects and arrays, which have the wrong shape, from what is no JSON.
func (d *decoder) notScalar(start int) bool {
	if c := d.peek(); c == '{' || c == '[' {
		return false
	}
	return d.syntax(start)
}

// number gives the text of a number, also of one in quotes.
func (d *decoder) number() (text []byte, whole, ok bool) {
	start := d.pos
	c := d.peek()
	if c == '-' || c-'0' <= 9 {
		end, whole := numberEnd(d.data, start)
		if end < 0 {
			return nil, false, d.syntax(start)
		}
		d.pos = end
		return d.data[start:end], whole, true
	}
	end := scalarEnd(d.data, start)
	if end < 0 {
		return nil, false, d.notScalar(start)
	}
	d.pos = end
	if c != '"' {
		return nil, false, false
	}
	text = bytes.TrimSpace(d.data[start+1 : end-1])
	n, whole := numberEnd(text, 0)
	return text, whole, n == len(text)
}

// digits reads a number of up to 18 digits and nothing else, as nearly all are. Where something else is, it reads nothing.
func (d *decoder) digits() (n int64, ok bool) {
	i := d.pos
	end := min(len(d.data), i+19)
	for ; i < end; i++ {
		c := d.data[i] - '0'
		if c > 9 {
			if c := d.data[i]; c != ',' && c != '}' && c != ']' || i == d.pos || d.data[d.pos] == '0' && i > d.pos+1 {
				return 0, false
			}
			d.pos = i
			return n, true
		}
		n = n*10 + int64(c)
	}
	return 0, false
}

// int reads a whole number.
func (d *decoder) int() (int64, bool) {
	if n, ok := d.digits(); ok {
		return n, true
	}
	text, whole, ok := d.number()
	if !ok {
		return 0, false
	}
	if whole {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// uint reads a whole number that is not negative. JavaScript's bit operators make signed numbers of 32 bits, so for a
// type of that size negative ones are read too.
func (d *decoder) uint(bits int) (uint64, bool) {
	start := d.pos
	n, ok := d.int()
	switch {
	case ok && n >= 0:
		return uint64(n), true
	case ok:
		return uint64(uint32(n)), bits == 32 && n >= math.MinInt32
	case bits < 64 || d.err != nil:
		return 0, false
	}
	d.pos = start
	text, _, ok := d.number()
	if !ok {
		return 0, false
	}
	u, err := strconv.ParseUint(string(text), 10, 64)
	return u, err == nil
}

func (d *decoder) float() (float64, bool) {
	start := d.pos
	if n, ok := d.digits(); ok && n < 1<<53 {
		return float64(n), true
	}
	d.pos = start
	text, _, ok := d.number()
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// time reads a time, as a number in its unit or as text, whichever is there. Text needs no unit, and a number where text
// should be is one of milliseconds. What could not be written again is not read either: years that text has no four digits
// for have the wrong shape, and the text of the beginning of 1970 is no time where the number 0 is none.
func (d *decoder) time(u unit, v reflect.Value) bool {
	t, ok := d.timeIn(u)
	if !ok || u == unitISO && !isISOYear(t.Year()) {
		return false
	}
	if u != unitISO && t.Equal(time.Unix(0, 0)) {
		t = time.Time{}
	}
	*v.Addr().Interface().(*time.Time) = t
	return true
}

func isISOYear(y int) bool { return y >= 0 && y <= 9999 }

// timeIn reads a time to the precision of its unit.
func (d *decoder) timeIn(u unit) (time.Time, bool) {
	start := d.pos
	if f, ok := d.float(); ok { // exact up to 2^53, and JavaScript's times end before
		if f = math.Floor(f); f == 0 {
			return time.Time{}, true
		}
		if u == unitSec {
			f *= 1000
		}
		if math.Abs(f) > maxJSTime {
			return time.Time{}, false
		}
		return time.UnixMilli(int64(f)).UTC(), true
	}
	d.pos = start
	if d.err != nil || d.peek() != '"' {
		return time.Time{}, false
	}
	s, ok := d.string()
	if !ok {
		return time.Time{}, false
	}
	if s == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, false
	}
	t = t.UTC()
	if u == unitSec {
		return t.Truncate(time.Second), true
	}
	return t.Truncate(time.Millisecond), true
}

var durations = [...]time.Duration{
	unitHours: time.Hour, unitMins: time.Minute, unitSecs: time.Second, unitMsecs: time.Millisecond,
}

func (d *decoder) duration(u unit, v reflect.Value) bool {
	f, ok := d.float()
	if !ok {
		return false
	}
	f = math.Round(f * float64(durations[u]/time.Millisecond))
	if math.Abs(f) > math.MaxInt64/1e6 {
		return false
	}
	v.SetInt(int64(f) * int64(time.Millisecond))
	return true
}
