package main

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timesApart is how far the times of two servers that do the same may be from each other. They do it at the same time, but a
// busy machine gives one of them no time for a while.
const timesApart = 5 * time.Minute

// timeToken stands for a time until agreeOnTimes has seen that of the other server. A time by itself can not be told in round
// numbers: those of two servers would be on two sides of the point where they change, now and then.
func timeToken(form string, t time.Time) string {
	return fmt.Sprintf("{%s T%d}", form, t.Unix()) // T: what looks for numbers looks for words
}

var timeTokens = regexp.MustCompile(`\{(iso|local|s|ms) T(\d+)\}`)

// untimed is text without the times in it.
func untimed(s string) string { return timeTokens.ReplaceAllString(s, "{$1}") }

// compareUntimed orders by what is not a time, and then by the times.
func compareUntimed(a, b string) int {
	return cmp.Or(strings.Compare(untimed(a), untimed(b)), strings.Compare(a, b))
}

// agreeOnTimes tells the times of two outputs by their distance from now, in steps of five minutes, and those that are about the
// same in the same way.
func agreeOnTimes(a, b []string, now time.Time) (toldA, toldB []string) {
	toldA, toldB = make([]string, len(a)), make([]string, len(b))
	for i := range a {
		toldA[i] = tellTimes(a[i], "", now)
		if i < len(b) && len(a) == len(b) && untimed(a[i]) == untimed(b[i]) {
			toldB[i] = tellTimes(b[i], a[i], now)
		}
	}
	for i := range b {
		if toldB[i] == "" {
			toldB[i] = tellTimes(b[i], "", now)
		}
	}
	return toldA, toldB
}

// tellTimes tells the times in a line, or in their place those at the same places of a line of the other server.
func tellTimes(line, other string, now time.Time) string {
	others := timeTokens.FindAllStringSubmatch(other, -1)
	n := 0
	return timeTokens.ReplaceAllStringFunc(line, func(token string) string {
		m := timeTokens.FindStringSubmatch(token)
		t := tokenTime(m)
		if n < len(others) {
			if o := tokenTime(others[n]); t.Sub(o).Abs() <= timesApart {
				t = o
			}
		}
		n++
		const step = 5
		away := math.Round(t.Sub(now).Minutes()/step) * step
		if away == 0 || away == -step {
			return "{" + m[1] + " now}"
		}
		return fmt.Sprintf("{%s now%+.0fm}", m[1], away)
	})
}

func tokenTime(m []string) time.Time {
	seconds, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
